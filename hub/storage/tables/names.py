"""What DNS says of the domains that nodes call their own."""

from sqlalchemy import Column, String, Table

from hub.storage.dialects import Instant, Json
from hub.storage.tables.metadata import METADATA

PEER_NAMES = Table(
    "peer_names",
    METADATA,
    Column("node_id", String(52), primary_key=True),
    Column("domain", String, primary_key=True),
    Column("standing", String, nullable=False),  # see federation.identity.dns_name
    Column("named", Json, nullable=False),  # the node ids that the record names
    Column("checked_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
)
