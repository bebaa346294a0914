"""The tables of keys (revision 0005)."""

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what release 0.2 needs for keys."""
