"""Put accepted objects into the views where readers find them, and take them out again.

Invariants:
* a view is a function of what its readers may see and of nothing else (PROTOCOL 3.5): rival
  claims on one STIX id are settled in each view among the claims that stand in it;
* of rival claims a view shows the strongest; among equals the first seen; identical content of a
  second origin is not shown twice (PROTOCOL 2.4 "Ownership");
* a filtered collection follows the same rules among the originals that match its selection;
* the rows of a view are written in the transaction of the object itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from federation.policy.views import ceilings_for, touches
from hub.exchange.collection_kinds import ORIGINALS_ID, SELECTION
from hub.exchange.latest_versions import ClaimInView, settle_latest
from hub.exchange.selecting import EVERYTHING, Selection
from hub.storage.queries import views
from hub.storage.queries.collections import collections_of_kind
from hub.storage.queries.objects import (
    ObjectRow,
    claims_of,
    contents_of,
    list_objects,
    update_objects,
)
from hub.storage.queries.scopes import zones_of_organisations
from hub.storage.queries.views import Placement, ViewRow
from hub.storage.transaction import Transaction
from schemas.markings import Tlp
from schemas.strict_json import strict_loads

_BACKFILL_STEP: Final = 1000
"""How many contents are read at once."""


def show(
    tx: Transaction, rows: Sequence[ObjectRow], contents: Mapping[int, bytes], now: datetime
) -> None:
    """Put accepted objects into every view that may show them.

    Those are views of ``originals`` and of the filtered collections that the objects match.

    Args:
        rows: in the order of their entries; those in another state than accepted are passed over.
        contents: the bytes by object row.
        now: the node's clock, read inside the write.
    """
    accepted = [row for row in rows if row.state == "accepted"]
    if not accepted:
        return
    scopes = zones_of_organisations(tx)
    times = Counter(row.stix_id for row in accepted)
    several: set[str] = {stix_id for stix_id, count in times.items() if count > 1}
    for collection_id, selection in _collections(tx):
        standing = views.placements_of(tx, collection_id, times)
        matching = selection.matching(accepted, contents)
        for view in views.views_of(tx, collection_id):
            wanted = [row for row in matching if _belongs(view, row, contents, scopes)]
            _add(tx, view, wanted, standing, now)
        several |= standing.keys()
        _settle(tx, collection_id, several)
    first = [row.object_row for row in accepted if row.visible_at is None]
    update_objects(tx, first, visible_at=now)


def hide(tx: Transaction, rows: Sequence[ObjectRow], now: datetime) -> None:
    """Take objects out of every view, and let the next strongest claims on their ids appear."""
    if not rows:
        return
    hidden = {row.object_row for row in rows}
    ids = {row.stix_id for row in rows}
    views.remove_objects(tx, hidden)
    rivals = [
        claim
        for claims in claims_of(tx, ids).values()
        for claim in _newest_by_origin(claims)
        if claim.object_row not in hidden and claim.origin not in {row.origin for row in rows}
    ]
    show(tx, rivals, contents_of(tx, [rival.object_row for rival in rivals]), now)
    for collection_id, _ in _collections(tx):
        _settle(tx, collection_id, ids)


def widen(tx: Transaction, row: ObjectRow, contents: Mapping[int, bytes], now: datetime) -> None:
    """Show a definition under its new, laxer label; only what bears no label itself can widen."""
    update_objects(tx, [row.object_row], tlp=row.tlp)
    show(tx, [row], contents, now)


def backfill_view(tx: Transaction, view: ViewRow, rows: Sequence[ObjectRow], now: datetime) -> None:
    """Fill a new view with what is already accepted."""
    scopes = zones_of_organisations(tx)
    contents = contents_of(tx, [row.object_row for row in rows])
    wanted = [
        row for row in rows if row.state == "accepted" and _belongs(view, row, contents, scopes)
    ]
    _add(tx, view, wanted, {}, now)
    settle_latest(tx, ORIGINALS_ID, {row.stix_id for row in wanted})


def backfill_selection(
    tx: Transaction, collection_id: str, selection: Selection, now: datetime
) -> None:
    """Fill a new filtered collection with what is already accepted and matches."""
    matching: list[ObjectRow] = []
    accepted = list_objects(tx, state="accepted")
    for start in range(0, len(accepted), _BACKFILL_STEP):
        part = accepted[start : start + _BACKFILL_STEP]
        contents = contents_of(tx, [row.object_row for row in part])
        matching += selection.matching(part, contents)
    for view in views.views_of(tx, collection_id):
        # It has no views of organisations, so that no content is asked for.
        _add(tx, view, [row for row in matching if _belongs(view, row, {}, {})], {}, now)
    _settle(tx, collection_id, {row.stix_id for row in matching})


def _collections(tx: Transaction) -> list[tuple[str, Selection]]:
    """List the collections that show originals: ``originals`` itself before the filtered ones."""
    filtered = collections_of_kind(tx, SELECTION)
    return [
        (ORIGINALS_ID, EVERYTHING),
        *((row.collection_id, Selection.read(row.selection or "")) for row in filtered),
    ]


def _settle(tx: Transaction, collection_id: str, stix_ids: Collection[str]) -> None:
    """Mark the latest versions; ``originals`` has to be settled before the filtered ones."""
    if collection_id == ORIGINALS_ID:
        settle_latest(tx, collection_id, stix_ids)
    else:
        newest = _newest_in_originals(tx, collection_id, stix_ids)
        settle_latest(tx, collection_id, stix_ids, newest)


def _newest_in_originals(
    tx: Transaction, collection_id: str, stix_ids: Collection[str]
) -> dict[ClaimInView, datetime]:
    """Find the greatest version of each claim that ``originals`` shows at each ceiling."""
    mine = {(v.ceiling, v.organisation_id): v.view_id for v in views.views_of(tx, collection_id)}
    same = {
        view.view_id: mine.get((view.ceiling, view.organisation_id))
        for view in views.views_of(tx, ORIGINALS_ID)
    }
    newest: dict[ClaimInView, datetime] = {}
    for places in views.placements_of(tx, ORIGINALS_ID, stix_ids).values():
        for place in places:
            view_id = same[place.view_id]
            if view_id is not None and place.version_at is not None:
                claim = (view_id, place.stix_id, place.origin)
                newest[claim] = max(place.version_at, newest.get(claim, place.version_at))
    return newest


def _belongs(
    view: ViewRow,
    row: ObjectRow,
    contents: Mapping[int, bytes],
    scopes: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]],
) -> bool:
    """Tell whether a view shows objects of this label; an organisation's, what touches it too."""
    ceilings = ceilings_for(Tlp(row.tlp), machine=row.machine, exercise=row.exercise)
    if Tlp(view.ceiling) in ceilings:
        return True
    if not view.organisation_id or Tlp.AMBER not in ceilings or row.tlp != Tlp.AMBER:
        return False
    zones, prefixes = scopes.get(view.organisation_id, ((), ()))
    return touches(strict_loads(contents[row.object_row]), zones, prefixes)


