"""Claims on names, the verdicts that were made of them, and which have to be made anew.

State and label of a claim are not kept here: they change, and ``objects`` has them.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    false,
    text,
)

from hub.storage.dialects import Instant, Json, RowId
from hub.storage.tables.metadata import METADATA

CLAIMS = Table(
    "claims",
    METADATA,
    # What one version of one origin's object says of one subject. No foreign key: what is gone
    # from ``objects`` is gone from every join with it.
    Column("object_row", RowId, primary_key=True, autoincrement=False),
    Column("name", String, primary_key=True, index=True),  # ``Subject.key``
    # Of a list with days, the windows of one name.
    Column("part", SmallInteger, primary_key=True, autoincrement=False, server_default="0"),
    Column("origin", String(52), nullable=False),
    Column("confidence", Integer, nullable=False),
    Column("threat_type", String),
    Column("match_scope", String, nullable=False),
    Column("claimed_at", Instant, nullable=False),  # its version, never after its arrival
    Column("valid_from", Instant),
    Column("valid_until", Instant),
    Column("src", Json),  # lineage tags of the entry that carried it
    Column("pap", Integer),  # of that entry: clear 0 to red 3
    Column("feed_row", RowId),
    Column("seq", BigInteger),
    Column("several", Boolean, nullable=False, server_default=false()),  # its id has more versions
    sqlite_with_rowid=False,
)

SET_MARKS = Table(
    "set_marks",
    METADATA,
    # Domain sets whose names have to be marked, which takes more than one write.
    Column("object_row", RowId, primary_key=True, autoincrement=False),
    Column("label", Integer, nullable=False),  # the lowest at which the change shows
    Column("asked_at", Instant, nullable=False),
    Column("after", String, nullable=False),  # the last name that was marked
)

CLAIMS_TO_READ = Table(
    "claims_to_read",
    METADATA,
    # Objects behind the watermark that were shown anew: their claims are read once more.
    Column("object_row", RowId, primary_key=True, autoincrement=False),
    Column("asked_at", Instant, nullable=False),
)

VERDICT_WORK = Table(
    "verdict_work",
    METADATA,
    Column("name", String, primary_key=True),
    Column("label", Integer, primary_key=True),  # of what happened: lower views do not move
    Column("asked_at", Instant, nullable=False),  # may lie ahead: a claim that begins then
    Column("background", Boolean, nullable=False),
    Index("ix_verdict_work_background", "background", "asked_at", "name", "label"),
    sqlite_with_rowid=False,
)

VERDICTS = Table(
    "verdicts",
    METADATA,
    Column("name", String, primary_key=True),
    Column("label", Integer, primary_key=True),
    Column("shown_to", Integer, nullable=False),  # the last ceiling whose view it is for; -1: none
    Column("object_row", RowId),  # as it is published; None: it is not
    Column("generation", Integer, nullable=False),  # a revoked id is never used again
    Column("result", Float, nullable=False),
    Column("confidence", Integer, nullable=False),  # as published
    Column("lineages", Integer, nullable=False),
    Column("trusted_lineages", Integer, nullable=False),
    Column("dispute", Float, nullable=False),
    Column("threat_type", String),
    Column("threat_types", Json, nullable=False),
    Column("match_scope", String, nullable=False),
    Column("block", Boolean, nullable=False),
    Column("block_codes", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("valid_until", Instant),
    Column("look_again_at", Instant, index=True),
    Column("revoked_at", Instant),
    Column("rules", String, nullable=False),
    Index(
        "ix_verdicts_block",
        "label",
        "shown_to",
        sqlite_where=text("block"),
        postgresql_where=text("block"),
    ),
    sqlite_with_rowid=False,
)
