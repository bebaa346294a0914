"""Write verdicts into the views of ``verdicts``, for each reader those of its label.

Invariants:
* the view at a ceiling shows, of each name, the verdict of its greatest evidence label there; a
  revoked one stays where it was, for thirty days;
* places are given in the order of what happened at that ceiling or below, with the view's own
  dates (PROTOCOL 3.5);
* what a verdict refers to is in the view before it: this node's identity and the markings (3.4);
* a verdict never enters a feed, ``originals`` or another collection: its state is its own, and
  what is published on reads ``accepted`` objects alone.

What it does not do: decide what is issued (``settling``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from hub.exchange.collection_kinds import VERDICTS_ID
from hub.exchange.collections import local_origin
from hub.exchange.latest_versions import settle_latest
from hub.node import Node
from hub.storage.queries import verdicts as stored
from hub.storage.queries.claims import VERDICT_STATE
from hub.storage.queries.objects import ObjectRow, contents_of, store_new_objects
from hub.storage.queries.verdicts import NewVerdict, VerdictRow
from hub.storage.queries.views import add_rows_to_each
from hub.storage.transaction import Transaction
from hub.verdicts.settling import Settled, Step
from hub.verdicts.verdict_object import verdict_id, write_revoked, write_verdict
from schemas.identifiers import NodeId, StixId
from schemas.markings import Tlp, tlp2_marking_definition
from schemas.strict_json import write_json
from schemas.timestamps import write_wire_time

CONTEXT_ORIGIN: Final = NodeId(local_origin(VERDICTS_ID))
"""The pseudo origin of what verdicts refer to: copies, so that no feed's own rows are touched."""


@dataclass(frozen=True, slots=True)
class NameChange:
    """What changes for one name.

    Args:
        from_label: the views from here on are looked at.
        rows: the verdicts that were stored before.
        place: the order in which a view at a ceiling learns of it.
    """

    name: str
    from_label: int
    settled: Sequence[Settled]
    rows: Mapping[int, VerdictRow]
    place: Callable[[int], int]


def publish_verdicts(
    tx: Transaction, node: Node, changes: Sequence[NameChange], now: datetime
) -> int:
    """Store what was settled, and show it; return how many verdicts were issued or revoked."""
    writing = _Writing(tx, node, now)
    writing.write_objects(changes)
    writing.place(changes)
    writing.finish()
    return writing.written


