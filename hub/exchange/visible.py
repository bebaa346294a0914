"""Put accepted objects into the views where readers find them, and take them out again.

Invariants:
* a view is a function of what its readers may see and of nothing else (PROTOCOL 3.5): rival
  claims on one STIX id are settled in each view among the claims that stand in it;
* of rival claims a view shows the strongest; among equals the first seen; identical content of a
  second origin is not shown twice (PROTOCOL 2.4 "Ownership");
* a filtered collection follows the same rules among the originals that match its selection;
* what an object refers to is in the view with it, or the object waits (``closed_views``);
* which groups carried an object counts only where a selection or a subscriber names groups;
* the rows of a view are written in the transaction of the object itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from federation.policy.views import ceilings_for, touches
from hub.exchange import closed_views
from hub.exchange.closed_views import Closing, References
from hub.exchange.collection_kinds import ORIGINALS_ID, SELECTION
from hub.exchange.latest_versions import ClaimInView, settle_latest
from hub.exchange.selecting import EVERYTHING, Selection
from hub.incidents.note_incidents import note_incidents
from hub.storage.queries import references, views
from hub.storage.queries.collections import collections_of_kind
from hub.storage.queries.groups import groups_of_objects
from hub.storage.queries.objects import (
    ObjectRow,
    claims_of,
    contents_of,
    list_objects,
    update_objects,
)
from hub.storage.queries.scopes import NO_SCOPE, GroupKey, Scope, scopes_of_organisations
from hub.storage.queries.views import Placement, ViewRow
from hub.storage.transaction import Transaction
from hub.verdicts.marks import note_hidden, note_shown
from schemas.markings import Tlp
from schemas.strict_json import strict_loads

_LABELS: Final = tuple(Tlp)
"""By their numbers; asking the class takes four times as long."""
Carried = Mapping[int, frozenset[GroupKey]]
"""By object row, the groups whose feeds carried it."""

_BACKFILL_STEP: Final = 1000
"""How many contents are read at once."""


def show(
    tx: Transaction,
    rows: Sequence[ObjectRow],
    contents: Mapping[int, bytes],
    now: datetime,
    again: Collection[int] = (),
    refs: References | None = None,
    *,
    fresh: Collection[str] = (),
    back: bool = False,
) -> None:
    """Put accepted objects into every view that may show them.

    Those are views of ``originals`` and of the filtered collections that the objects match.

    Args:
        rows: in the order of their entries; those in another state than accepted are passed over.
        contents: the bytes by object row.
        now: the node's clock, read inside the write.
        again: the rows that are shown already, and that a further group carries now. Only readers
            of groups find them anew, in the order of the entry as if they were new; to all others
            it does not show that the group has them too.
        refs: the ids that objects mention, by object row, where the caller has read them.
        fresh: ids under which nothing was held before these rows, so that none of it is shown.
        back: they were shown before: of equal claims that came later they take the place again.
    """
    accepted = [row for row in rows if row.state == "accepted"]
    scopes = scopes_of_organisations(tx) if accepted else {}
    if again and not _asks_for_groups(scopes, _collections(tx)):
        accepted = [row for row in accepted if row.object_row not in again]
    if not accepted:
        return
    referring = closed_views.note_references(tx, accepted, contents, refs or {})
    waiting = closed_views.waiting_for(tx, accepted)
    if waiting:
        accepted += waiting
        contents = {**contents, **contents_of(tx, [row.object_row for row in waiting])}
        referring |= closed_views.stored_references(tx, waiting)
    closing = Closing(tx, referring)
    times = Counter(row.stix_id for row in accepted)
    collections = _collections(tx)
    carried = _groups_that_carried(tx, accepted, scopes, collections)
    several: set[str] = {stix_id for stix_id, count in times.items() if count > 1}
    perhaps_standing = times.keys() - fresh
    ceilings = {row.object_row: _ceilings_of(row) for row in accepted}
    for collection_id, selection in collections:
        standing = views.placements_of(tx, collection_id, perhaps_standing)
        matching = selection.matching(accepted, contents, carried)
        added = {}
        for view in views.views_of(tx, collection_id):
            followed = bool(selection.groups) or _follows(view, scopes)
            wanted = [
                row
                for row in matching
                if (followed or row.object_row not in again)
                and (
                    view.ceiling in ceilings[row.object_row]
                    or (view.organisation_id and _belongs(view, row, contents, scopes, carried))
                )
            ]
            is_original = collection_id == ORIGINALS_ID
            closed = closing.close(view, wanted) if is_original else closing.follow(view, wanted)
            added[view.view_id] = _settle_rivals(tx, view, closed, standing, back=back)
        views.add_rows_to_each(tx, added, now)
        several |= standing.keys()
        _settle(tx, collection_id, several)
    closing.finish()
    first = [row.object_row for row in accepted if row.visible_at is None]
    update_objects(tx, first, visible_at=now)
    note_shown(tx, accepted, now)
    note_incidents(tx, accepted, contents, now)


def hide(
    tx: Transaction, rows: Sequence[ObjectRow], now: datetime, *, closing: bool = True
) -> None:
    """Take objects out of every view, and let the next strongest claims on their ids appear.

    What refers to them leaves the views with them.

    Args:
        closing: False where another version of them is shown next; ``close`` comes after that.
    """
    if not rows:
        return
    numbers = {row.object_row for row in rows}
    note_hidden(tx, rows, now)
    views.remove_objects(tx, numbers)
    references.drop_references(tx, numbers)
    _let_rivals_appear(tx, {(row.stix_id, row.origin) for row in rows}, now)
    if closing:
        close(tx, {row.stix_id for row in rows}, now)


def close(tx: Transaction, stix_ids: Collection[str], now: datetime) -> None:
    """Take out of each view what refers, over however many steps, to what it does not show."""
    keys = None
    gone = set(stix_ids)
    while gone:
        if keys is None:
            keys = {
                view.view_id: closed_views.key_of(view)
                for collection_id, _ in _collections(tx)
                for view in views.views_of(tx, collection_id)
            }
        broken = closed_views.take_out_broken(tx, gone, keys)
        gone = {place.stix_id for place in broken}
        if gone:
            _let_rivals_appear(tx, {(place.stix_id, place.origin) for place in broken}, now)


def _let_rivals_appear(tx: Transaction, left: Collection[tuple[str, str]], now: datetime) -> None:
    """Show who else claims ids of which something left the views, and settle what is the latest.

    Args:
        left: the ids of what left, each with its origin.
    """
    stix_ids = {stix_id for stix_id, _ in left}
    rivals = [
        claim
        for claims in claims_of(tx, stix_ids).values()
        for claim in _newest_by_origin(claims)
        if (claim.stix_id, claim.origin) not in left
    ]
    show(tx, rivals, contents_of(tx, [rival.object_row for rival in rivals]), now)
    for collection_id, _ in _collections(tx):
        _settle(tx, collection_id, stix_ids)


def widen(tx: Transaction, row: ObjectRow, contents: Mapping[int, bytes], now: datetime) -> None:
    """Show a definition under its new, laxer label; only what bears no label itself can widen."""
    update_objects(tx, [row.object_row], tlp=row.tlp)
    show(tx, [row], contents, now)


def backfill_view(tx: Transaction, view: ViewRow, rows: Sequence[ObjectRow], now: datetime) -> None:
    """Fill a new view with what is already accepted."""
    scopes = scopes_of_organisations(tx)
    contents = contents_of(tx, [row.object_row for row in rows])
    carried = _groups_that_carried(tx, rows, scopes, ())
    wanted = [
        row
        for row in rows
        if row.state == "accepted" and _belongs(view, row, contents, scopes, carried)
    ]
    closing = Closing(tx, closed_views.stored_references(tx, wanted))
    wanted = closing.close(view, wanted)
    closing.note_waiting()
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
        carried = _groups_that_carried(tx, part, {}, [(collection_id, selection)])
        matching += selection.matching(part, contents, carried)
    closing = Closing(tx, closed_views.stored_references(tx, matching))
    closing.find_left_out(matching)
    for view in views.views_of(tx, collection_id):
        # It has no views of organisations, so that no content is asked for.
        wanted = [row for row in matching if _belongs(view, row, {}, {}, {})]
        _add(tx, view, closing.follow(view, wanted), {}, now)
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


def _groups_that_carried(
    tx: Transaction,
    rows: Sequence[ObjectRow],
    scopes: Mapping[str, Scope],
    collections: Sequence[tuple[str, Selection]],
) -> Carried:
    """Find which groups carried the objects, where any view asks for that."""
    if not _asks_for_groups(scopes, collections):
        return {}
    return groups_of_objects(tx, [row.object_row for row in rows])


def _asks_for_groups(
    scopes: Mapping[str, Scope], collections: Sequence[tuple[str, Selection]]
) -> bool:
    return any(scope.groups for scope in scopes.values()) or any(
        selection.groups for _, selection in collections
    )


def _follows(view: ViewRow, scopes: Mapping[str, Scope]) -> bool:
    """Tell whether it is the view of a subscriber that follows groups."""
    return bool(view.organisation_id) and bool(scopes.get(view.organisation_id, NO_SCOPE).groups)


def _ceilings_of(row: ObjectRow) -> tuple[Tlp, ...]:
    return ceilings_for(_LABELS[row.shown_tlp], machine=row.machine, exercise=row.exercise)


def _belongs(
    view: ViewRow,
    row: ObjectRow,
    contents: Mapping[int, bytes],
    scopes: Mapping[str, Scope],
    carried: Carried,
) -> bool:
    """Tell whether a view shows objects of this label; an organisation's, what is for it too."""
    ceilings = _ceilings_of(row)
    if view.ceiling in ceilings:
        return True
    if not view.organisation_id or Tlp.AMBER_STRICT not in ceilings:
        return False
    scope = scopes.get(view.organisation_id, NO_SCOPE)
    if scope.groups:
        in_group = not scope.groups.isdisjoint(carried.get(row.object_row, ()))
        return in_group and row.shown_tlp <= scope.clearance
    if row.shown_tlp != Tlp.AMBER:
        return False
    return touches(strict_loads(contents[row.object_row]), scope.zones, scope.prefixes)


