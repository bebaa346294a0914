"""The tables of keys (revision 0005)."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what release 0.2 needs for keys."""
    op.create_table(
        "overruled_documents",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("dsse", sa.LargeBinary(), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("settled_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_overruled_documents")),
    )
    op.create_index(
        op.f("ix_overruled_documents_node_id"), "overruled_documents", ["node_id"], unique=False
    )
    op.create_table(
        "told_documents",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_told_documents")),
    )
    op.create_table(
        "void_entries",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("sender", sa.String(length=52), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("voided_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_void_entries")),
    )
    op.create_index(op.f("ix_void_entries_feed"), "void_entries", ["feed"], unique=False)


def downgrade() -> None:
    """Drop it again."""
    op.drop_index(op.f("ix_void_entries_feed"), table_name="void_entries")
    op.drop_table("void_entries")
    op.drop_table("told_documents")
    op.drop_index(op.f("ix_overruled_documents_node_id"), table_name="overruled_documents")
    op.drop_table("overruled_documents")
