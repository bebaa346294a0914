"""The tables of evidence (revision 0004)."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create what release 0.2 needs for evidence."""
    _create_evidence()
    _create_heads()
    op.create_table(
        "peer_contacts",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("last_request_at", sa.BigInteger(), nullable=True),
        sa.Column("last_answer_at", sa.BigInteger(), nullable=True),
        sa.Column("signed_offset", sa.Integer(), nullable=True),
        sa.Column("signed_offset_at", sa.BigInteger(), nullable=True),
        sa.Column("date_offset", sa.Integer(), nullable=True),
        sa.Column("date_offset_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_peer_contacts")),
    )
    op.create_table(
        "alarms",
        sa.Column("alarm_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("params", sa.LargeBinary(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("alarm_id", name=op.f("pk_alarms")),
    )
    op.create_index("ix_alarms_code_subject", "alarms", ["code", "subject"], unique=False)


def _create_evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("evidence_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("accused", sa.String(length=52), nullable=False),
        sa.Column("feed", sa.String(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("sender", sa.String(length=52), nullable=True),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("evidence_id", name=op.f("pk_evidence")),
        sa.UniqueConstraint("digest", name=op.f("uq_evidence_digest")),
    )
    op.create_index(op.f("ix_evidence_accused"), "evidence", ["accused"], unique=False)
    op.create_index(op.f("ix_evidence_feed"), "evidence", ["feed"], unique=False)
    op.create_table(
        "evidence_told",
        sa.Column("evidence_id", _ROW_ID, nullable=False),
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["evidence_id"],
            ["evidence.evidence_id"],
            name=op.f("fk_evidence_told_evidence_id"),
        ),
        sa.PrimaryKeyConstraint("evidence_id", "node_id", name=op.f("pk_evidence_told")),
    )
    op.create_table(
        "other_branch",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("dsse", sa.LargeBinary(), nullable=False),
        sa.Column("sender", sa.String(length=52), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_other_branch")),
    )
    op.create_index(op.f("ix_other_branch_feed"), "other_branch", ["feed"], unique=False)
    op.create_table(
        "freezes",
        sa.Column("freeze_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("state_before", sa.String(), nullable=False),
        sa.Column("frozen_at", sa.BigInteger(), nullable=False),
        sa.Column("thawed_at", sa.BigInteger(), nullable=True),
        sa.Column("thawed_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("freeze_id", name=op.f("pk_freezes")),
    )
    op.create_index(op.f("ix_freezes_feed"), "freezes", ["feed"], unique=False)


def _create_heads() -> None:
    op.create_table(
        "stated_heads",
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("dsse", sa.LargeBinary(), nullable=False),
        sa.Column("stated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feed", "node_id", name=op.f("pk_stated_heads")),
    )
    op.create_table(
        "told_heads",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "feed", name=op.f("pk_told_heads")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("told_heads")
    op.drop_table("stated_heads")
    op.drop_index("ix_alarms_code_subject", table_name="alarms")
    op.drop_table("alarms")
    op.drop_table("peer_contacts")
    op.drop_index(op.f("ix_freezes_feed"), table_name="freezes")
    op.drop_table("freezes")
    op.drop_index(op.f("ix_other_branch_feed"), table_name="other_branch")
    op.drop_table("other_branch")
    op.drop_table("evidence_told")
    op.drop_index(op.f("ix_evidence_feed"), table_name="evidence")
    op.drop_index(op.f("ix_evidence_accused"), table_name="evidence")
    op.drop_table("evidence")
