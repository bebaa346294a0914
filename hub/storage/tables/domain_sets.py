"""Domain sets, the blobs that hold their names, and the sets that a person adopted (DNS 1).

Origin, label and state of a set are not kept here: they change, and ``objects`` has them.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    false,
)

from hub.storage.dialects import Instant, Json, RowId
from hub.storage.tables.metadata import METADATA

BLOBS = Table(
    "blobs",
    METADATA,
    # One list's bytes as they are served: the name is the digest of exactly these.
    Column("sha256", String(64), primary_key=True),
    Column("size", BigInteger),  # None: not known before the first answer
    Column("held", BigInteger, nullable=False, server_default="0"),  # bytes that parts hold
    Column("state", String, nullable=False),  # wanted held refused
    Column("code", String),  # why it is refused, or what the last attempt met
    Column("wanted_at", Instant, nullable=False),
    Column("held_at", Instant),
    Column("sender", String(52)),  # who gave the bytes that are held; "" when several did
    Column("wrong", Json),  # who gave bytes that are not it, and when
    Index("ix_blobs_state", "state", "wanted_at"),
    sqlite_with_rowid=False,
)

BLOB_PARTS = Table(
    "blob_parts",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("part", Integer, primary_key=True),  # from 0, each but the last of 256 KiB
    Column("content", LargeBinary, nullable=False),
)

BLOB_POSTS = Table(
    "blob_posts",
    METADATA,
    # Own blobs that a peer which cannot come for them was given, or holds already.
    Column("node_id", String(52), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("code", String),  # None: it has it; else why it did not take it
    sqlite_with_rowid=False,
)

BLOB_GIFTS = Table(
    "blob_gifts",
    METADATA,
    # For whose sets a blob was asked, and who gave it: to name a digest is not to have the bytes.
    Column("sha256", String(64), primary_key=True),
    Column("origin", String(52), primary_key=True),
    Column("at", Instant, nullable=False),  # when it was first asked for, or given unasked
    Column("giver", String(52)),  # None: nobody gave it yet
    Index("ix_blob_gifts_origin", "origin"),
    sqlite_with_rowid=False,
)

DOMAIN_SETS = Table(
    "domain_sets",
    METADATA,
    # One version of one origin's grouping. No foreign key: what is gone from ``objects`` is gone
    # from every join with it.
    Column("object_row", RowId, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("base_sha256", String(64)),  # the delta's three lists
    Column("added_sha256", String(64)),
    Column("removed_sha256", String(64)),
    Column("threat_type", String),
    Column("family", String),
    Column("variant", String),
    Column("tld", String),
    Column("domain_count", Integer, nullable=False),
    Column("dated", Boolean, nullable=False, server_default=false()),  # its lines carry days
    Column("valid_from", Instant),
    Column("valid_until", Instant),
    Column("match_scope", String, nullable=False),
    Column("state", String, nullable=False),  # waits held expanding expanded refused
    Column("done", Integer, nullable=False, server_default="0"),  # lines that became claims
    Column("code", String),
    Index("ix_domain_sets_state", "state", "object_row"),
    # A peer asks for any of the three by its name alone.
    Index("ix_domain_sets_added_sha256", "added_sha256"),
    Index("ix_domain_sets_removed_sha256", "removed_sha256"),
)

ADOPTED_SETS = Table(
    "adopted_sets",
    METADATA,
    # By the list itself: whoever adopted read these names, not those of a later version.
    Column("sha256", String(64), primary_key=True),
    Column("reason", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("adopted_at", Instant, nullable=False),
    Column("ended_at", Instant),
    sqlite_with_rowid=False,
)
