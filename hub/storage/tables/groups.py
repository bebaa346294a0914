"""Groups, their feeds and members, and where chains begin that do not begin at seq 1.

A group is ``(node_id, name)``: its feeds come and go, for whoever leaves closes one (PROTOCOL 2.4).
Members are those of this node's own groups alone; what others say of theirs is read from their
entries.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from hub.storage.dialects import Instant, RowId
from hub.storage.tables.metadata import METADATA

SHARING_GROUPS = Table(
    "sharing_groups",
    METADATA,
    Column("group_row", RowId, primary_key=True, autoincrement=False),
    Column("node_id", String(52), nullable=False),  # whose group it is
    Column("name", String, nullable=False),
    Column("roster", String, nullable=False),  # members, hidden
    Column("history", String, nullable=False),  # all, join
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("node_id", "name"),
)

GROUP_FEEDS = Table(
    "group_feeds",
    METADATA,
    Column("node_id", String(52), primary_key=True),
    Column("gid", String(28), primary_key=True),  # the audience, in every epoch
    Column("group_row", RowId, ForeignKey("sharing_groups.group_row"), nullable=False, index=True),
    Column("place", Integer, nullable=False),  # 1 for a group's first feed; the last one counts
)

GROUP_MEMBERS = Table(
    "group_members",
    METADATA,
    Column("gid", String(28), primary_key=True),
    Column("node_id", String(52), primary_key=True, index=True),
    # What the member reads begins after this entry; epoch 1, seq 0 is all of it.
    Column("since_epoch", Integer, nullable=False),
    Column("since_seq", BigInteger, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("removed_at", Instant),
)

FEED_ANCHORS = Table(
    "feed_anchors",
    METADATA,
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("head", LargeBinary, nullable=False),  # as its origin signed it
)
