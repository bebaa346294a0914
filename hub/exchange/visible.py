"""Put accepted objects into the views where readers find them, and take them out again.

Invariants:
* a view is a function of what its readers may see and of nothing else (PROTOCOL 3.5): rival
  claims on one STIX id are settled in each view among the claims that stand in it;
* of rival claims a view shows the strongest; among equals the first seen; identical content of a
  second origin is not shown twice (PROTOCOL 2.4 "Ownership");
* the rows of a view are written in the transaction of the object itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from federation.policy.views import ceilings_for, touches
from hub.exchange.collections import ORIGINALS_ID
from hub.exchange.latest_versions import settle_latest
from hub.storage.queries import views
from hub.storage.queries.objects import (
    ObjectRow,
    claims_of,
    contents_of,
    update_objects,
)
from hub.storage.queries.scopes import zones_of_organisations
from hub.storage.queries.views import Placement, ViewRow
from hub.storage.transaction import Transaction
from schemas.markings import Tlp
from schemas.strict_json import strict_loads


def show(
    tx: Transaction, rows: Sequence[ObjectRow], contents: Mapping[int, bytes], now: datetime
) -> None:
    """Put accepted objects into every view of ``originals`` that may show them.

    Args:
        rows: in the order of their entries; those in another state than accepted are passed over.
        contents: the bytes by object row.
        now: the node's clock, read inside the write.
    """
    accepted = [row for row in rows if row.state == "accepted"]
    if not accepted:
        return
    standing = views.placements_of(tx, ORIGINALS_ID, {row.stix_id for row in accepted})
    scopes = zones_of_organisations(tx)
    for view in views.views_of(tx, ORIGINALS_ID):
        wanted = [row for row in accepted if _belongs(view, row, contents, scopes)]
        _add(tx, view, wanted, standing, now)
    times = Counter(row.stix_id for row in accepted)
    settle_latest(tx, ORIGINALS_ID, {i for i, n in times.items() if n > 1} | standing.keys())
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
    settle_latest(tx, ORIGINALS_ID, ids)


def backfill_view(tx: Transaction, view: ViewRow, rows: Sequence[ObjectRow], now: datetime) -> None:
    """Fill a new view with what is already accepted."""
    scopes = zones_of_organisations(tx)
    contents = contents_of(tx, [row.object_row for row in rows])
    wanted = [
        row for row in rows if row.state == "accepted" and _belongs(view, row, contents, scopes)
    ]
    _add(tx, view, wanted, {}, now)
    settle_latest(tx, ORIGINALS_ID, {row.stix_id for row in wanted})


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
