"""Which names' verdicts have to be made anew: a queue by what happened at which label.

Invariants:
* a mark bears the label of what happened, so that what a lower view does not show moves nothing
  in it, neither its place in the order nor its date (PROTOCOL 3.5);
* the order is when it was asked for, then the name: hidden marks stand between the others and
  change the order of none;
* what changes many names at once waits behind what is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from hub.storage.dialects import Instant, to_micros
from hub.storage.queries.claims import WATERMARK
from hub.storage.queries.objects import in_chunks
from hub.storage.queries.set_claims import IS_DROPPING, IS_WORK
from hub.storage.tables.objects import COUNTERS, OBJECTS, VIEW_ROWS, VIEWS
from hub.storage.tables.verdicts import CLAIMS, CLAIMS_TO_READ, VERDICT_WORK, VERDICTS
from hub.storage.transaction import Transaction

Mark = tuple[str, int, int, bool]
"""Name, label, asked at in microseconds, whether it may wait behind what is new."""

_PUT: Final = (
    "INSERT INTO verdict_work (name, label, asked_at, background) {values}"
    " ON CONFLICT (name, label) DO UPDATE SET"
    " asked_at = CASE WHEN excluded.asked_at < verdict_work.asked_at"
    " THEN excluded.asked_at ELSE verdict_work.asked_at END,"
    " background = excluded.background AND verdict_work.background"
)


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A name to look at, for the views from a label upwards."""

    name: str
    label: int


@dataclass(frozen=True, slots=True)
class WorkState:
    """How far the verdicts are.

    Args:
        read: up to which object row claims were read.
        newest: the number of the newest object.
        reads_again: whether claims are to be read once more.
        due_at: when the next name is due, now or later; None when none is.
        has_sets: whether names of sets are to become claims, or to be marked.
        is_dropping: whether claims of sets are left that nothing goes by.
    """

    read: int
    newest: int
    reads_again: bool
    due_at: datetime | None
    has_sets: bool = False
    is_dropping: bool = False

    @property
    def is_unread(self) -> bool:
        """Whether there are objects to look at for claims."""
        return self.newest > self.read or self.reads_again

    def is_due(self, now: datetime) -> bool:
        """Tell whether a name is due."""
        return self.due_at is not None and self.due_at <= now


