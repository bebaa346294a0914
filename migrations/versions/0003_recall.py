"""The tables of recall (revision 0003)."""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what release 0.2 needs for recall."""
