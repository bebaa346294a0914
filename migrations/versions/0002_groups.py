"""The tables of groups (revision 0002)."""

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what release 0.2 needs for groups."""
