"""Who reads and writes without a node: tokens, grants and the status of what they added."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, LargeBinary, String, Table

from hub.storage.dialects import Instant, Json
from hub.storage.tables.metadata import METADATA

TOKENS = Table(
    "tokens",
    METADATA,
    Column("name", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("max_tlp", Integer, nullable=False),
    Column("originals", Boolean, nullable=False),
    Column("zones", Json, nullable=False),
    Column("prefixes", Json, nullable=False),
    Column("groups", Json, nullable=False),
    Column(
        "organisation_id",
        String,
        ForeignKey("organisations.organisation_id"),
        nullable=False,
    ),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
)

GRANTS = Table(
    "grants",
    METADATA,
    Column("collection_id", String(36), ForeignKey("collections.collection_id"), primary_key=True),
    Column("token_name", String, ForeignKey("tokens.name"), primary_key=True),
    Column("can_read", Boolean, nullable=False),
    Column("can_write", Boolean, nullable=False),
    Column("granted_at", Instant, nullable=False),
)

STATUSES = Table(
    "statuses",
    METADATA,
    Column("status_id", String(36), primary_key=True),
    Column("token_name", String, nullable=False),
    Column("collection_id", String(36), nullable=False),
    Column("total", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
)
