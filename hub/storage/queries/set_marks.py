"""Domain sets whose names have to be marked for judging, and how far each is marked.

A set has more names than fit into one write, so that it is asked for as a whole, and its names are
taken by stretches, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.dialects import to_micros
from hub.storage.tables.verdicts import CLAIMS, SET_MARKS
from hub.storage.transaction import Transaction


def ask_to_mark(tx: Transaction, marks: Iterable[tuple[int, int]], at: datetime) -> None:
    """Ask for all names of sets, each from a label on; what was asked before is asked with it.

    Args:
        marks: object rows with labels.
    """
    statement = (
        "INSERT INTO set_marks (object_row, label, asked_at, after) VALUES (?, ?, ?, '')"
        " ON CONFLICT (object_row) DO UPDATE SET after = '',"
        " label = CASE WHEN excluded.label < set_marks.label"
        " THEN excluded.label ELSE set_marks.label END,"
        " asked_at = CASE WHEN excluded.asked_at < set_marks.asked_at"
        " THEN excluded.asked_at ELSE set_marks.asked_at END"
    )
    micros = to_micros(at)
    rows = [(object_row, label, micros) for object_row, label in sorted(set(marks))]
    if rows:
        tx.connection.exec_driver_sql(_driver(tx, statement), rows)


@dataclass(frozen=True, slots=True)
class NamesToMark:
    """The next names of a set that have to be marked.

    Args:
        names: keys of subjects; none when all are.
        at: in microseconds.
    """

    object_row: int
    label: int
    at: int
    names: Sequence[str]


def next_names_to_mark(tx: Transaction, limit: int) -> NamesToMark | None:
    """Find the next names of a set that have to be marked; None when no set has any."""
    asked = tx.connection.execute(
        sa.select(
            SET_MARKS.c.object_row,
            SET_MARKS.c.label,
            sa.type_coerce(SET_MARKS.c.asked_at, sa.BigInteger).label("at"),
            SET_MARKS.c.after,
        )
        .order_by(SET_MARKS.c.asked_at, SET_MARKS.c.object_row)
        .limit(1)
    ).one_or_none()
    if asked is None:
        return None
    names = tx.connection.execute(
        sa.select(CLAIMS.c.name)
        .distinct()
        .where(CLAIMS.c.object_row == asked.object_row, CLAIMS.c.name > asked.after)
        .order_by(CLAIMS.c.name)
        .limit(limit)
    ).scalars()
    return NamesToMark(asked.object_row, asked.label, asked.at, list(names))


def move_marking(tx: Transaction, object_row: int, after: str | None) -> None:
    """Note up to which name a set is marked; None when it is to the last."""
    asked = SET_MARKS.c.object_row == object_row
    if after is None:
        tx.connection.execute(SET_MARKS.delete().where(asked))
    else:
        tx.connection.execute(SET_MARKS.update().where(asked).values(after=after))


def _driver(tx: Transaction, statement: str) -> str:
    return (
        statement if tx.connection.dialect.paramstyle == "qmark" else statement.replace("?", "%s")
    )
