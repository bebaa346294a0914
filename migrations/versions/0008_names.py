"""The tables of names that DNSSEC proves (revision 0008)."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what release 0.2 needs for the names of peers."""
    op.create_table(
        "peer_names",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("standing", sa.String(), nullable=False),
        sa.Column("named", sa.LargeBinary(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "domain", name=op.f("pk_peer_names")),
    )
