"""The tables of how far logs were followed (revision 0019)."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of followed logs and of who asked."""
    op.create_table(
        "followed_logs",
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("file_id", sa.String(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("in_line", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_followed_logs")),
    )
    op.create_table(
        "sighting_clients",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("client", sa.String(length=45), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "hour", "client", name=op.f("pk_sighting_clients")),
    )
    op.create_index("ix_sighting_clients_hour", "sighting_clients", ["hour"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("sighting_clients")
    op.drop_table("followed_logs")
