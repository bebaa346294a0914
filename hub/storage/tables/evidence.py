"""What was said about feeds, what contradicts it, and what a person should know of."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from hub.storage.dialects import Instant, Json, RowId
from hub.storage.tables.metadata import METADATA

EVIDENCE = Table(
    "evidence",
    METADATA,
    Column("evidence_id", RowId, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False, unique=True),  # of what it shows, not of its bytes
    Column("kind", String, nullable=False),  # fork, relay, node
    Column("accused", String(52), nullable=False, index=True),
    Column("feed", String, index=True),
    Column("seq", BigInteger),
    Column("body", LargeBinary, nullable=False),  # the proof as it goes over the wire
    Column("sender", String(52)),  # None: found here
    Column("stored_at", Instant, nullable=False),
)

EVIDENCE_TOLD = Table(
    "evidence_told",
    METADATA,
    Column("evidence_id", RowId, ForeignKey("evidence.evidence_id"), primary_key=True),
    Column("node_id", String(52), primary_key=True),
    Column("told_at", Instant, nullable=False),
    Column("code", String),  # None: taken; else why the peer did not take it
)

OTHER_BRANCH = Table(
    "other_branch",
    METADATA,
    Column("hash", String(64), primary_key=True),
    Column("feed", String, nullable=False, index=True),
    Column("seq", BigInteger, nullable=False),
    Column("dsse", LargeBinary, nullable=False),
    Column("sender", String(52), nullable=False),
    Column("received_at", Instant, nullable=False),
)

FREEZES = Table(
    "freezes",
    METADATA,
    Column("freeze_id", RowId, primary_key=True, autoincrement=False),
    Column("feed", String, nullable=False, index=True),
    Column("why", String, nullable=False),
    Column("state_before", String, nullable=False),
    Column("frozen_at", Instant, nullable=False),
    Column("thawed_at", Instant),
    Column("thawed_by", String),
    Column("reason", String),
)

STATED_HEADS = Table(
    "stated_heads",
    METADATA,
    Column("feed", String, primary_key=True),
    Column("node_id", String(52), primary_key=True),  # the peer that stated it
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("ts", Instant, nullable=False),
    Column("expires", Instant, nullable=False),
    Column("dsse", LargeBinary, nullable=False),
    Column("stated_at", Instant, nullable=False),
)

TOLD_HEADS = Table(
    "told_heads",
    METADATA,
    Column("node_id", String(52), primary_key=True),  # the peer that was told
    Column("feed", String, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("ts", Instant, nullable=False),
)

PEER_CONTACTS = Table(
    "peer_contacts",
    METADATA,
    Column("node_id", String(52), primary_key=True),
    Column("last_request_at", Instant),  # its last signed request to us
    Column("last_answer_at", Instant),  # its last answer to one of ours
    # How far its clock is ahead of ours, as a signed request and as an answer's Date said.
    Column("signed_offset", Integer),
    Column("signed_offset_at", Instant),
    Column("date_offset", Integer),
    Column("date_offset_at", Instant),
)

ALARMS = Table(
    "alarms",
    METADATA,
    Column("alarm_id", RowId, primary_key=True, autoincrement=False),
    Column("code", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("params", Json, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("closed_by", String),
    Index("ix_alarms_code_subject", "code", "subject"),
)
