"""The tables of guards and disputes (revision 0012)."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of guards and blocks, and of disputes."""
    _guards()
    _disputes()
    _outcomes()
    _sightings()


def _guards() -> None:
    op.create_table(
        "guard_names",
        sa.Column("list_name", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("grade", sa.String(), nullable=False),
        sa.Column("below", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("list_name", "name", name=op.f("pk_guard_names")),
    )
    op.create_index("ix_guard_names_name", "guard_names", ["name"])
    op.create_table(
        "guard_overrides",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("override_id", sa.String(length=64), nullable=False),
        sa.Column("dsse", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_guard_overrides")),
    )
    op.create_table(
        "protected_hits",
        sa.Column("origin", sa.String(length=52), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("list_name", sa.String(), nullable=False),
        sa.Column("hit_at", sa.BigInteger(), nullable=False),
        sa.Column("counted_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("origin", "name", name=op.f("pk_protected_hits")),
    )
    op.create_index("ix_protected_hits_hit_at", "protected_hits", ["origin", "hit_at"])
    op.create_table(
        "blocks",
        sa.Column("ceiling", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("in_force_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("ceiling", "name", name=op.f("pk_blocks")),
    )
    op.create_index("ix_blocks_in_force_at", "blocks", ["ceiling", "in_force_at"])
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


def _disputes() -> None:
    op.create_table(
        "disputes",
        sa.Column("object_row", _row_id(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("origin", sa.String(length=52), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("opinion", sa.String(), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object_row", "name", name=op.f("pk_disputes")),
    )
    op.create_index("ix_disputes_name", "disputes", ["name"])
    op.create_index(
        "ix_objects_opinions",
        "objects",
        ["object_row"],
        sqlite_where=sa.text("stix_type = 'opinion'"),
        postgresql_where=sa.text("stix_type = 'opinion'"),
    )
    op.create_table(
        "dispute_decisions",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_dispute_decisions")),
    )


def _outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("origin", sa.String(length=52), nullable=False),
        sa.Column("stix_id", sa.String(), nullable=False),
        sa.Column("stix_type", sa.String(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("counted_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("origin", "stix_id", name=op.f("pk_outcomes")),
    )
    op.create_table(
        "corrections",
        sa.Column("correction_id", _row_id(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("contact", sa.String()),
        sa.Column("reason", sa.Text()),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decided_at", sa.BigInteger()),
        sa.Column("decided_by", sa.String()),
        sa.Column("decision_reason", sa.Text()),
        sa.Column("stix_ids", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("correction_id", name=op.f("pk_corrections")),
    )
    op.create_index("ix_corrections_state", "corrections", ["state", "correction_id"])
    op.create_table(
        "signature_failures",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "failed_at", name=op.f("pk_signature_failures")),
    )


def _sightings() -> None:
    with op.batch_alter_table("peers") as peers:
        peers.add_column(sa.Column("sightings_since", sa.BigInteger()))
    op.create_table(
        "sightings",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "hour", "source", name=op.f("pk_sightings")),
    )
    op.create_index("ix_sightings_hour", "sightings", ["hour"])
    op.create_table(
        "sightings_told",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "name", name=op.f("pk_sightings_told")),
    )


def _row_id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
