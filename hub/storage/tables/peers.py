"""Relations with other nodes."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, false

from hub.storage.dialects import Instant, Json
from hub.storage.tables.metadata import METADATA

PEERS = Table(
    "peers",
    METADATA,
    Column("node_id", String(52), primary_key=True),
    Column("name", String, nullable=False),
    Column("base", String, nullable=False),
    Column("trust", Integer, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("state", String, nullable=False),  # active, suspended
    # The four dials; None means what the preset says (PROTOCOL 4.1).
    Column("inbound", String),
    Column("cap", Integer),
    Column("outbound", Integer),
    Column("daily_limit", Integer),
    Column("authority", Json, nullable=False),
    Column("relay_on", Boolean, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("last_pull_at", Instant),
    Column("last_success_at", Instant),
    Column("last_error_code", String),
    Column("last_error_detail", String),
    Column("last_error_at", Instant),
    Column("failures", Integer, nullable=False),
    Column("push_on", Boolean, nullable=False, server_default=false()),
    Column("pushed_at", Instant),  # when it last pushed entries of its own to us
    Column("own_heads_at", Instant),  # when it last told what it holds of our own feeds
    # Two vouchers and a person introduced it: it may be a member without the eight words.
    Column("introduced", Boolean, nullable=False, server_default=false()),
    Column("page_limit", Integer),  # what its line bore last; None: a whole page
    Column("types", Json),  # of objects that are accepted without a person; None: its preset's
    Column("suspended_at", Instant),
    Column("suspended_row", BigInteger),  # the last object that was here then
    Column("sightings_since", Instant),  # from then on it is told what was seen of its claims
)

PEER_DAYS = Table(
    "peer_days",
    METADATA,
    Column("node_id", String(52), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("objects", Integer, nullable=False),
)

INVITATIONS = Table(
    "invitations",
    METADATA,
    Column("token_digest", String(64), primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("used_by", String(52)),
)

NONCES = Table(
    "nonces",
    METADATA,
    Column("keyid", String(26), primary_key=True),
    Column("nonce", String, primary_key=True),
    Column("seen_at", Instant, nullable=False, index=True),
)
