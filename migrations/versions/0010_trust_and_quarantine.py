"""The tables of trust and quarantine (revision 0010)."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let peers have a dial of allowed types, and say since when one is suspended."""
    with op.batch_alter_table("peers") as peers:
        peers.add_column(sa.Column("types", sa.LargeBinary()))
        peers.add_column(sa.Column("suspended_at", sa.BigInteger()))
        peers.add_column(sa.Column("suspended_row", sa.BigInteger()))
