"""Which of many STIX ids are there at all: a question whose answer is nearly always "none".

What comes in bulk is new. SQLAlchemy lays out every value of an ``IN`` list by itself, which takes
longer than the look-ups; so the ids are asked for as the driver takes them, and only for those
that are found the statement with all its columns is run.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.storage.transaction import Transaction

_FEW = 8
"""So many are not asked for twice."""

# The names are our tables' own; every value is bound.
_HELD = "SELECT DISTINCT stix_id FROM objects WHERE stix_id IN ({})"
_SHOWN = (
    "SELECT DISTINCT stix_id FROM objects WHERE stix_id IN ({})"
    " AND EXISTS (SELECT 1 FROM view_rows WHERE view_rows.object_row = objects.object_row)"
)


def held_among(tx: Transaction, stix_ids: Sequence[object]) -> list[object]:
    """List those of the ids of which a version is held; of a few, all of them."""
    return _ask(tx, _HELD, stix_ids)


def shown_among(tx: Transaction, stix_ids: Sequence[object]) -> list[object]:
    """List those of the ids of which a version stands in any view; of a few, all of them."""
    return _ask(tx, _SHOWN, stix_ids)


def _ask(tx: Transaction, statement: str, stix_ids: Sequence[object]) -> list[object]:
    if len(stix_ids) <= _FEW:
        return list(stix_ids)
    mark = "?" if tx.connection.dialect.paramstyle == "qmark" else "%s"
    marks = ", ".join([mark] * len(stix_ids))
    rows = tx.connection.exec_driver_sql(statement.format(marks), tuple(stix_ids))
    return [row[0] for row in rows]
