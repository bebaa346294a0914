"""The tables of hard networks (revision 0006)."""

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what release 0.2 needs for hard networks."""
