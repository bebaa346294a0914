"""Node documents and keys: what was overruled, who was told, and entries that count no more."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table

from hub.storage.dialects import Instant
from hub.storage.tables.metadata import METADATA

OVERRULED_DOCUMENTS = Table(
    "overruled_documents",
    METADATA,
    Column("hash", String(64), primary_key=True),
    Column("node_id", String(52), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("dsse", LargeBinary, nullable=False),
    Column("noted_at", Instant, nullable=False),
    Column("settled_at", Instant),  # None: the node is frozen until a person decides
    Column("settled_by", String),
)

TOLD_DOCUMENTS = Table(
    "told_documents",
    METADATA,
    Column("node_id", String(52), primary_key=True),  # the peer
    Column("version", Integer, nullable=False),  # of our own documents, that it is known to hold
    Column("at", Instant, nullable=False),
)

VOID_ENTRIES = Table(
    "void_entries",
    METADATA,
    Column("hash", String(64), primary_key=True),
    Column("feed", String, nullable=False, index=True),
    Column("seq", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("sender", String(52)),
    Column("received_at", Instant, nullable=False),
    Column("voided_at", Instant, nullable=False),
)