class _Writing:
    """One write of verdicts."""

    def __init__(self, tx: Transaction, node: Node, now: datetime) -> None:
        self.tx = tx
        self.node = node
        self.now = now
        self.written = 0
        self._rows: dict[tuple[str, int], VerdictRow] = {}
        self._gone: list[int] = []

    def write_objects(self, changes: Sequence[NameChange]) -> None:
        """Write the objects of what is issued, issued again or revoked."""
        steps: dict[Step, list[VerdictRow]] = {step: [] for step in Step}
        for change in changes:
            for settled in change.settled:
                steps[settled.step].append(settled.row)
                if settled.was is not None:
                    self._gone.append(settled.was)
        self._gone += [row.object_row for row in steps[Step.PURGE] if row.object_row is not None]
        first = [self._object_of(row) for row in steps[Step.ISSUE]]
        number = stored.store_verdict_objects(self.tx, self.node.node_id, first, self.now)
        for place, row in enumerate(steps[Step.ISSUE]):
            row.object_row = number + place
            self._keep(row)
        rewritten = [(row, self._content(row)) for row in steps[Step.REISSUE]]
        held = contents_of(self.tx, [r.object_row for r in steps[Step.REVOKE] if r.object_row])
        rewritten += [
            (row, write_revoked(held[row.object_row], row.issued_at))
            for row in steps[Step.REVOKE]
            if row.object_row is not None
        ]
        stored.rewrite_objects(
            self.tx,
            [
                (row.object_row, write_wire_time(row.issued_at), row.issued_at,
                 row.revoked_at is not None, content, self.now)
                for row, content in rewritten
                if row.object_row is not None
            ],
        )  # fmt: skip
        for row in (*steps[Step.REISSUE], *steps[Step.REVOKE], *steps[Step.KEEP]):
            self._keep(row)
        for row in steps[Step.PURGE]:
            self._keep(replace(row, object_row=None))
        self.written = len(first) + len(rewritten)

    def _keep(self, row: VerdictRow) -> None:
        self._rows[row.name, row.label] = row

    def _content(self, row: VerdictRow) -> bytes:
        stix_id = verdict_id(self.node.node_id, row.name, row.label, row.generation)
        return write_verdict(row, stix_id, self.node.identity)

    def _object_of(self, row: VerdictRow) -> NewVerdict:
        stix_id = verdict_id(self.node.node_id, row.name, row.label, row.generation)
        content = write_verdict(row, stix_id, self.node.identity)
        return stix_id, row.label, row.issued_at, content

    def place(self, changes: Sequence[NameChange]) -> None:
        """Give every view what it shows from now on, in its own order."""
        views = stored.verdict_views(self.tx, VERDICTS_ID)
        ceilings = {view_id: ceiling for ceiling, view_id in views.items()}
        before = [
            row.object_row
            for change in changes
            for row in change.rows.values()
            if row.object_row is not None
        ]
        places = stored.places_of(self.tx, before)
        removed: list[tuple[int, int]] = [
            (view_id, date) for gone in self._gone for view_id, date in places.get(gone, {}).items()
        ]
        added: dict[int, list[tuple[int, int, int]]] = {view_id: [] for view_id in ceilings}
        for change in changes:
            if not change.rows:
                self._place_first(change, views, added)
                continue
            for label, row, step in self._live_rows(change):
                held = places.get(row.object_row or 0, {})
                wanted = (
                    set(held)
                    if row.revoked_at is not None
                    else {views[at] for at in range(label, row.shown_to + 1) if at in views}
                )
                anew = step in {Step.ISSUE, Step.REISSUE, Step.REVOKE}
                for view_id, date in held.items():
                    if anew or view_id not in wanted:
                        removed.append((view_id, date))
                for view_id in wanted:
                    if anew or view_id not in held:
                        place = change.place(ceilings[view_id])
                        added[view_id].append((place, label, row.object_row or 0))
        stored.remove_places(self.tx, removed)
        self._add({view_id: rows for view_id, rows in added.items() if rows}, ceilings)

    def _place_first(
        self,
        change: NameChange,
        views: Mapping[int, int],
        added: Mapping[int, list[tuple[int, int, int]]],
    ) -> None:
        """Place the verdicts of a name that had none: no place of it is anywhere yet."""
        for settled in change.settled:
            row = settled.row
            if row.object_row is None:
                continue
            for ceiling in range(row.label, row.shown_to + 1):
                if ceiling in views:
                    place = change.place(ceiling)
                    added[views[ceiling]].append((place, row.label, row.object_row))

    def _live_rows(self, change: NameChange) -> list[tuple[int, VerdictRow, Step]]:
        """List a name's published verdicts, as they are now, with what was done to each."""
        steps = {settled.row.label: settled.step for settled in change.settled}
        labels = sorted({*steps, *change.rows})
        found = []
        for label in labels:
            row = self._rows.get((change.name, label)) or change.rows[label]
            if row.object_row is not None:
                found.append((label, row, steps.get(label, Step.KEEP)))
        return found

    def _add(
        self, added: Mapping[int, list[tuple[int, int, int]]], ceilings: Mapping[int, int]
    ) -> None:
        if not added:
            return
        context = self._context({view_id: ceilings[view_id] for view_id in added})
        add_rows_to_each(
            self.tx,
            {
                view_id: [*context.get(view_id, ()), *(number for *_, number in sorted(rows))]
                for view_id, rows in added.items()
            },
            self.now,
        )
        if context:
            settle_latest(self.tx, VERDICTS_ID, [self.node.identity])

    def _context(self, views: Mapping[int, int]) -> dict[int, list[int]]:
        """List, for each view, what verdicts refer to and the view does not show yet."""
        known = stored.find_context(self.tx, CONTEXT_ORIGIN)
        identity = stored.own_identity(self.tx, self.node.node_id, self.node.identity)
        if identity is not None and (self.node.identity, identity[0]) not in known:
            known[self.node.identity, identity[0]] = self._store_context(
                self.node.identity, "identity", identity[0], identity[1], identity[2], Tlp.CLEAR
            )
        highest = max(views.values())
        marks: dict[int, int] = {}
        for tlp in Tlp:
            if tlp > highest:
                break
            value = tlp2_marking_definition(tlp)
            key = (str(value["id"]), str(value["created"]))
            if key not in known:
                known[key] = self._store_context(
                    key[0], "marking-definition", key[1], None, write_json(value), tlp
                )
            marks[int(tlp)] = known[key]
        own = [] if identity is None else [known[self.node.identity, identity[0]]]
        places = stored.places_of(self.tx, [*own, *marks.values()])
        missing: dict[int, list[int]] = {}
        for view_id, ceiling in views.items():
            needed = [*own, *(number for at, number in marks.items() if at <= ceiling)]
            lacking = [number for number in needed if view_id not in places.get(number, {})]
            if lacking:
                missing[view_id] = lacking
        return missing

    def _store_context(
        self, stix_id: str, stix_type: str, version: str, version_at: datetime | None,
        content: bytes, tlp: Tlp,
    ) -> int:  # fmt: skip
        row = ObjectRow(
            object_row=0, origin=CONTEXT_ORIGIN, stix_id=StixId(stix_id), stix_type=stix_type,
            spec_version="2.1", version=version, version_at=version_at, tlp=int(tlp), machine=True,
            exercise=False, strength=0, state=VERDICT_STATE, code=None, revoked=False, idn=None,
            name_key=None, published_at=self.now, received_at=self.now, visible_at=self.now,
        )  # fmt: skip
        return store_new_objects(self.tx, [(row, content)])

    def finish(self) -> None:
        """Store the verdicts themselves, and let go of objects that nobody is shown any more."""
        stored.save_verdicts(self.tx, list(self._rows.values()))
        stored.delete_objects(self.tx, self._gone)
