"""Views: which object is where, since when, and the pages that readers get of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.dialects import to_micros
from hub.storage.queries.counters import claim_numbers
from hub.storage.queries.objects import in_chunks
from hub.storage.tables.objects import OBJECTS, VIEW_ROWS, VIEWS
from hub.storage.transaction import Transaction
from hub.storage.view_dates import next_dates


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
        sa.select(VIEWS).where(
            VIEWS.c.collection_id == collection_id,
            VIEWS.c.ceiling == ceiling,
            VIEWS.c.organisation_id == organisation_id,
        )
    ).one_or_none()
    return None if row is None else ViewRow(*row)


def create_view(
    tx: Transaction, collection_id: str, ceiling: int, organisation_id: str = ""
) -> ViewRow:
    """Create an empty view."""
    view = ViewRow(claim_numbers(tx, "view_id", 1), collection_id, ceiling, organisation_id, 0, 0)
    tx.connection.execute(
        VIEWS.insert().values(
            view_id=view.view_id,
            collection_id=collection_id,
            ceiling=ceiling,
            organisation_id=organisation_id,
            last_added=0,
            in_millisecond=0,
        )
    )
    return view


def add_rows(tx: Transaction, view_id: int, object_rows: Sequence[int], now: datetime) -> list[int]:
    """Add objects to a view as its latest, each with the next date of the view's own clock.

    The clock is read inside the serialised write, so no later commit gets an earlier date.
    """
    if not object_rows:
        return []
    last, in_millisecond = tx.connection.execute(
        sa.select(VIEWS.c.last_added, VIEWS.c.in_millisecond).where(VIEWS.c.view_id == view_id)
    ).one()
    dates, in_millisecond = next_dates(to_micros(now), last, in_millisecond, len(object_rows))
    tx.connection.execute(
        VIEW_ROWS.insert(),
        [
            {"view_id": view_id, "date_added": date, "object_row": row, "latest": True}
            for date, row in zip(dates, object_rows, strict=True)
        ],
    )
    tx.connection.execute(
        VIEWS.update()
        .where(VIEWS.c.view_id == view_id)
        .values(last_added=dates[-1], in_millisecond=in_millisecond)
    )
    return dates


def placements_of(
    tx: Transaction, collection_id: str, stix_ids: Iterable[str]
) -> dict[str, list[Placement]]:
    """Find where the given ids stand in the views of a collection."""
    found: dict[str, list[Placement]] = {}
    for chunk in in_chunks(stix_ids):
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
            .join(VIEWS, VIEWS.c.view_id == VIEW_ROWS.c.view_id)
            .where(VIEWS.c.collection_id == collection_id, OBJECTS.c.stix_id.in_(chunk))
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
