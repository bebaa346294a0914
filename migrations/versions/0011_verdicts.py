"""The tables of verdicts (revision 0011)."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create claims, the work on verdicts and the verdicts; note what entries say of lineage."""
    with op.batch_alter_table("entries") as entries:
        entries.add_column(sa.Column("src", sa.LargeBinary()))
        entries.add_column(sa.Column("pap", sa.Integer()))
        entries.add_column(sa.Column("attribution", sa.String()))
    _create_claims()
    _create_verdicts()


def _create_claims() -> None:
    op.create_table(
        "claims",
        sa.Column("object_row", _row_id(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("origin", sa.String(length=52), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("threat_type", sa.String()),
        sa.Column("match_scope", sa.String(), nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.BigInteger()),
        sa.Column("valid_until", sa.BigInteger()),
        sa.Column("src", sa.LargeBinary()),
        sa.Column("pap", sa.Integer()),
        sa.Column("feed_row", _row_id()),
        sa.Column("seq", sa.BigInteger()),
        sa.Column("several", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("object_row", name=op.f("pk_claims")),
    )
    op.create_index(op.f("ix_claims_name"), "claims", ["name"])
    op.create_table(
        "claims_to_read",
        sa.Column("object_row", _row_id(), autoincrement=False, nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object_row", name=op.f("pk_claims_to_read")),
    )
    op.create_table(
        "verdict_work",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("background", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", "label", name=op.f("pk_verdict_work")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_verdict_work_background", "verdict_work", ["background", "asked_at", "name", "label"]
    )


def _create_verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        sa.Column("shown_to", sa.Integer(), nullable=False),
        sa.Column("object_row", _row_id()),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("result", sa.Float(), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("lineages", sa.Integer(), nullable=False),
        sa.Column("trusted_lineages", sa.Integer(), nullable=False),
        sa.Column("dispute", sa.Float(), nullable=False),
        sa.Column("threat_type", sa.String()),
        sa.Column("threat_types", sa.LargeBinary(), nullable=False),
        sa.Column("match_scope", sa.String(), nullable=False),
        sa.Column("block", sa.Boolean(), nullable=False),
        sa.Column("block_codes", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger()),
        sa.Column("look_again_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("rules", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", "label", name=op.f("pk_verdicts")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_verdicts_look_again_at"), "verdicts", ["look_again_at"])
    op.create_index(
        "ix_verdicts_block",
        "verdicts",
        ["label", "shown_to"],
        sqlite_where=sa.text("block"),
        postgresql_where=sa.text("block"),
    )


def _row_id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
