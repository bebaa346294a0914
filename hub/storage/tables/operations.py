"""Work to be done and what was done: jobs and the audit."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from hub.storage.dialects import Instant, Json, RowId
from hub.storage.tables.metadata import METADATA

JOBS = Table(
    "jobs",
    METADATA,
    Column("job_id", RowId, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
    Column("locked_until", Instant),
    Column("fence", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("again", Integer, nullable=False),  # asked for anew while it ran
    Column("last_error", String),
    UniqueConstraint("kind", "subject"),
    Index("ix_jobs_next_attempt_at", "next_attempt_at"),
)

AUDIT_EVENTS = Table(
    "audit_events",
    METADATA,
    Column("event_row", RowId, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False, index=True),
    Column("actor", String, nullable=False),
    Column("code", String, nullable=False),
    Column("params", Json, nullable=False),
    # None once who did it and what people wrote were erased (``hub.audit.erase``).
    Column("salt", LargeBinary(16)),
)

AUDIT_CHAIN = Table(
    "audit_chain",
    METADATA,
    Column("seq", RowId, primary_key=True, autoincrement=False),
    Column("event_row", RowId, ForeignKey("audit_events.event_row"), nullable=False, unique=True),
    Column("at", Instant, nullable=False),
    Column("code", String, nullable=False),
    Column("facts", LargeBinary(32), nullable=False),
    Column("personal", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)
