"""The tables of recall (revision 0003)."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create what release 0.2 needs for recall."""
    _widen_feeds_and_entries()
    _add_pending_entries()
    _add_receipts()
    _add_erasures_and_releases()


def _widen_feeds_and_entries() -> None:
    with op.batch_alter_table("feeds", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("pending_seq", sa.BigInteger(), nullable=False, server_default="0")
        )
        batch_op.add_column(
            sa.Column("acked_seq", sa.BigInteger(), nullable=False, server_default="0")
        )
        batch_op.add_column(sa.Column("held_since", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("objects", schema=None) as batch_op:
        batch_op.add_column(sa.Column("released_tlp", sa.Integer(), nullable=True))
    # A stub's hash is its sender's word: it must not keep out the entry that truly has it.
    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_entries_hash"), type_="unique")
    op.create_index(op.f("ix_entries_hash"), "entries", ["hash"], unique=False)
    op.create_index(
        "ix_entries_rejected",
        "entries",
        ["feed_row", "seq"],
        unique=False,
        sqlite_where=sa.text("state = 'rejected'"),
        postgresql_where=sa.text("state = 'rejected'"),
    )


def _add_pending_entries() -> None:
    op.create_table(
        "pending_entries",
        sa.Column("feed_row", ROW_ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=True),
        sa.Column("relay", sa.String(), nullable=True),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("stub", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.String(), nullable=True),
        sa.Column("linked", sa.Boolean(), nullable=False),
        sa.Column("justified", sa.Boolean(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("sender", sa.String(length=52), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_row"], ["feeds.feed_row"], name=op.f("fk_pending_entries_feed_row")
        ),
        sa.PrimaryKeyConstraint("feed_row", "seq", name=op.f("pk_pending_entries")),
    )
    op.create_index(
        "ix_pending_entries_feed_row_stub", "pending_entries", ["feed_row", "stub"], unique=False
    )


def _add_receipts() -> None:
    op.create_table(
        "positions",
        sa.Column("feed_row", ROW_ID, nullable=False),
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_row"], ["feeds.feed_row"], name=op.f("fk_positions_feed_row")
        ),
        sa.PrimaryKeyConstraint("feed_row", "node_id", name=op.f("pk_positions")),
    )
    op.create_table(
        "acks",
        sa.Column("feed_row", ROW_ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("did", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("readers", sa.Integer(), nullable=True),
        sa.Column("confirmed", sa.Integer(), nullable=True),
        sa.Column("dsse", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["feed_row"], ["feeds.feed_row"], name=op.f("fk_acks_feed_row")),
        sa.PrimaryKeyConstraint("feed_row", "seq", "node_id", name=op.f("pk_acks")),
    )
    op.create_table(
        "acks_due",
        sa.Column("recipient", sa.String(length=52), nullable=False),
        sa.Column("feed_row", ROW_ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("did", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_row"], ["feeds.feed_row"], name=op.f("fk_acks_due_feed_row")
        ),
        sa.PrimaryKeyConstraint("recipient", "feed_row", "seq", name=op.f("pk_acks_due")),
    )
    op.create_table(
        "recalls",
        sa.Column("feed_row", ROW_ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("stix_id", sa.String(), nullable=False),
        sa.Column("did", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_row"], ["feeds.feed_row"], name=op.f("fk_recalls_feed_row")),
        sa.PrimaryKeyConstraint("feed_row", "seq", "stix_id", name=op.f("pk_recalls")),
    )
    op.create_index(op.f("ix_recalls_stix_id"), "recalls", ["stix_id"], unique=False)


def _add_erasures_and_releases() -> None:
    op.create_table(
        "erasures",
        sa.Column("feed_row", ROW_ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column("erased_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_row"], ["feeds.feed_row"], name=op.f("fk_erasures_feed_row")
        ),
        sa.PrimaryKeyConstraint("feed_row", "seq", name=op.f("pk_erasures")),
    )
    op.create_table(
        "releases",
        sa.Column("feed_row", ROW_ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("from_tlp", sa.Integer(), nullable=False),
        sa.Column("to_tlp", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["feed_row"], ["feeds.feed_row"], name=op.f("fk_releases_feed_row")
        ),
        sa.PrimaryKeyConstraint("feed_row", "seq", name=op.f("pk_releases")),
    )
    op.create_index(op.f("ix_releases_at"), "releases", ["at"], unique=False)
