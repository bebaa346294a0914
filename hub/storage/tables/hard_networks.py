"""Restores and hard networks: what may be signed, what was pushed to whom, statuses of pushes."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from hub.storage.dialects import Instant, RowId
from hub.storage.tables.metadata import METADATA

OWN_SIGNING = Table(
    "own_signing",
    METADATA,
    Column("only_row", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("generation", BigInteger, nullable=False),  # writes that signed own entries
    Column("began_at", Instant),  # when a process last began to ask the peers
    Column("pending", Boolean, nullable=False),  # and that first check has not ended
    Column("suspected_at", Instant),  # this database may be older than what was published
    Column("checked_at", Instant),  # when enough peers were last heard
)

OWN_FEED_CHECKS = Table(
    "own_feed_checks",
    METADATA,
    Column("feed", String, primary_key=True),
    Column("verdict", String, nullable=False),  # behind, alien, contradicted
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("told_by", String(52), nullable=False),
    Column("at", Instant, nullable=False),
)

PUSHES = Table(
    "pushes",
    METADATA,
    Column("node_id", String(52), primary_key=True),
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), primary_key=True),
    Column("seq", BigInteger, nullable=False),  # the last entry that the peer took
    Column("head_ts", Instant),  # the newest head that it was told
    Column("at", Instant, nullable=False),
)

PUSH_STATUSES = Table(
    "push_statuses",
    METADATA,
    Column("status_id", String(36), primary_key=True),
    Column("node_id", String(52), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_push_statuses_node_id_created_at", "node_id", "created_at"),
)
