"""The tables of how far alarms were sent to syslog (revision 0020)."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ROW = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables; there is nothing yet to be told."""
    op.create_table(
        "alarm_outlets",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_alarm_outlets")),
    )
    op.create_table(
        "alarms_told",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("alarm_id", _ROW, autoincrement=False, nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["address"],
            ["alarm_outlets.address"],
            name=op.f("fk_alarms_told_address_alarm_outlets"),
        ),
        sa.ForeignKeyConstraint(
            ["alarm_id"], ["alarms.alarm_id"], name=op.f("fk_alarms_told_alarm_id_alarms")
        ),
        sa.PrimaryKeyConstraint("address", "alarm_id", name=op.f("pk_alarms_told")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("alarms_told")
    op.drop_table("alarm_outlets")
