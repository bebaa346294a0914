"""How far the logs of resolvers and sensors were read, and, where one was told to, who asked."""

from sqlalchemy import BigInteger, Boolean, Column, Index, String, Table, false

from hub.storage.dialects import Instant
from hub.storage.tables.metadata import METADATA

FOLLOWED_LOGS = Table(
    "followed_logs",
    METADATA,
    Column("path", String, primary_key=True),
    Column("file_id", String, nullable=False),  # device and inode
    Column("offset", BigInteger, nullable=False),  # of the first octet that was not read
    Column("head", String(64), nullable=False),  # digest of the file's first octets
    # The offset lies within a line that is too long to be read.
    Column("in_line", Boolean, nullable=False, server_default=false()),
    Column("read_at", Instant, nullable=False),
)

SIGHTING_CLIENTS = Table(
    "sighting_clients",
    METADATA,
    # Only where ``--keep-clients`` asked for it; never told to anybody.
    Column("name", String, primary_key=True),
    Column("hour", Instant, primary_key=True),
    Column("client", String(45), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Index("ix_sighting_clients_hour", "hour"),
)
