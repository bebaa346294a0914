"""Taking back: what waits behind stubs, who holds and confirmed what, what was erased, releases."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from hub.storage.dialects import Instant, RowId
from hub.storage.tables.metadata import METADATA

PENDING_ENTRIES = Table(
    "pending_entries",
    METADATA,
    # Each row is a step of the chain behind ``feeds.last_seq``, with where the chain then stands.
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("ts", Instant),
    Column("relay", String),
    Column("closed", Boolean, nullable=False),
    Column("stub", BigInteger),  # the later entry that is said to name this one; None: an entry
    Column("created", String),  # what the stub says of that entry's ts
    Column("linked", Boolean, nullable=False),  # the next entry, or the last one's head, names it
    Column("justified", Boolean, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("sender", String(52), nullable=False),
    Column("received_at", Instant, nullable=False),
    Index("ix_pending_entries_feed_row_stub", "feed_row", "stub"),
)

POSITIONS = Table(
    "positions",
    METADATA,
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), primary_key=True),
    Column("node_id", String(52), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("how", String, nullable=False),  # ack, push
    Column("at", Instant, nullable=False),
)

ACKS = Table(
    "acks",
    METADATA,
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("node_id", String(52), primary_key=True),  # who confirmed
    Column("did", String, nullable=False),  # restricted, retracted, erased
    Column("at", Instant, nullable=False),  # as the acker says
    Column("received_at", Instant, nullable=False),
    # What the acker says of its own readers, as a relay; None when it says nothing.
    Column("readers", Integer),
    Column("confirmed", Integer),
    Column("dsse", LargeBinary, nullable=False),
)

ACKS_DUE = Table(
    "acks_due",
    METADATA,
    Column("recipient", String(52), primary_key=True),
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("did", String, nullable=False),
    Column("since", Instant, nullable=False),
)

RECALLS = Table(
    "recalls",
    METADATA,
    # Which own entry takes back which object.
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("stix_id", String, primary_key=True, index=True),
    Column("did", String, nullable=False),
    Column("at", Instant, nullable=False),
)

ERASURES = Table(
    "erasures",
    METADATA,
    # Entries whose bytes were deleted at this node alone, by law.
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("erased_at", Instant, nullable=False),
    Column("erased_by", String, nullable=False),
    Column("reason", String, nullable=False),
)

RELEASES = Table(
    "releases",
    METADATA,
    # Widenings that an origin signed in advance and that are not honoured yet.
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("from_tlp", Integer, nullable=False),
    Column("to_tlp", Integer, nullable=False),
)
