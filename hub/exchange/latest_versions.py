"""Which version of an object is the latest in each view of a collection.

Invariants:
* the latest is the one with the greatest version among those that stand in that very view, so a
  newer version under a stricter label changes nothing for who may not see it (PROTOCOL 3.5);
* the order of arrival does not matter: a late old version does not take its place;
* in a filtered collection a version that its origin replaced, at the same ceiling, by one that
  does not match is not the latest: nobody acts upon what the origin has taken back.

In ``originals`` this is the order of the feed, along which ``modified`` increases (PROTOCOL 2.4),
also where two feeds of one origin overtake each other. The versions of one object that stand in a
view are all of one origin (``visible``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from hub.storage.queries.collections import set_latest
from hub.storage.queries.views import Placement, placements_of
from hub.storage.transaction import Transaction

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


ClaimInView = tuple[int, str, str]
"""A view, a STIX id and an origin."""


def settle_latest(
    tx: Transaction,
    collection_id: str,
    stix_ids: Iterable[str],
    newest: Mapping[ClaimInView, datetime] | None = None,
) -> None:
    """Mark the latest version of each object in each view where it stands, and only that one.

    Args:
        tx: the open write.
        collection_id: whose views.
        stix_ids: the objects.
        newest: for the claims in the views of a filtered collection, the greatest version that
            ``originals`` shows at the same ceiling.
    """
    newest = newest or {}
    is_latest: dict[tuple[int, bool], list[int]] = {}
    for places in placements_of(tx, collection_id, stix_ids).values():
        if len(places) == 1 and places[0].latest and not newest:
            continue
        best: dict[int, Placement] = {}
        for place in places:
            held = best.get(place.view_id)
            if held is None or _rank(place) > _rank(held):
                best[place.view_id] = place
        for place in places:
            latest = best[place.view_id] is place and not _is_replaced(place, newest)
            if latest != place.latest:
                is_latest.setdefault((place.view_id, latest), []).append(place.date_added)
    for (view_id, latest), dates in is_latest.items():
        set_latest(tx, view_id, dates, latest=latest)


def _is_replaced(place: Placement, newest: Mapping[ClaimInView, datetime]) -> bool:
    version = newest.get((place.view_id, place.stix_id, place.origin))
    return version is not None and version > (place.version_at or _BEFORE_ALL)


def _rank(place: Placement) -> tuple[datetime, int]:
    return place.version_at or _BEFORE_ALL, place.date_added
