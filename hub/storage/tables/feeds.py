"""Feeds and their entries: own ones and those that we hold of others."""

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
    text,
)

from hub.storage.dialects import Instant, Json, RowId
from hub.storage.tables.metadata import METADATA

FEEDS = Table(
    "feeds",
    METADATA,
    Column("feed_row", RowId, primary_key=True, autoincrement=False),
    Column("feed", String, nullable=False, unique=True),
    Column("collection_id", String(36), nullable=False, unique=True),
    Column("node_id", String(52), nullable=False, index=True),
    Column("audience", String, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("own", Boolean, nullable=False),
    Column("relay", String),  # policy.relay of seq 1
    Column("highest_tlp", Integer, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("last_hash", String(64), nullable=False),
    Column("last_ts", Instant),
    Column("state", String, nullable=False),  # open, closed, frozen
    Column("relay_stopped", Boolean, nullable=False),  # the origin took something back
    Column("head", LargeBinary),  # newest signed head of the origin that we hold
    Column("head_seq", BigInteger, nullable=False),
    Column("head_ts", Instant),
    Column("pending_seq", BigInteger, nullable=False, server_default="0"),  # waits behind a stub
    Column("acked_seq", BigInteger, nullable=False, server_default="0"),  # told to its origin
    Column("held_since", Instant),  # waits for what a wider feed of its origin brings
)

ENTRIES = Table(
    "entries",
    METADATA,
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),  # a peer may ask for any up to 2^53 - 1
    Column("hash", String(64), nullable=False),
    Column("kind", String, nullable=False),
    Column("tlp", Integer),
    Column("state", String, nullable=False),  # stored, rejected
    Column("code", String),
    Column("exercise", Boolean, nullable=False),
    Column("ts", Instant, nullable=False),
    Column("record", LargeBinary, nullable=False),  # the x-tocsin-entry object as it is served
    Column("sender", String(52)),  # None: ourselves
    Column("received_at", Instant, nullable=False),
    # What claims need of it; None before release 0.3, and then read from ``record``.
    Column("src", Json),
    Column("pap", Integer),
    Column("attribution", String),
    # Not unique: the hash of a stub is its sender's word (PROTOCOL 2.4).
    Index("ix_entries_hash", "hash"),
    Index(
        "ix_entries_rejected",
        "feed_row",
        "seq",
        sqlite_where=text("state = 'rejected'"),
        postgresql_where=text("state = 'rejected'"),
    ),
)
