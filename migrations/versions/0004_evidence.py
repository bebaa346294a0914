"""The tables of evidence (revision 0004)."""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what release 0.2 needs for evidence."""
