"""The tables of hard networks (revision 0006)."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what release 0.2 needs for hard networks."""
    _add_own_signing()
    _add_pushes()


def _add_own_signing() -> None:
    op.create_table(
        "own_signing",
        sa.Column("only_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=True),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("suspected_at", sa.BigInteger(), nullable=True),
        sa.Column("checked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("only_row", name=op.f("pk_own_signing")),
    )
    op.create_table(
        "own_feed_checks",
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("told_by", sa.String(length=52), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed", name=op.f("pk_own_feed_checks")),
    )
    with op.batch_alter_table("peers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("own_heads_at", sa.BigInteger(), nullable=True))


def _add_pushes() -> None:
    with op.batch_alter_table("peers", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("push_on", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column("pushed_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "pushes",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("feed_row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("head_ts", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_row"], ["feeds.feed_row"], name=op.f("fk_pushes_feed_row_feeds")
        ),
        sa.PrimaryKeyConstraint("node_id", "feed_row", name=op.f("pk_pushes")),
    )
    op.create_table(
        "push_statuses",
        sa.Column("status_id", sa.String(length=36), nullable=False),
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("status_id", name=op.f("pk_push_statuses")),
    )
    with op.batch_alter_table("push_statuses", schema=None) as batch_op:
        batch_op.create_index(
            "ix_push_statuses_node_id_created_at", ["node_id", "created_at"], unique=False
        )
