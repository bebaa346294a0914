"""Views: which object is where, since when, and the pages that readers get of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import repeat
from typing import Final

import sqlalchemy as sa

from hub.storage.dialects import to_micros
from hub.storage.queries.counters import claim_numbers
from hub.storage.queries.known_ids import shown_among
from hub.storage.queries.objects import in_chunks
from hub.storage.queries.row_inserts import insert_rows
from hub.storage.tables.objects import OBJECTS, VIEW_ROWS, VIEWS
from hub.storage.transaction import Transaction
from hub.storage.view_dates import LEAD, next_dates

# Built once: every request of a reader asks it, and building it takes longer than answering it.
_FIND_VIEW = sa.select(VIEWS).where(
    VIEWS.c.collection_id == sa.bindparam("collection"),
    VIEWS.c.ceiling == sa.bindparam("up_to"),
    VIEWS.c.organisation_id == sa.bindparam("organisation"),
)
_MOVE_CLOCK = (
    VIEWS.update()
    .where(VIEWS.c.view_id == sa.bindparam("of"))
    .values(last_added=sa.bindparam("last"), in_millisecond=sa.bindparam("held"))
)
_COPY_PLACES = VIEW_ROWS.insert().from_select(
    ["view_id", "date_added", "object_row", "latest"],
    sa.select(
        sa.cast(sa.bindparam("to"), VIEW_ROWS.c.view_id.type),
        VIEW_ROWS.c.date_added,
        VIEW_ROWS.c.object_row,
        VIEW_ROWS.c.latest,
    ).where(
        VIEW_ROWS.c.view_id == sa.bindparam("like"),
        VIEW_ROWS.c.date_added.between(sa.bindparam("begin"), sa.bindparam("end")),
    ),
)
_WORTH_COPYING: Final = 64
"""So many places that are the same in several views go to the database once: they need not be
handed over row by row, by far the most of what a place costs."""


@dataclass(frozen=True, slots=True)
class ViewRow:
    """A collection as readers of one clearance see it."""

    view_id: int
    collection_id: str
    ceiling: int
    organisation_id: str
    last_added: int
    in_millisecond: int


@dataclass(frozen=True, slots=True)
class Placement:
    """That an object stands in a view, with what decides between rival claims."""

    view_id: int
    date_added: int
    object_row: int
    latest: bool
    stix_id: str
    origin: str
    strength: int
    tlp: int
    version_at: datetime | None


def views_of(tx: Transaction, collection_id: str) -> tuple[ViewRow, ...]:
    """List the views of a collection."""
    rows = tx.connection.execute(
        sa.select(VIEWS).where(VIEWS.c.collection_id == collection_id).order_by(VIEWS.c.view_id)
    )
    return tuple(ViewRow(*row) for row in rows)


def find_view(
    tx: Transaction, collection_id: str, ceiling: int, organisation_id: str = ""
) -> ViewRow | None:
    """Find one view."""
    row = tx.connection.execute(
        _FIND_VIEW,
        {"collection": collection_id, "up_to": ceiling, "organisation": organisation_id},
    ).one_or_none()
    return None if row is None else ViewRow(*row)


def create_view(
    tx: Transaction, collection_id: str, ceiling: int, organisation_id: str = ""
) -> ViewRow:
    """Create an empty view."""
    (view,) = create_views(tx, collection_id, [ceiling], organisation_id)
    return view


def create_views(
    tx: Transaction, collection_id: str, ceilings: Sequence[int], organisation_id: str = ""
) -> list[ViewRow]:
    """Create an empty view for each ceiling."""
    first = claim_numbers(tx, "view_id", len(ceilings))
    views = [
        ViewRow(number, collection_id, ceiling, organisation_id, 0, 0)
        for number, ceiling in enumerate(ceilings, first)
    ]
    tx.connection.execute(VIEWS.insert(), [asdict(view) for view in views])
    return views


def add_rows(tx: Transaction, view_id: int, object_rows: Sequence[int], now: datetime) -> list[int]:
    """Add objects to a view as its latest, each with the next date of the view's own clock.

    The clock is read inside the serialised write, so no later commit gets an earlier date.
    """
    return add_rows_to_each(tx, {view_id: object_rows}, now)[view_id]


def add_rows_to_each(
    tx: Transaction, shown: Mapping[int, Sequence[int]], now: datetime
) -> dict[int, list[int]]:
    """Add objects to several views at once, as ``add_rows`` does to one."""
    clocks = tx.connection.execute(
        sa.select(VIEWS.c.view_id, VIEWS.c.last_added, VIEWS.c.in_millisecond).where(
            VIEWS.c.view_id.in_([view_id for view_id, rows in shown.items() if rows])
        )
    ).all()
    given: dict[int, list[int]] = {view_id: [] for view_id in shown}
    moved: list[dict[str, int]] = []
    places: list[tuple[int, int, int, bool]] = []
    copies: list[dict[str, int]] = []
    first: tuple[int, Sequence[int], list[int]] | None = None
    at = to_micros(now) + LEAD
    for view_id, last, held in clocks:
        rows = shown[view_id]
        dates, in_millisecond = next_dates(at, last, held, len(rows))
        given[view_id] = dates
        moved.append({"of": view_id, "last": dates[-1], "held": in_millisecond})
        if first is not None and first[2] == dates and first[1] == rows:
            begin, end = dates[0], dates[-1]
            copies.append({"to": view_id, "like": first[0], "begin": begin, "end": end})
            continue
        if first is None and len(rows) >= _WORTH_COPYING:
            first = (view_id, rows, dates)
        places += zip(repeat(view_id, len(rows)), dates, rows, repeat(True, len(rows)), strict=True)
    if moved:
        insert_rows(tx, VIEW_ROWS, ("view_id", "date_added", "object_row", "latest"), places)
        for copy in copies:
            tx.connection.execute(_COPY_PLACES, copy)
        tx.connection.execute(_MOVE_CLOCK, moved)
    return given


def placements_of(
    tx: Transaction, collection_id: str, stix_ids: Iterable[str]
) -> dict[str, list[Placement]]:
    """Find where the given ids stand in the views of a collection.

    The sum keeps the planners from beginning at the views, which would walk all of their rows in
    search of a few: a tenth of the time of receiving 10,000 objects, and growing with them.
    """
    found: dict[str, list[Placement]] = {}
    for chunk in in_chunks(stix_ids):
        shown = shown_among(tx, chunk)
        if not shown:
            continue
        rows = tx.connection.execute(
            sa.select(
                VIEW_ROWS.c.view_id,
                VIEW_ROWS.c.date_added,
                VIEW_ROWS.c.object_row,
                VIEW_ROWS.c.latest,
                OBJECTS.c.stix_id,
                OBJECTS.c.origin,
                OBJECTS.c.strength,
                OBJECTS.c.tlp,
                OBJECTS.c.version_at,
            )
            .join(OBJECTS, OBJECTS.c.object_row == VIEW_ROWS.c.object_row)
            .join(VIEWS, VIEWS.c.view_id == VIEW_ROWS.c.view_id + 0)
            .where(VIEWS.c.collection_id == collection_id, OBJECTS.c.stix_id.in_(shown))
        )
        for row in rows:
            found.setdefault(row.stix_id, []).append(Placement(*row))
    return found


def remove_rows(tx: Transaction, view_id: int, dates: Iterable[int]) -> None:
    """Take objects out of a view."""
    for chunk in in_chunks(dates):
        tx.connection.execute(
            VIEW_ROWS.delete().where(
                VIEW_ROWS.c.view_id == view_id, VIEW_ROWS.c.date_added.in_(chunk)
            )
        )


def remove_objects(tx: Transaction, object_rows: Iterable[int]) -> None:
    """Take objects out of every view."""
    for chunk in in_chunks(object_rows):
        tx.connection.execute(VIEW_ROWS.delete().where(VIEW_ROWS.c.object_row.in_(chunk)))
