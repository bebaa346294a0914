"""The tables of the chained audit, and the chain of what was noted before (revision 0013)."""

import os

import sqlalchemy as sa
from alembic import op

from hub.storage.audit_links import FIRST, SALT_SIZE, digest_event, link_of
from hub.storage.dialects import Instant, Json

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ROW = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the chain, and hang on it every event that there is."""
    with op.batch_alter_table("audit_events") as batch_op:
        batch_op.add_column(sa.Column("salt", sa.LargeBinary(length=16)))
    op.create_table(
        "audit_chain",
        sa.Column("seq", _ROW, autoincrement=False, nullable=False),
        sa.Column("event_row", _ROW, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("facts", sa.LargeBinary(length=32), nullable=False),
        sa.Column("personal", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_row"],
            ["audit_events.event_row"],
            name=op.f("fk_audit_chain_event_row_audit_events"),
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_chain")),
        sa.UniqueConstraint("event_row", name=op.f("uq_audit_chain_event_row")),
    )
    _hang_on()


def _hang_on() -> None:
    columns = ("event_row", "at", "actor", "code", "params", "salt")
    types = {"at": Instant(), "params": Json()}
    events = sa.table("audit_events", *(sa.column(n, types.get(n)) for n in columns))
    links = ("seq", "event_row", "at", "code", "facts", "personal", "hash")
    chain = sa.table("audit_chain", *(sa.column(n, types.get(n)) for n in links))
    previous = FIRST
    found = op.get_bind().execute(sa.select(events).order_by(events.c.event_row)).all()
    for seq, event in enumerate(found, start=1):
        salt = os.urandom(SALT_SIZE)
        digests = digest_event(event.actor, event.params, salt)
        previous = link_of(seq, previous, event.at, event.code, digests)
        op.get_bind().execute(
            sa.update(events).where(events.c.event_row == event.event_row).values(salt=salt)
        )
        op.get_bind().execute(
            sa.insert(chain).values(
                seq=seq, event_row=event.event_row, at=event.at, code=event.code,
                facts=digests.facts, personal=digests.personal, hash=previous,
            )
        )  # fmt: skip
