"""What speaks against claims: opinions on names, decisions, outcomes and requests to correct.

State and label of an opinion are not kept here: they change, and ``objects`` has them.
"""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from hub.storage.dialects import Instant, Json, RowId
from hub.storage.tables.metadata import METADATA

DISPUTES = Table(
    "disputes",
    METADATA,
    # One version of one origin's opinion on one name. No foreign key: what is gone from
    # ``objects`` is gone from every join with it.
    Column("object_row", RowId, primary_key=True, autoincrement=False),
    Column("name", String, primary_key=True),
    Column("origin", String(52), nullable=False),
    Column("own", Boolean, nullable=False),
    Column("opinion", String, nullable=False),  # of STIX: strongly-disagree … strongly-agree
    Column("confidence", Integer, nullable=False),  # how strongly it speaks against; 0: it does not
    Column("said_at", Instant, nullable=False),  # its version, never after its arrival
    Column("received_at", Instant, nullable=False),
    Index("ix_disputes_name", "name"),
)

DISPUTE_DECISIONS = Table(
    "dispute_decisions",
    METADATA,
    Column("name", String, primary_key=True),
    Column("label", Integer, nullable=False),  # of what was decided on: lower views do not move
    Column("decision", String, nullable=False),  # block, release
    Column("reason", Text, nullable=False),
    Column("actor", String, nullable=False),
    Column("decided_at", Instant, nullable=False),
)

OUTCOMES = Table(
    "outcomes",
    METADATA,
    # What turned out about one object of one origin; the last word counts.
    Column("origin", String(52), primary_key=True),
    Column("stix_id", String, primary_key=True),
    Column("stix_type", String, nullable=False),
    Column("label", Integer, nullable=False),  # of the object: what shows in no lower view
    Column("kind", String, nullable=False),  # confirmed, false-positive
    Column("reason", Text, nullable=False),
    Column("actor", String, nullable=False),
    Column("found_at", Instant, nullable=False),
    Column("counted_at", Instant),  # it has cost its origin a step already
)

CORRECTIONS = Table(
    "corrections",
    METADATA,
    Column("correction_id", RowId, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),
    Column("contact", String),  # personal data; None once it was erased
    Column("reason", Text),  # in their words, so personal data too
    Column("asked_at", Instant, nullable=False),
    Column("state", String, nullable=False),  # open, accepted, refused
    Column("decided_at", Instant),
    Column("decided_by", String),
    Column("decision_reason", Text),
    Column("stix_ids", Json),  # what this node published because of it
    Index("ix_corrections_state", "state", "correction_id"),
)

SIGNATURE_FAILURES = Table(
    "signature_failures",
    METADATA,
    # Of the last hour: entries that a peer served as its own and had not signed.
    Column("node_id", String(52), primary_key=True),
    Column("failed_at", Instant, primary_key=True),
    Column("number", Integer, nullable=False),
)