def _add(
    tx: Transaction,
    view: ViewRow,
    rows: Sequence[ObjectRow],
    standing: Mapping[str, list[Placement]],
    now: datetime,
) -> None:
    """Add objects to one view, settling rival claims; ``settle_latest`` comes after."""
    shown: dict[str, ObjectRow] = {}
    remove: set[int] = set()
    add: list[ObjectRow] = []
    for row in rows:
        rivals = [p for p in standing.get(row.stix_id, []) if p.view_id == view.view_id]
        if any(place.object_row == row.object_row for place in rivals):
            continue
        others = [place for place in rivals if place.origin != row.origin]
        if any(place.strength <= row.strength for place in others):
            continue
        earlier = shown.get(row.stix_id)
        if earlier is not None and earlier.origin != row.origin:
            if earlier.strength <= row.strength:
                continue
            add = [other for other in add if other.stix_id != row.stix_id]
        remove |= {place.date_added for place in others}
        shown[row.stix_id] = row
        add.append(row)
    views.remove_rows(tx, view.view_id, remove)
    views.add_rows(tx, view.view_id, [row.object_row for row in add], now)


def _newest_by_origin(claims: Iterable[ObjectRow]) -> list[ObjectRow]:
    newest: dict[str, ObjectRow] = {}
    for claim in claims:
        if claim.state == "accepted":
            newest[claim.origin] = claim
    return list(newest.values())
