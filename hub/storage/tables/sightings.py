"""Where claimed names were seen by this organisation, by name and hour, and what of it was told.

No address and no machine: who was seen asking is nobody's business but its own network's.
"""

from sqlalchemy import BigInteger, Column, Index, String, Table

from hub.storage.dialects import Instant
from hub.storage.tables.metadata import METADATA

SIGHTINGS = Table(
    "sightings",
    METADATA,
    Column("name", String, primary_key=True),
    Column("hour", Instant, primary_key=True),
    Column("source", String, primary_key=True),  # operator, or the token that brought it
    Column("count", BigInteger, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Index("ix_sightings_hour", "hour"),
)

SIGHTINGS_TOLD = Table(
    "sightings_told",
    METADATA,
    Column("node_id", String(52), primary_key=True),
    Column("name", String, primary_key=True),
    Column("hour", Instant, nullable=False),  # the last hour that this origin was told of
)