def _add(
    tx: Transaction,
    view: ViewRow,
    rows: Sequence[ObjectRow],
    standing: Mapping[str, list[Placement]],
    now: datetime,
) -> None:
    """Add objects to one view, settling rival claims; ``settle_latest`` comes after."""
    views.add_rows(tx, view.view_id, _settle_rivals(tx, view, rows, standing), now)


def _settle_rivals(
    tx: Transaction,
    view: ViewRow,
    rows: Sequence[ObjectRow],
    standing: Mapping[str, list[Placement]],
    *,
    back: bool = False,
) -> list[int]:
    """Take out of a view what loses to the given objects; list those that are to be added."""
    if not standing and len({row.stix_id for row in rows}) == len(rows):
        return [row.object_row for row in rows]  # as in nearly every page: no two of one id
    shown: dict[str, ObjectRow] = {}
    remove: set[int] = set()
    add: list[ObjectRow] = []
    for row in rows:
        places = standing.get(row.stix_id)
        if places is None and row.stix_id not in shown:
            # Nobody else is there: as for nearly everything that comes.
            shown[row.stix_id] = row
            add.append(row)
            continue
        rivals = [place for place in places or () if place.view_id == view.view_id]
        if any(place.object_row == row.object_row for place in rivals):
            continue
        others = [
            p for p in rivals if p.origin != row.origin and not (back and p.date_added in remove)
        ]
        if any(
            place.strength <= row.strength
            and not (back and place.strength == row.strength and place.object_row > row.object_row)
            for place in others
        ):
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
    return [row.object_row for row in add]


def _newest_by_origin(claims: Iterable[ObjectRow]) -> list[ObjectRow]:
    newest: dict[str, ObjectRow] = {}
    for claim in claims:
        if claim.state == "accepted":
            newest[claim.origin] = claim
    return list(newest.values())
