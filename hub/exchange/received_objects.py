"""Admit the objects of received entries: what needs the store, inside the page's one write.

The order is PROTOCOL 2.4's: references, version order, ownership, trust gate. Invariants:
* the key of an object is ``(origin, stix_id)``; no origin changes another's objects;
* what an origin withdrew never comes back, however often an old copy is delivered;
* of a wide and a narrow version the narrow one wins until the origin says otherwise (3.3).

Entries are judged one after the other, and what they changed is visible to the next one of the
same page, as if each had its own transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from federation.errors import ContentRejected
from federation.feeds.entry import OpenedEntry
from federation.feeds.ownership import Claim, decide_claims
from federation.identity.node_document import PinnedNode
from federation.policy.admission import decide_admission
from federation.policy.closure import find_leaks
from federation.trust.presets import TrustLevel
from hub.exchange import taking_back, visible
from hub.exchange.object_rows import audience_of, draft_row, open_label
from hub.exchange.received_content import JudgedContent, JudgedObject
from hub.peers.standing import standing_of
from hub.storage.queries import objects as stored
from hub.storage.queries.feeds import FeedRow, find_entry_of_hash
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
from schemas.markings import EffectiveLabel, Tlp
from schemas.stix.objects import META_TYPES, SCO_TYPES

SHARED_TYPES = SCO_TYPES | META_TYPES
"""Facts and definitions without an owner: no claim to their ids, the first copy is kept."""


class ReceivedObjects:
    """The objects of one page of one origin."""

    def __init__(
        self,
        tx: Transaction,
        origin: PinnedNode,
        peer: PeerRow | None,
        feed: FeedRow,
        now: datetime,
    ) -> None:
        self.tx = tx
        self.origin = origin
        self.feed = feed
        self.now = now
        self.accepted = 0
        self.quarantined = 0
        self.taken = 0
        self.taken_back = False
        # The origin's trust and never the sender's: a relay lends none (PROTOCOL 3.2).
        self._trust = TrustLevel.KNOWN if peer is None else standing_of(peer).effective_trust
        self._inbound = None if peer is None else peer.inbound
        self._claims: dict[str, list[ObjectRow]] = {}
        self._contents: dict[int, bytes] = {}
        self._carried: dict[int, set[str]] = {}
        self._new: list[ObjectRow] = []
        self._numbers: Iterator[int] = iter(())
        self._links: list[tuple[int, int, int]] = []

    def load(self, contents: Iterable[JudgedContent]) -> None:
        """Read at once what the entries of the page will ask for."""
        judged = [item for content in contents for item in content.objects]
        ids = {item.stix_id for item in judged}
        refs = {ref for item in judged for ref in item.refs}
        first = stored.claim_object_rows(self.tx, len(judged))
        self._numbers = iter(range(first, first + len(judged)))
        withdrawn = {stix_id for content in contents for stix_id in content.content.ids}
        self._claims = stored.claims_of(self.tx, ids | refs | withdrawn)
        rows = [row.object_row for rows in self._claims.values() for row in rows]
        self._contents = stored.contents_of(self.tx, rows)
        for carriage in stored.carriages_of(self.tx, rows):
            self._carried.setdefault(carriage.object_row, set()).add(carriage.feed)

    def admit(self, entry: OpenedEntry, judged: JudgedContent) -> None:
        """Admit one entry's content.

        Raises:
            ContentRejected: ``E_REF_LEAK``, ``E_STALE_MODIFIED``; nothing of it was admitted.
        """
        # 1. References (PROTOCOL 3.4). 2. Version order. Both for the whole entry, before any
        #    object of it is touched.
        self._check_closure(judged)
        for item in judged.objects:
            self._check_version(item)
        kind = judged.content.kind
        if kind == "retract":
            self._withdraw(judged.content.ids)
        for item in judged.objects:
            self._admit_object(entry, judged, item, is_last_word=kind == "retract")
        self.taken += len(judged.objects)
        if kind in {"restrict", "erase"}:
            self._flush()
            taking_back.take_back(self.tx, self.feed, self.origin.node_id, judged, self.now)
            self.taken_back = self.taken_back or kind == "erase" or judged.content.stop_relay

    def store(self) -> None:
        """Store what is still pending."""
        self._flush()

    def _flush(self) -> None:
        stored.store_objects(self.tx, [(r, self._contents[r.object_row]) for r in self._new])
        stored.store_carried(self.tx, self._links)
        visible.show(self.tx, self._new, self._contents, self.now)
        self._new, self._links = [], []

    def _mine(self, stix_id: str) -> list[ObjectRow]:
        return [r for r in self._claims.get(stix_id, ()) if r.origin == self.origin.node_id]

    def _check_closure(self, judged: JudgedContent) -> None:
        if not judged.objects or judged.tlp is None:
            return
        label = EffectiveLabel(judged.tlp, audience_of([self.feed.feed]))
        refs = {item.stix_id: item.refs for item in judged.objects}
        leaks = find_leaks(
            [item.value for item in judged.objects],
            {item.stix_id: label for item in judged.objects},
            self._resolve,
            frozenset(self.origin.identities),
            refs_of=lambda value: refs[str(value["id"])],
        )
        if leaks:
            raise ContentRejected(
                "E_REF_LEAK", f"{leaks[0].stix_id} refers to {leaks[0].ref} ({leaks[0].why})"
            )

    def _resolve(self, stix_id: str) -> EffectiveLabel | None:
        # Among the origin's own objects alone: then every receiver of the feed comes to the same
        # answer, whatever else it holds.
        mine = self._mine(stix_id)
        if not mine:
            return None
        return open_label(mine[-1], self._carried.get(mine[-1].object_row, ()))

    def _check_version(self, item: JudgedObject) -> None:
        mine = self._mine(item.stix_id)
        if not mine:
            return
        if mine[-1].state == "withdrawn" or mine[-1].revoked:
            raise ContentRejected("E_STALE_MODIFIED", f"{item.stix_id} was withdrawn for good")
        if self._is_repeat(item, mine[-1]):
            return
        if not draft_row(item.value, origin=self.origin.node_id, now=self.now).follows(mine[-1]):
            raise ContentRejected(
                "E_STALE_MODIFIED", f"{item.stix_id} does not follow version {mine[-1].version}"
            )

    def _is_repeat(self, item: JudgedObject, held: ObjectRow) -> bool:
        if held.stix_type in SHARED_TYPES and item.value.get("modified") is None:
            return True
        return self._contents[held.object_row] == item.raw

    def _withdraw(self, ids: Sequence[str]) -> None:
        self._flush()
        gone = [row for stix_id in ids for row in self._mine(stix_id)]
        stored.update_objects(self.tx, [r.object_row for r in gone], state="withdrawn")
        visible.hide(self.tx, gone, self.now)
        self._forget({row.object_row for row in gone}, "withdrawn")

    def _forget(self, numbers: set[int], state: str) -> None:
        for stix_id, rows in self._claims.items():
            self._claims[stix_id] = [
                replace(row, state=state) if row.object_row in numbers else row for row in rows
            ]

    def _admit_object(
        self, entry: OpenedEntry, judged: JudgedContent, item: JudgedObject, *, is_last_word: bool
    ) -> None:
        mine = self._mine(item.stix_id)
        repeat = bool(mine) and self._is_repeat(item, mine[-1])
        row = mine[-1] if repeat else self._new_row(entry, judged, item, mine, is_last_word)
        self._links.append((self.feed.feed_row, entry.header.seq, row.object_row))
        self._carried.setdefault(row.object_row, set()).add(self.feed.feed)
        if repeat:
            return
        self._contents[row.object_row] = item.raw
        self._new.append(row)
        self._claims.setdefault(item.stix_id, []).append(row)
        self.accepted += row.state == "accepted"
        self.quarantined += row.state == "quarantined"
        if mine and row.state == "accepted" and row.tlp > min(r.tlp for r in mine):
            self._flush()
            visible.narrow(self.tx, row, mine)

    def _new_row(
        self,
        entry: OpenedEntry,
        judged: JudgedContent,
        item: JudgedObject,
        mine: Sequence[ObjectRow],
        is_last_word: bool,
    ) -> ObjectRow:
        admission = decide_admission(
            origin_trust=self._trust,
            inbound=self._inbound,
            exercise=judged.exercise,
            unknown_marking=item.unknown_marking,
        )
        state, code = admission.state, None if admission.state == "accepted" else admission.code
        row = draft_row(
            item.value,
            origin=self.origin.node_id,
            now=self.now,
            object_row=next(self._numbers),
            tlp=item.tlp,
            machine=judged.content.policy.machine is True,
            exercise=judged.exercise,
            state=state,
            code=code,
            published_at=entry.header.ts,
        )
        row = replace(row, strength=item.strength, idn=item.idn)
        if row.stix_type not in SHARED_TYPES:
            row = self._settle_claims(row, item)
        if mine and not is_last_word and row.tlp < mine[-1].tlp:
            row = self._settle_widening(row, judged, mine[-1])
        if is_last_word and mine and row.state == "accepted" and not _was_visible(mine):
            # A withdrawal of what no reader saw is no news to readers either.
            row = replace(row, state="withdrawn")
        return row

    def _settle_claims(self, row: ObjectRow, item: JudgedObject) -> ObjectRow:
        """Let the stronger claim on the id win, whatever the arrival order (PROTOCOL 2.4).

        The loser is quarantined only where the winner's label is no stricter than the loser's;
        else a reader could infer a RED claim from a missing GREEN one. There each view settles it.
        """
        for rival in self._claims.get(item.stix_id, ()):
            if rival.origin == row.origin or rival.state not in {"accepted", "quarantined"}:
                continue
            same = self._contents.get(rival.object_row) == item.raw
            claim = decide_claims(rival.strength, row.strength, same_content=same)
            if claim is Claim.HELD_WINS and rival.tlp <= row.tlp and row.state != "refused":
                row = replace(row, state="quarantined", code="E_ID_CONFLICT")
            if claim is Claim.NEW_WINS and row.tlp <= rival.tlp:
                self._flush()
                stored.update_objects(
                    self.tx, [rival.object_row], state="quarantined", code="E_ID_CONFLICT"
                )
                visible.hide(self.tx, [rival], self.now)
                self._forget({rival.object_row}, "quarantined")
        return row

    def _settle_widening(
        self, row: ObjectRow, judged: JudgedContent, narrower: ObjectRow
    ) -> ObjectRow:
        """Keep the narrow version in force unless the entry supersedes it by name (3.3)."""
        superseded = judged.content.supersedes
        if superseded is not None:
            old = find_entry_of_hash(self.tx, superseded)
            carriages = stored.carriages_of(self.tx, [narrower.object_row])
            if old and any((c.feed_row, c.seq) == (old.feed_row, old.seq) for c in carriages):
                return row
        return replace(row, state="withheld", code="E_LABEL_LIVE", tlp=int(Tlp(narrower.tlp)))


def _was_visible(rows: Sequence[ObjectRow]) -> bool:
    return any(row.visible_at is not None for row in rows)
