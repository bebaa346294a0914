"""The one serialised write of a publication: settle, cut, seal, store, show, wake.

Invariants:
* an entry, its objects and their views are committed together or not at all;
* an object never stands at two labels: a live one is not published again under another;
* what is sealed resolves for everybody who may read the entry (PROTOCOL 3.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from federation.delivery.plan import ROUTINE
from federation.feeds.printed_labels import UNPRINTED_TYPES
from federation.feeds.writing import policy_members
from federation.policy.closure import find_leaks
from hub.exchange import taking_back, visible
from hub.exchange.held_versions import is_mark
from hub.exchange.marking import write_label
from hub.exchange.noted_sets import store_versions
from hub.exchange.object_rows import audience_of, draft_row, open_label
from hub.exchange.own_feeds import AppendedEntry, append_entry, wake_readers
from hub.exchange.publication import Publication, StoredPublication
from hub.exchange.publishing_order import (
    MAX_BYTES,
    MAX_OBJECTS,
    Prepared,
    in_entries,
    prepared,
)
from hub.node import Node
from hub.peers.audiences import read_by_all_after
from hub.peers.known_nodes import pinned
from hub.storage.queries import objects as stored_objects
from hub.storage.queries.audit import store_event
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.peers import PeerRow
from hub.storage.queries.releases import ReleaseRow, note_release
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName
from schemas.markings import EffectiveLabel, Tlp, tlp2_marking_definition
from schemas.strict_json import strict_loads, write_json

RESERVED = 2
"""Places in an entry kept for the grouping and the label's definition."""
ENTRIES_A_WRITE = 64
"""A long publication is committed in parts, so that readers and pulls get their turn."""


class _DryRun(Exception):
    pass


def store_publication(
    node: Node, publication: Publication, ready: Sequence[Prepared], peers: Sequence[PeerRow]
) -> StoredPublication:
    """Store a publication part by part, each part in one write."""
    outcome = StoredPublication(feeds=tuple(str(feed) for feed in publication.feeds))
    entries = _entries(ready, publication, outcome)
    # A dry run is one write, or its later parts would not see what the earlier ones stored.
    size = max(len(entries), 1) if publication.dry_run else ENTRIES_A_WRITE
    for start in range(0, len(entries), size):
        part = entries[start : start + size]
        with suppress(_DryRun), node.database.write() as tx:
            _PartWrite(tx, node, publication, outcome).store(part, peers)
            if publication.dry_run:
                raise _DryRun
        publication.progress(sum(len(entry) for entry in part))
    return outcome


