"""The tables of vouching (revision 0007)."""

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create what release 0.2 needs for vouching."""