def _first(column: sa.Column[Any], *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    # Ordered and cut off, so that it is the first place of an index on every database.
    return sa.select(column).where(*where).order_by(column).limit(1).scalar_subquery()


_AT, _AGED = VERDICT_WORK.c.asked_at, VERDICTS.c.look_again_at
# One statement, for every refresh asks it twice. Built once.
_STATE: Final = sa.select(
    sa.select(COUNTERS.c.value).where(COUNTERS.c.name == WATERMARK).scalar_subquery(),
    sa.select(sa.func.max(OBJECTS.c.object_row)).scalar_subquery(),
    sa.exists(sa.select(CLAIMS_TO_READ.c.object_row)),
    IS_WORK,
    IS_DROPPING,
    _first(_AT, VERDICT_WORK.c.background.is_(False)),  # each apart: else the index is of no use
    _first(_AT, VERDICT_WORK.c.background.is_(True)),
    _first(_AGED, _AGED.is_not(None)),
)


def state_of_work(tx: Transaction) -> WorkState:
    """Tell how far claims were read and when the next verdict is due."""
    read, newest, again, sets, drops, *due = tx.connection.execute(_STATE).one()
    due_at = min((at for at in due if at is not None), default=None)
    return WorkState(int(read or 0), int(newest or 0), bool(again), due_at, bool(sets), bool(drops))


def put_marks(tx: Transaction, marks: Sequence[Mark]) -> None:
    """Ask for names; of two marks of one name and label the earlier time counts."""
    if not marks:
        return
    mark = "?" if tx.connection.dialect.paramstyle == "qmark" else "%s"
    values = f"VALUES ({mark}, {mark}, {mark}, {mark})"
    tx.connection.exec_driver_sql(_PUT.format(values=values), list(marks))


def put_marks_of_origin(tx: Transaction, origin: str, at: datetime, least: int = 0) -> int:
    """Ask in the background for every name that an origin's accepted claims are on.

    Each is marked with the label of that claim, not with that of the change of trust, which would
    date the verdicts of names on which it says something in secret; and with no lower one than
    that at which the change shows, if it has one.
    """
    chosen = (
        sa.select(
            CLAIMS.c.name,
            sa.func.coalesce(OBJECTS.c.released_tlp, OBJECTS.c.tlp).label("label"),
        )
        .join(OBJECTS, OBJECTS.c.object_row == CLAIMS.c.object_row)
        .where(
            OBJECTS.c.state == "accepted",
            OBJECTS.c.origin == origin,
            OBJECTS.c.stix_type == "indicator",  # the names of sets are asked for by the set
        )
        .distinct()
    )
    micros = to_micros(at)
    rows = tx.connection.execute(chosen)
    marks = sorted({(row.name, max(row.label, least), micros, True) for row in rows})
    put_marks(tx, marks)
    return len(marks)


def names_of_origin(tx: Transaction, origin: str) -> list[str]:
    """List the names that an origin's accepted claims are on."""
    rows = tx.connection.execute(
        sa.select(CLAIMS.c.name)
        .join(OBJECTS, OBJECTS.c.object_row == CLAIMS.c.object_row)
        .where(OBJECTS.c.state == "accepted", OBJECTS.c.origin == origin)
        .distinct()
    )
    return list(rows.scalars())


def _due_in(turn: int, table: sa.Table, at: sa.Column[Any], *where: sa.ColumnElement[bool]) -> Any:
    name, label = table.c.name, table.c.label
    chosen = (
        sa.select(sa.literal(turn).label("turn"), at.label("at"), name, label)
        .where(at <= sa.bindparam("now", type_=Instant), *where)
        .order_by(at, name, label)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .subquery()
    )
    return sa.select(chosen)


_ALL_DUE: Final = sa.union_all(
    _due_in(0, VERDICT_WORK, _AT, VERDICT_WORK.c.background.is_(False)),
    _due_in(1, VERDICT_WORK, _AT, VERDICT_WORK.c.background.is_(True)),
    _due_in(2, VERDICTS, _AGED),
).subquery()
_DUE: Final = (
    sa.select(_ALL_DUE.c.name, _ALL_DUE.c.label, _ALL_DUE.c.turn)
    .order_by(_ALL_DUE.c.turn, _ALL_DUE.c.at, _ALL_DUE.c.name, _ALL_DUE.c.label)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_BY_TIME: Final = 2
_TAKE: Final = "DELETE FROM verdict_work WHERE name = ? AND label = ?"
_TAKE_ALL: Final = (
    "DELETE FROM verdict_work w USING unnest(%s::text[], %s::int[]) AS taken(name, label)"
    " WHERE w.name = taken.name AND w.label = taken.label"
)
"""One statement where each is a message to the server."""


def take_due(tx: Transaction, now: datetime, limit: int) -> list[WorkItem]:
    """Take what is due: out of the queue in its order, and behind it what time alone has changed.

    That is, verdicts to be issued again, or to be looked at again.
    """
    rows = tx.connection.execute(_DUE, {"now": now, "most": limit}).all()
    taken = [(name, label) for name, label, turn in rows if turn != _BY_TIME]
    if taken and tx.connection.dialect.name == "postgresql":
        names, labels = zip(*taken, strict=True)
        tx.connection.exec_driver_sql(_TAKE_ALL, (list(names), list(labels)))
    elif taken:
        tx.connection.exec_driver_sql(_TAKE, taken)
    return [WorkItem(name, label) for name, label, _ in rows]


def count_due(tx: Transaction, now: datetime) -> int:
    """Count what is due: marks, and verdicts whose time has come."""
    number = 0
    for table, at in (
        (VERDICT_WORK, VERDICT_WORK.c.asked_at),
        (VERDICTS, VERDICTS.c.look_again_at),
    ):
        counted = sa.select(sa.func.count()).select_from(table).where(at <= now)
        number += int(tx.connection.execute(counted).scalar_one())
    return number


def lowest_ceilings(
    tx: Transaction, collection_id: str, object_rows: Iterable[int]
) -> dict[int, int]:
    """Tell from which label on each object stands in the views of a collection now."""
    found: dict[int, int] = {}
    for chunk in in_chunks(object_rows):
        rows = tx.connection.execute(
            sa.select(VIEW_ROWS.c.object_row, sa.func.min(VIEWS.c.ceiling).label("ceiling"))
            .join(VIEWS, VIEWS.c.view_id == VIEW_ROWS.c.view_id + 0)
            .where(
                VIEW_ROWS.c.object_row.in_(chunk),
                VIEWS.c.collection_id == collection_id,
                VIEWS.c.organisation_id == "",
            )
            .group_by(VIEW_ROWS.c.object_row)
        )
        found |= {row.object_row: row.ceiling for row in rows}
    return found