def _entries(
    ready: Sequence[Prepared], publication: Publication, outcome: StoredPublication
) -> list[tuple[Prepared, ...]]:
    remaining = list(ready)
    # Any entry may need any of the definitions beside its objects.
    room = max(MAX_OBJECTS - RESERVED - len(publication.definitions), MAX_OBJECTS // 2)
    taken = sum(len(write_json(value)) for value in publication.definitions.values())
    while True:
        try:
            return in_entries(remaining, room=room, max_bytes=max(MAX_BYTES - taken, 0))
        except ValueError as error:
            # It cannot be sealed with what it refers to; what refers to it is refused later.
            outcome.refuse(str(error), "E_TOO_BIG", "does not fit into one entry", "Split it.")
            remaining = [item for item in remaining if item.stix_id != str(error)]


class _PartWrite:
    """One write: what is held of the part's ids, and what is new."""

    def __init__(
        self, tx: Transaction, node: Node, publication: Publication, outcome: StoredPublication
    ) -> None:
        self.tx = tx
        self.node = node
        self.publication = publication
        self.outcome = outcome
        self.now: datetime = node.now()
        self.own = pinned(tx, node.node_id)
        self.claims: dict[str, list[ObjectRow]] = {}
        self.contents: dict[int, bytes] = {}
        self.refs: dict[int, frozenset[str]] = {}
        self.carried: dict[int, set[str]] = {}
        self.new: dict[int, ObjectRow] = {}
        self.shown: dict[int, ObjectRow] = {}
        self.since = {
            str(feed): read_by_all_after(tx, feed)
            for feed in publication.feeds
            if feed.kind == "group"
        }
        self.links: list[tuple[int, int, int]] = []
        self._numbers: Iterator[int] = iter(())
        self.definitions = {
            stix_id: prepared(value) for stix_id, value in publication.definitions.items()
        }

    def store(self, part: Sequence[tuple[Prepared, ...]], peers: Sequence[PeerRow]) -> None:
        """Settle, seal and store every entry of the part in every feed."""
        definition = _definition_of(self.publication.tlp)
        given = dict.fromkeys(item.stix_id for entry in part for item in entry)
        ids = given.keys() | {definition.stix_id} | self.definitions.keys()
        refs = {ref for entry in part for item in entry for ref in item.refs}
        self._load(ids | refs)
        held = frozenset(self.claims)
        self._numbers = self._claim_numbers(part)
        for entry in part:
            settled = [item for item in entry if self._settles(item)]
            for feed in self.publication.feeds:
                self._store_entry(settled, feed, definition)
            sealed, refused = self.outcome.stix_ids, self.outcome.refused_ids
            self.outcome.unchanged += sum(
                item.stix_id not in sealed and item.stix_id not in refused for item in settled
            )
        new = [(row, self.contents[number]) for number, row in self.new.items()]
        store_versions(self.tx, new, self.now)
        stored_objects.store_carried(self.tx, self.links)
        if not self.publication.exercise:
            stand = [stix_id for stix_id in given if stix_id not in self.outcome.refused_ids]
            self.publication.note(self.tx, stand, held)
        rows = [self.new.get(number) or row for number, row in self.shown.items()]
        again = self.shown.keys() - self.new.keys()
        visible.show(self.tx, rows, self.contents, self.now, again, self.refs)
        taking_back.end_releases_before(self.tx, self.new.values(), self.claims, self.now)
        wake_readers(self.tx, self.publication.feeds, peers, self.now)
        store_event(
            self.tx,
            self.now,
            self.publication.actor,
            "PUBLISHED",
            tlp=self.publication.tlp.wire,
            feeds=[str(feed) for feed in self.publication.feeds],
            objects=len(self.new),
        )

    def _claim_numbers(self, part: Sequence[tuple[Prepared, ...]]) -> Iterator[int]:
        """Claim row numbers for all that may be new at once; those left over stay unused."""
        wrappings = RESERVED * len(part) * len(self.publication.feeds)
        count = sum(len(entry) for entry in part) + wrappings + len(self.definitions)
        first = stored_objects.claim_object_rows(self.tx, count)
        return iter(range(first, first + count))

    def _load(self, ids: Iterable[str]) -> None:
        for stix_id, claims in stored_objects.claims_of(self.tx, ids).items():
            mine = [row for row in claims if row.origin == self.node.node_id]
            if mine:
                self.claims[stix_id] = mine
        rows = [claims[-1].object_row for claims in self.claims.values()]
        self.contents.update(stored_objects.contents_of(self.tx, rows))
        for carriage in stored_objects.carriages_of(self.tx, rows):
            # What came before the newest member's time stands in the feed for others, not for it.
            if carriage.seq > self.since.get(carriage.feed, 0):
                self.carried.setdefault(carriage.object_row, set()).add(carriage.feed)

    def _settles(self, item: Prepared) -> bool:
        """Tell whether an object may be sealed beside what is held of its id; else refuse it."""
        held = self._newest(item.stix_id)
        if held is None or (is_mark(held) and held.tlp <= self.publication.tlp):
            return True
        if held.state == "withdrawn" or held.revoked:
            self.outcome.refuse(
                item.stix_id, "E_WITHDRAWN", "it was withdrawn", "Publish it under a new id."
            )
            return False
        draft = draft_row(item.value, origin=self.node.node_id, now=self.now)
        if draft.version == held.version and held.exercise != self.publication.exercise:
            self.outcome.refuse(
                item.stix_id,
                "E_LABEL_LIVE",
                "it was published in an exercise" if held.exercise else "it is live for real",
                "Publish it under a new id, or raise `modified`.",
            )
            return False
        if draft.version == held.version and self._same_content(item, held):
            if item.value["type"] in UNPRINTED_TYPES or held.tlp == self.publication.tlp:
                return True
            if held.tlp < self.publication.tlp:
                self.outcome.unchanged += 1  # whoever may read this may read that already
                return False
        if held.tlp != self.publication.tlp and not self._widens(held, draft):
            self.outcome.refuse(
                item.stix_id,
                "E_LABEL_LIVE",
                f"it is live at TLP:{Tlp(held.tlp).wire.upper()}",
                "Withdraw it there first and publish it under a new id.",
            )
            return False
        if (
            draft.version_at is None
            or held.version_at is None
            or draft.version_at <= held.version_at
        ):
            self.outcome.refuse(
                item.stix_id,
                "E_STALE_MODIFIED",
                f"version {held.version} is published already, with other content",
                "Raise `modified`.",
            )
            return False
        return True

    def _widens(self, held: ObjectRow, draft: ObjectRow) -> bool:
        """Tell whether the publication names what made the object narrow (PROTOCOL 3.3)."""
        named = self.publication.supersedes is not None
        return named and held.tlp > self.publication.tlp and draft.follows(held)

    def _same_content(self, item: Prepared, held: ObjectRow) -> bool:
        content = self.contents[held.object_row]
        if item.raw == content:
            return True
        # The same object under a laxer label differs in its TLP mark alone.
        return held.tlp < self.publication.tlp and write_json(
            write_label(strict_loads(content), self.publication.tlp, self.publication.definitions)
        ) == write_json(item.value)

    def _store_entry(
        self, settled: Sequence[Prepared], feed: FeedName, definition: Prepared
    ) -> None:
        closed = self._closed([i for i in settled if not self._is_carried(i, feed)], feed)
        if not closed:
            return
        wrapped = [*self._explaining(closed), *closed]
        if self.publication.wrap is not None:
            wrapped.append(self._grouping(closed))
        if not self._is_carried(definition, feed):
            wrapped.insert(0, definition)
        idn = {item.stix_id: item.idn for item in wrapped if item.idn is not None}
        appended = append_entry(
            self.tx,
            self.node,
            feed,
            kind="put",
            policy=self._policy(feed),
            now=self.now,
            objects=[item.raw for item in wrapped],
            members={
                "idn": idn or None,
                "src": list(self.publication.lineage),
                "supersedes": self.publication.supersedes,
            },
        )
        self._note_release(appended)
        self.outcome.entries += 1
        self.outcome.stix_ids.update(dict.fromkeys(item.stix_id for item in closed))
        for item in wrapped:
            row = self._row_of(item)
            if row.object_row in self.new or feed.kind == "group":
                self.shown[row.object_row] = row
            self.links.append((appended.feed_row, appended.seq, row.object_row))
            self.carried.setdefault(row.object_row, set()).add(str(feed))

    def _note_release(self, appended: AppendedEntry) -> None:
        """Let our own readers have it at that time too."""
        release = self.publication.release
        if release is not None and not self.publication.exercise:
            levels = int(self.publication.tlp), int(release.tlp)
            note_release(self.tx, ReleaseRow(appended.feed_row, appended.seq, release.at, *levels))

    def _explaining(self, items: Sequence[Prepared]) -> list[Prepared]:
        """List the definitions of the items' markings that the entry does not have by itself."""
        found = {item.stix_id: item for item in items}
        waiting = list(items)
        explaining = []
        while waiting:
            for marking in sorted(waiting.pop().markings & self.definitions.keys() - found.keys()):
                found[marking] = self.definitions[marking]
                explaining.append(found[marking])
                waiting.append(found[marking])
        return explaining

    def _closed(self, items: Sequence[Prepared], feed: FeedName) -> list[Prepared]:
        """Leave out objects that refer to what the feed's readers may not see (PROTOCOL 3.4)."""
        remaining = list(items)
        refs = {item.stix_id: item.refs for item in items}
        while remaining:
            label = EffectiveLabel(self.publication.tlp, audience_of([str(feed)]))
            leaks = find_leaks(
                [item.value for item in remaining],
                {item.stix_id: label for item in remaining},
                self._label_of,
                frozenset(self.own.identities),
                refs_of=lambda value: refs[str(value["id"])],
            )
            if not leaks:
                break
            for leak in leaks:
                self.outcome.refuse(
                    leak.stix_id,
                    "E_REF_LEAK",
                    f"it refers to {leak.ref} ({leak.why})",
                    "Publish what it refers to along with it, or drop the reference.",
                )
            leaking = {leak.stix_id for leak in leaks}
            remaining = [item for item in remaining if item.stix_id not in leaking]
        return remaining

    def _label_of(self, stix_id: str) -> EffectiveLabel | None:
        row = self._newest(stix_id)
        there = {"accepted", "exercise"} if self.publication.exercise else {"accepted"}
        if row is None or row.state not in there:
            return None
        return open_label(row, self.carried.get(row.object_row, ()))

    def _newest(self, stix_id: str) -> ObjectRow | None:
        claims = self.claims.get(stix_id)
        return claims[-1] if claims else None

    def _is_carried(self, item: Prepared, feed: FeedName) -> bool:
        row = self._newest(item.stix_id)
        if row is None or self.contents.get(row.object_row) != item.raw:
            return False
        # An earlier epoch went to the same audience, and is served on.
        audience = str(feed).rpartition("/")[0]
        carried = self.carried.get(row.object_row, ())
        return any(name.rpartition("/")[0] == audience for name in carried)

    def _grouping(self, items: Sequence[Prepared]) -> Prepared:
        assert self.publication.wrap is not None  # noqa: S101 - narrowed for mypy
        draft = self.publication.wrap([item.value for item in items])
        value = write_label(draft.value, self.publication.tlp, {})
        return prepared(value, draft.idn_name)

    def _policy(self, feed: FeedName) -> dict[str, object]:
        held = find_feed(self.tx, feed)
        defaults = {"clear": "public", "green": self.node.own.green_relay}
        relay = (held.relay if held else None) or defaults.get(feed.kind, "none")
        stated = self.publication.release
        release = None if stated is None else {"at": stated.at, "tlp": stated.tlp}
        policy = policy_members(
            self.publication.tlp, relay=relay, pap=self.publication.pap, release=release
        )
        if self.publication.urgency != ROUTINE:
            policy["urgency"] = self.publication.urgency
        if self.publication.exercise:
            policy["exercise"] = True
        if self.publication.on_behalf_of:
            policy["on_behalf_of"] = self.publication.on_behalf_of
        return policy

    def _row_of(self, item: Prepared) -> ObjectRow:
        """Return the stored row of an object, or make the row of a new version."""
        held = self._newest(item.stix_id)
        if held is not None and self.contents.get(held.object_row) == item.raw:
            return self._widened(held)
        row = draft_row(
            item.value,
            origin=self.node.node_id,
            now=self.now,
            object_row=next(self._numbers),
            tlp=self.publication.tlp,
            exercise=self.publication.exercise,
            idn=item.idn,
            pinned=self.own,
            state="exercise" if self.publication.exercise else "accepted",
        )
        self.new[row.object_row] = row
        self.contents[row.object_row] = item.raw
        self.refs[row.object_row] = item.refs
        self.claims.setdefault(item.stix_id, []).append(row)
        return row

    def _widened(self, held: ObjectRow) -> ObjectRow:
        """Show a definition, which has no label of its own, wherever it is published."""
        if held.stix_type not in UNPRINTED_TYPES or held.tlp <= self.publication.tlp:
            return held
        row = replace(held, tlp=int(self.publication.tlp))
        if held.object_row in self.new:
            self.new[held.object_row] = row
        else:
            visible.widen(self.tx, row, self.contents, self.now)
        self.claims[held.stix_id][-1] = row
        return row


def _definition_of(tlp: Tlp) -> Prepared:
    return prepared(tlp2_marking_definition(tlp))
