"""The tables of imports and what each brought (revision 0017)."""

import sqlalchemy as sa
from alembic import op

from hub.storage.dialects import Instant, Json

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ROW = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create imports, what they stand for, and the servers that are asked on schedule."""
    op.create_table(
        "imports",
        sa.Column("import_id", _ROW, autoincrement=False, nullable=False),
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("tlp", sa.Integer(), nullable=False),
        sa.Column("audience", Json(), nullable=False),
        sa.Column("counts", Json(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("begun_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_feed", "imports", ["feed"])
    op.create_table(
        "import_objects",
        sa.Column("import_id", _ROW, nullable=False),
        sa.Column("stix_id", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.import_id"], name=op.f("fk_import_objects_import_id_imports")
        ),
        sa.PrimaryKeyConstraint("import_id", "stix_id", name=op.f("pk_import_objects")),
    )
    op.create_index("ix_import_objects_place", "import_objects", ["import_id", "place"])
    op.create_index("ix_import_objects_stix_id", "import_objects", ["stix_id"])
    op.create_index("ix_import_objects_subject", "import_objects", ["subject"])
    op.create_table(
        "import_servers",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("collection", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=True),
        sa.Column("private_network", sa.Boolean(), nullable=False),
        sa.Column("every_minutes", sa.Integer(), nullable=False),
        sa.Column("tlp", sa.Integer(), nullable=True),
        sa.Column("audience", Json(), nullable=False),
        sa.Column("added_at", Instant(), nullable=False),
        sa.Column("position_at", Instant(), nullable=True),
        sa.Column("last_run_at", Instant(), nullable=True),
        sa.Column("last_good_at", Instant(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_import_servers")),
    )


def downgrade() -> None:
    """Drop what was created."""
    op.drop_table("import_servers")
    op.drop_index("ix_import_objects_subject", "import_objects")
    op.drop_index("ix_import_objects_stix_id", "import_objects")
    op.drop_index("ix_import_objects_place", "import_objects")
    op.drop_table("import_objects")
    op.drop_index("ix_imports_feed", "imports")
    op.drop_table("imports")
