"""The tables of domain sets and the blobs that hold their names (revision 0015)."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create blobs and their parts, domain sets, and the sets that a person adopted."""
    _create_blobs()
    op.create_table(
        "domain_sets",
        sa.Column("object_row", _row_id(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("base_sha256", sa.String(length=64)),
        sa.Column("added_sha256", sa.String(length=64)),
        sa.Column("removed_sha256", sa.String(length=64)),
        sa.Column("threat_type", sa.String()),
        sa.Column("family", sa.String()),
        sa.Column("variant", sa.String()),
        sa.Column("tld", sa.String()),
        sa.Column("domain_count", sa.Integer(), nullable=False),
        sa.Column("dated", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("valid_from", sa.BigInteger()),
        sa.Column("valid_until", sa.BigInteger()),
        sa.Column("match_scope", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("code", sa.String()),
        sa.PrimaryKeyConstraint("object_row", name=op.f("pk_domain_sets")),
    )
    op.create_index(op.f("ix_domain_sets_sha256"), "domain_sets", ["sha256"])
    op.create_index("ix_domain_sets_state", "domain_sets", ["state", "object_row"])
    op.create_index("ix_domain_sets_added_sha256", "domain_sets", ["added_sha256"])
    op.create_index("ix_domain_sets_removed_sha256", "domain_sets", ["removed_sha256"])
    op.create_table(
        "adopted_sets",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("adopted_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_adopted_sets")),
        sqlite_with_rowid=False,
    )


def _create_blobs() -> None:
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger()),
        sa.Column("held", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("code", sa.String()),
        sa.Column("wanted_at", sa.BigInteger(), nullable=False),
        sa.Column("held_at", sa.BigInteger()),
        sa.Column("sender", sa.String(length=52)),
        sa.Column("wrong", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blobs")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_blobs_state", "blobs", ["state", "wanted_at"])
    op.create_table(
        "blob_parts",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "part", name=op.f("pk_blob_parts")),
    )
    op.create_table(
        "blob_posts",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String()),
        sa.PrimaryKeyConstraint("node_id", "sha256", name=op.f("pk_blob_posts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "blob_gifts",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=52), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("giver", sa.String(length=52)),
        sa.PrimaryKeyConstraint("sha256", "origin", name=op.f("pk_blob_gifts")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_blob_gifts_origin", "blob_gifts", ["origin"])


def downgrade() -> None:
    """Drop them."""
    for name in (
        "adopted_sets", "domain_sets", "blob_gifts", "blob_posts", "blob_parts", "blobs",
    ):  # fmt: skip
        op.drop_table(name)


def _row_id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
