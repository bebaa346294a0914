"""Keep every view closed: what it shows refers to nothing that it does not show (THREATS 2.11).

An entry is closed when it is sealed and when it comes (PROTOCOL 3.4). Later an object may leave a
view while what refers to it is still there: it was restricted, withdrawn without a last version,
voided, or erased by law at this node alone.

Decides which of the objects that belong into a view stand there. Invariants:
* an object stands in a view of ``originals`` only if each reference of it resolves there or is
  public: the TLP markings, the fixed extensions, the identities of its origin;
* any object of that id resolves it, whoever wrote it and in which version;
* objects that refer to each other in a circle stand there together or not at all;
* what had to wait comes back when what it refers to does; it is not changed meanwhile;
* a filtered collection shows no object that ``originals`` does not show at the same ceiling. A
  selection may leave out what is referred to: its readers find that in ``originals``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from federation.policy.closure import PUBLIC_IDS, references_of
from hub.exchange.collection_kinds import ORIGINALS_ID
from hub.peers.known_nodes import find_pinned
from hub.storage.queries import references, views
from hub.storage.queries.objects import ObjectRow, objects_at
from hub.storage.queries.references import ReferringPlace
from hub.storage.queries.views import ViewRow
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId
from schemas.strict_json import strict_loads

References = Mapping[int, frozenset[str]]
"""By object row, what it refers to that not everybody may know."""
ViewKey = tuple[int, str]
"""Ceiling and organisation: what the views of several collections have in common."""
ACCEPTED: Final = "accepted"


def key_of(view: ViewRow) -> ViewKey:
    """Say whose readers a view is for."""
    return view.ceiling, view.organisation_id


def note_references(
    tx: Transaction,
    rows: Sequence[ObjectRow],
    contents: Mapping[int, bytes],
    known: References,
) -> dict[int, frozenset[str]]:
    """Store what objects refer to; return it for those that refer to what is not public.

    Args:
        known: what ``references_of`` found in some of them; the others are read.
    """
    public: dict[str, frozenset[str]] = {}
    found: dict[int, frozenset[str]] = {}
    for row in rows:
        refs = known.get(row.object_row)
        if refs is None:
            refs = references_of(strict_loads(contents[row.object_row]))
        if row.origin not in public:
            public[row.origin] = PUBLIC_IDS | _identities_of(tx, row.origin)
        refs -= public[row.origin]
        if refs:
            found[row.object_row] = refs
    if found:
        # Nearly all that an object refers to comes in its own entry, thus in the same write.
        targets = {str(row.stix_id): row.object_row for row in rows}
        references.keep_references(tx, found, targets)
    return found


def _identities_of(tx: Transaction, origin: NodeId) -> frozenset[str]:
    pinned = find_pinned(tx, origin)
    return frozenset() if pinned is None else frozenset(pinned.identities)


def waiting_for(tx: Transaction, rows: Sequence[ObjectRow]) -> list[ObjectRow]:
    """List what waits for these objects, and what waits for that in turn."""
    if not references.is_any_waiting(tx):
        return []
    found: dict[int, ObjectRow] = {}
    known = {row.object_row for row in rows}
    ids: set[str] = {row.stix_id for row in rows}
    while ids:
        new = references.waiting_for(tx, ids) - known
        known |= new
        more = [row for row in objects_at(tx, new) if row.state == ACCEPTED]
        found |= {row.object_row: row for row in more}
        ids = {row.stix_id for row in more}
    return [found[number] for number in sorted(found)]


@dataclass(slots=True)
class Closing:
    """One write that adds objects to the views of ``originals`` and closes each of them.

    Args:
        refs: of the objects that are added.
        left_out: by view of ``originals``, the objects that do not get in.
    """

    tx: Transaction
    refs: References
    left_out: dict[ViewKey, set[int]] = field(default_factory=dict)
    _standing: dict[int, set[str]] | None = None
    _waiting: set[tuple[int, str]] = field(default_factory=set)

    def close(self, view: ViewRow, wanted: Sequence[ObjectRow]) -> list[ObjectRow]:
        """Leave out what refers to something that this view would not show."""
        if not self.refs:
            return list(wanted)
        standing = self._stands_in(view)
        coming = Counter(str(row.stix_id) for row in wanted if row.stix_id not in standing)
        referring: dict[str, list[ObjectRow]] = {}
        for row in wanted:
            for ref in self.refs.get(row.object_row, ()):
                if ref not in standing:
                    referring.setdefault(ref, []).append(row)
        missing = [ref for ref in referring if not coming[ref]]
        broken: set[int] = set()
        # Each reference is looked at once: a chain as long as a page is no more work than a page.
        while missing:
            ref = missing.pop()
            for row in referring.get(ref, ()):
                self._waiting.add((row.object_row, ref))
                if row.object_row in broken:
                    continue
                broken.add(row.object_row)
                coming[row.stix_id] -= 1
                if coming[row.stix_id] == 0:
                    missing.append(row.stix_id)
        if not broken:
            return list(wanted)
        self.left_out.setdefault(key_of(view), set()).update(broken)
        return [row for row in wanted if row.object_row not in broken]

    def follow(self, view: ViewRow, wanted: Sequence[ObjectRow]) -> list[ObjectRow]:
        """Leave out of a view of a filtered collection what ``originals`` leaves out there."""
        left = self.left_out.get(key_of(view))
        return [row for row in wanted if row.object_row not in left] if left else list(wanted)

    def finish(self) -> None:
        """Note who waits for what from now on."""
        if references.is_any_waiting(self.tx):
            pairs = [(number, ref) for number, refs in self.refs.items() for ref in refs]
            references.set_waiting(self.tx, pairs, waits=False)
        self.note_waiting()

    def note_waiting(self) -> None:
        """Note who waits for what in the views that were closed."""
        references.set_waiting(self.tx, self._waiting)

    def find_left_out(self, rows: Sequence[ObjectRow]) -> None:
        """Find which of these objects ``originals`` leaves out of its views."""
        referring = {r.object_row: str(r.stix_id) for r in rows if r.object_row in self.refs}
        if not referring:
            return
        shown: dict[int, set[int]] = {}
        for places in views.placements_of(self.tx, ORIGINALS_ID, referring.values()).values():
            for place in places:
                shown.setdefault(place.view_id, set()).add(place.object_row)
        for view in views.views_of(self.tx, ORIGINALS_ID):
            self.left_out[key_of(view)] = referring.keys() - shown.get(view.view_id, set())

    def _stands_in(self, view: ViewRow) -> set[str]:
        if self._standing is None:
            asked = {ref for refs in self.refs.values() for ref in refs}
            self._standing = ids_in_originals(self.tx, asked)
        return self._standing.get(view.view_id, set())


def ids_in_originals(tx: Transaction, stix_ids: Collection[str]) -> dict[int, set[str]]:
    """Find which of the ids each view of ``originals`` shows."""
    found: dict[int, set[str]] = {}
    for stix_id, places in views.placements_of(tx, ORIGINALS_ID, stix_ids).items():
        for place in places:
            found.setdefault(place.view_id, set()).add(stix_id)
    return found


def take_out_broken(
    tx: Transaction, stix_ids: Collection[str], view_keys: Mapping[int, ViewKey]
) -> list[ReferringPlace]:
    """Take one step of what refers to these ids out of the views in which they do not stand.

    Args:
        view_keys: of every view of originals; what else there is has its own rules.

    Returns:
        What was taken out; what refers to that is the next step.
    """
    places = references.places_of_referring(tx, stix_ids)
    if not places:
        return []
    present = ids_in_originals(tx, stix_ids)
    there = {view_keys[view_id]: found for view_id, found in present.items()}
    broken = [
        p
        for p in places
        if p.view_id in view_keys and p.ref not in there.get(view_keys[p.view_id], ())
    ]
    by_view: dict[int, set[int]] = {}
    for place in broken:
        by_view.setdefault(place.view_id, set()).add(place.date_added)
    for view_id, dates in by_view.items():
        views.remove_rows(tx, view_id, dates)
    references.set_waiting(tx, {(place.object_row, place.ref) for place in broken})
    return broken


def stored_references(tx: Transaction, rows: Iterable[ObjectRow]) -> dict[int, frozenset[str]]:
    """Find what objects that were shown before refer to."""
    return references.references_of_rows(tx, [row.object_row for row in rows])
