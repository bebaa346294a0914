"""The tables of vouching and of urgency (revision 0007)."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what release 0.2 needs for vouching, and for the order on poor lines."""
    op.create_table(
        "vouches",
        sa.Column("voucher", sa.String(length=52), nullable=False),
        sa.Column("subject", sa.String(length=52), nullable=False),
        sa.Column("document_hash", sa.String(length=64), nullable=False),
        sa.Column("max_preset", sa.Integer(), nullable=False),
        sa.Column("scopes", sa.LargeBinary(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("feed_row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("dsse", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["feed_row"], ["feeds.feed_row"], name=op.f("fk_vouches_feed_row")),
        sa.PrimaryKeyConstraint("voucher", "subject", name=op.f("pk_vouches")),
    )
    with op.batch_alter_table("vouches", schema=None) as batch_op:
        batch_op.create_index("ix_vouches_subject", ["subject"], unique=False)
    op.create_table(
        "introductions",
        sa.Column("subject", sa.String(length=52), nullable=False),
        sa.Column("voucher", sa.String(length=52), nullable=False),
        sa.Column("introduced_at", sa.BigInteger(), nullable=False),
        sa.Column("charged_at", sa.BigInteger(), nullable=True),
        sa.Column("cause", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("subject", "voucher", name=op.f("pk_introductions")),
    )
    op.create_table(
        "feed_urgencies",
        sa.Column("feed_row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("urgency", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_row"], ["feeds.feed_row"], name=op.f("fk_feed_urgencies_feed_row")
        ),
        sa.PrimaryKeyConstraint("feed_row", "urgency", name=op.f("pk_feed_urgencies")),
    )
    with op.batch_alter_table("peers", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("introduced", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column("page_limit", sa.Integer(), nullable=True))
