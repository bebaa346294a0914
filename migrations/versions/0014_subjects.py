"""The tables of claims by what they are about, and those of domain sets (revision 0014)."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ROW = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Let one object claim several subjects, and have its names marked in bounded steps."""
    with op.batch_alter_table(
        "claims", recreate="auto", table_kwargs={"sqlite_with_rowid": False}
    ) as claims:
        claims.add_column(sa.Column("part", sa.SmallInteger(), nullable=False, server_default="0"))
        claims.drop_constraint("pk_claims", type_="primary")
        claims.create_primary_key("pk_claims", ["object_row", "name", "part"])
    op.create_table(
        "set_marks",
        sa.Column("object_row", _ROW, autoincrement=False, nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("after", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("object_row", name=op.f("pk_set_marks")),
    )
    _read_other_subjects_again()


def _read_other_subjects_again() -> None:
    """Have claims read once more that say what they match on: until now all were on names."""
    found = (
        "instr(o.content, CAST('match_on' AS BLOB)) > 0"
        if op.get_bind().dialect.name == "sqlite"
        else "position('match_on'::bytea in o.content) > 0"
    )
    op.execute(
        "INSERT INTO claims_to_read (object_row, asked_at)"  # noqa: S608 - our own text
        " SELECT DISTINCT c.object_row, o.received_at FROM claims c"
        f" JOIN objects o ON o.object_row = c.object_row WHERE {found}"
        " AND NOT EXISTS (SELECT 1 FROM claims_to_read r WHERE r.object_row = c.object_row)"
    )
