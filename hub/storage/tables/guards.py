"""Names that the operator protects, overrides, hits on protected names, and blocks in force."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table

from hub.storage.dialects import Instant
from hub.storage.tables.metadata import METADATA

GUARD_NAMES = Table(
    "guard_names",
    METADATA,
    Column("list_name", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("grade", String, nullable=False),  # refuse, hold, warn
    Column("below", Boolean, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("added_by", String, nullable=False),
    Index("ix_guard_names_name", "name"),
)

GUARD_OVERRIDES = Table(
    "guard_overrides",
    METADATA,
    Column("name", String, primary_key=True),
    Column("override_id", String(64), nullable=False),
    Column("dsse", LargeBinary, nullable=False),
    Column("until", Instant, nullable=False),
    Column("added_at", Instant, nullable=False),
)

PROTECTED_HITS = Table(
    "protected_hits",
    METADATA,
    Column("origin", String(52), primary_key=True),
    Column("name", String, primary_key=True),
    Column("list_name", String, nullable=False),
    Column("hit_at", Instant, nullable=False),
    Column("counted_at", Instant),  # it has cost its origin a step already
    Index("ix_protected_hits_hit_at", "origin", "hit_at"),
)

BLOCKS = Table(
    "blocks",
    METADATA,
    Column("ceiling", Integer, primary_key=True),  # the label view
    Column("name", String, primary_key=True),
    Column("asked_at", Instant, nullable=False),
    Column("in_force_at", Instant),  # None: waits for its hour
    Index("ix_blocks_in_force_at", "ceiling", "in_force_at"),
)
