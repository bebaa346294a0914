"""The tables of groups (revision 0002)."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create what release 0.2 needs for groups."""
    op.create_table(
        "sharing_groups",
        sa.Column("group_row", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("roster", sa.String(), nullable=False),
        sa.Column("history", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("group_row", name=op.f("pk_sharing_groups")),
        sa.UniqueConstraint("node_id", "name", name=op.f("uq_sharing_groups_node_id_name")),
    )
    op.create_table(
        "group_feeds",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("gid", sa.String(length=28), nullable=False),
        sa.Column("group_row", ROW_ID, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_row"], ["sharing_groups.group_row"], name=op.f("fk_group_feeds_group_row")
        ),
        sa.PrimaryKeyConstraint("node_id", "gid", name=op.f("pk_group_feeds")),
    )
    op.create_index(op.f("ix_group_feeds_group_row"), "group_feeds", ["group_row"])
    op.create_table(
        "group_members",
        sa.Column("gid", sa.String(length=28), nullable=False),
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("since_epoch", sa.Integer(), nullable=False),
        sa.Column("since_seq", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("gid", "node_id", name=op.f("pk_group_members")),
    )
    op.create_index(op.f("ix_group_members_node_id"), "group_members", ["node_id"])
    op.create_table(
        "feed_anchors",
        sa.Column("feed_row", ROW_ID, autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_row"], ["feeds.feed_row"], name=op.f("fk_feed_anchors_feed_row")
        ),
        sa.PrimaryKeyConstraint("feed_row", name=op.f("pk_feed_anchors")),
    )
