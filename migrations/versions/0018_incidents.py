"""The tables of hijack claims, their answers, and the shares of registrars (revision 0018)."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of incidents, and the index by which waiting ones are found."""
    _claims()
    _answers()
    _facts()
    op.create_index(
        "ix_objects_incidents",
        "objects",
        ["object_row"],
        sqlite_where=sa.text("stix_type IN ('identity', 'incident')"),
        postgresql_where=sa.text("stix_type IN ('identity', 'incident')"),
    )


def _claims() -> None:
    op.create_table(
        "hijack_claims",
        sa.Column("object_row", _row_id(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(length=52), nullable=False),
        sa.Column("stix_id", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("change_kinds", sa.LargeBinary(), nullable=False),
        sa.Column("old_ns", sa.LargeBinary(), nullable=False),
        sa.Column("new_ns", sa.LargeBinary(), nullable=False),
        sa.Column("old_ds", sa.LargeBinary(), nullable=False),
        sa.Column("new_ds", sa.LargeBinary(), nullable=False),
        sa.Column("registrar_id", sa.BigInteger()),
        sa.Column("registrar", sa.String()),
        sa.Column("vector", sa.String()),
        sa.Column("authorised", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.BigInteger()),
        sa.Column("detected_at", sa.BigInteger()),
        sa.Column("reverted_at", sa.BigInteger()),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object_row", name=op.f("pk_hijack_claims")),
    )
    op.create_index("ix_hijack_claims_zone", "hijack_claims", ["zone"])
    op.create_index("ix_hijack_claims_stix_id", "hijack_claims", ["stix_id"])
    op.create_table(
        "hijack_servers",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("object_row", _row_id(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("name", "object_row", name=op.f("pk_hijack_servers")),
        sqlite_with_rowid=False,
    )


def _answers() -> None:
    op.create_table(
        "hijack_answers",
        sa.Column("object_row", _row_id(), autoincrement=False, nullable=False),
        sa.Column("incident_id", sa.String(), nullable=False),
        sa.Column("incident_origin", sa.String(length=52)),
        sa.Column("incident_version", sa.String()),
        sa.Column("origin", sa.String(length=52), nullable=False),
        sa.Column("word", sa.String(), nullable=False),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object_row", name=op.f("pk_hijack_answers")),
    )
    op.create_index(op.f("ix_hijack_answers_incident_id"), "hijack_answers", ["incident_id"])
    op.create_table(
        "delegation_watches",
        sa.Column("origin", sa.String(length=52), nullable=False),
        sa.Column("stix_id", sa.String(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("matches", sa.Integer(), nullable=False),
        sa.Column("back_at", sa.BigInteger()),
        sa.Column("seen_ns", sa.LargeBinary(), nullable=False),
        sa.Column("code", sa.String()),
        sa.PrimaryKeyConstraint("origin", "stix_id", name=op.f("pk_delegation_watches")),
        sqlite_with_rowid=False,
    )


def _facts() -> None:
    op.create_table(
        "name_facts",
        sa.Column("object_row", _row_id(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("threat_type", sa.String()),
        sa.Column("registrar_id", sa.BigInteger()),
        sa.Column("registrar", sa.String()),
        sa.Column("registered_in", sa.BigInteger()),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object_row", name=op.f("pk_name_facts")),
    )
    op.create_index("ix_name_facts_registrar_id", "name_facts", ["registrar_id"])
    op.create_index("ix_name_facts_noted_at", "name_facts", ["noted_at"])
    op.create_table(
        "name_servers",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("object_row", _row_id(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("name", "server", "object_row", name=op.f("pk_name_servers")),
        sqlite_with_rowid=False,
    )


def _row_id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_objects_incidents", "objects")
    for table in (
        "name_servers", "name_facts", "delegation_watches", "hijack_answers", "hijack_servers",
        "hijack_claims",
    ):  # fmt: skip
        op.drop_table(table)
