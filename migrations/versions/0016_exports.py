"""The tables of what is exported where (revision 0016)."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_KEPT = "format, audience, reader, names, digest, exported_at"


def upgrade() -> None:
    """Create renderings, their marks and the targets; the last good exports stay the measure."""
    op.create_table(
        "renderings",
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("names", sa.BigInteger(), nullable=False),
        sa.Column("left_out", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("exported_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("asked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint(
            "format", "audience", "reader", "variant", name=op.f("pk_renderings")
        ),
    )
    op.create_table(
        "export_marks",
        sa.Column("mark_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("rest_until", sa.BigInteger()),
        sa.PrimaryKeyConstraint("mark_id", name=op.f("pk_export_marks")),
    )
    op.execute("INSERT INTO export_marks (mark_id, number) VALUES (1, 0)")
    _create_targets()
    op.create_table(
        "asked_actions",
        sa.Column(
            "object_row",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("action", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("object_row", name=op.f("pk_asked_actions")),
    )
    op.create_index(op.f("ix_asked_actions_action"), "asked_actions", ["action"])
    op.execute(
        f"INSERT INTO renderings ({_KEPT}, variant, left_out, serial, changed_at, state)"  # noqa: S608
        f" SELECT {_KEPT}, '', 0, 0, exported_at, '' FROM exports"
    )
    op.drop_table("exports")


def _create_targets() -> None:
    op.create_table(
        "export_targets",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("min_confidence", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("knot_socket", sa.String()),
        sa.Column("knot_zone", sa.String()),
        sa.Column("probe", sa.String()),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("written_digest", sa.String(length=64)),
        sa.Column("written_at", sa.BigInteger()),
        sa.Column("serial", sa.BigInteger()),
        sa.Column("probe_until", sa.BigInteger()),
        sa.Column("error", sa.String()),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_export_targets")),
    )


def downgrade() -> None:
    """Keep the measure of the exports that there were before."""
    op.create_table(
        "exports",
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("names", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("exported_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("format", "audience", "reader", name=op.f("pk_exports")),
    )
    op.execute(
        f"INSERT INTO exports ({_KEPT}) SELECT {_KEPT} FROM renderings WHERE variant = ''"  # noqa: S608
    )
    for table in ("asked_actions", "export_targets", "export_marks", "renderings"):
        op.drop_table(table)
