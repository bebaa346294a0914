"""Admit the objects of received entries: what needs the store, inside the page's one write.

The order is PROTOCOL 2.4's: references, version order, ownership, trust gate. Invariants:
* the key of an object is ``(origin, stix_id)``; no origin changes another's objects;
* what an origin withdrew never comes back, however often an old copy is delivered;
* of a wide and a narrow version the narrow one wins until the origin says otherwise (3.3).

Entries are judged one after the other, and what they changed is visible to the next one of the
same page, as if each had its own transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from federation.errors import ContentRejected
from federation.feeds.entry import OpenedEntry
from federation.feeds.printed_labels import UNPRINTED_TYPES
from federation.identity.node_document import PinnedNode
from federation.policy.admission import decide_admission
from federation.policy.closure import find_leaks
from federation.trust.presets import TrustLevel
from hub.exchange import rival_claims, taking_back, visible
from hub.exchange.object_rows import audience_of, draft_row, open_label
from hub.exchange.received_content import JudgedContent, JudgedObject
from hub.exchange.rival_claims import SHARED_TYPES
from hub.peers.standing import standing_of
from hub.storage.queries import objects as stored
from hub.storage.queries.feeds import FeedRow, find_entry_of_hash
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
from schemas.markings import EffectiveLabel
from schemas.stix.objects import version_of

NOT_LIVE = frozenset({"exercise", "erased"})
"""States of what counts for nobody, so that a later version is bound to nothing by it."""
NOT_ITS_LABEL = frozenset({"E_LABEL_LIVE", "E_UNKNOWN_MARKING"})
"""Codes of versions whose stored label is our caution and not what the origin said."""


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
        self._loaded: set[str] = set()

    def load(self, contents: Sequence[JudgedContent]) -> None:
        """Read at once what the entries of the page will ask for."""
        judged = [item for content in contents for item in content.objects]
        ids = {item.stix_id for item in judged}
        refs = {ref for item in judged for ref in item.refs}
        first = stored.claim_object_rows(self.tx, len(judged))
        self._numbers = iter(range(first, first + len(judged)))
        named = {stix_id for content in contents for stix_id in content.content.ids}
        self._loaded = ids | refs | named
        self._read()

    def _read(self) -> None:
        self._claims = stored.claims_of(self.tx, self._loaded)
        rows = [row.object_row for rows in self._claims.values() for row in rows]
        self._contents = stored.contents_of(self.tx, rows)
        self._carried = {}
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
            self._check_version(item, judged)
        kind = judged.content.kind
        if kind == "retract":
            self._withdraw(judged.content.ids)
        for item in judged.objects:
            self._admit_object(entry, judged, item)
        self.taken += len(judged.objects)
        if kind in {"restrict", "erase"}:
            self._flush()
            taking_back.take_back(self.tx, self.feed, self.origin.node_id, judged, self.now)
            self.taken_back = self.taken_back or kind == "erase" or judged.content.stop_relay
            self._read()

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

    def _check_version(self, item: JudgedObject, judged: JudgedContent) -> None:
        mine = self._mine(item.stix_id)
        if not mine or self._renews(item, judged, mine[-1]):
            return
        held = mine[-1]
        if held.revoked and self._is_repeat(item, held):
            return  # the same last word, in another feed
        if held.state == "withdrawn" or held.revoked:
            raise ContentRejected("E_STALE_MODIFIED", f"{item.stix_id} was withdrawn for good")
        if self._is_repeat(item, held):
            return
        if not draft_row(item.value, origin=self.origin.node_id, now=self.now).follows(held):
            raise ContentRejected(
                "E_STALE_MODIFIED", f"{item.stix_id} does not follow version {held.version}"
            )

    def _is_repeat(self, item: JudgedObject, held: ObjectRow) -> bool:
        if held.stix_type in SHARED_TYPES and item.value.get("modified") is None:
            return True
        return self._contents[held.object_row] == item.raw

    def _renews(self, item: JudgedObject, judged: JudgedContent, held: ObjectRow) -> bool:
        """Tell whether a version that nobody has comes again for good: it takes its row's place.

        The innocent objects of an erased entry are put again, and an exercise may become real.
        """
        if held.version != version_of(item.value):
            return False
        if held.state == "erased":
            return True
        return held.state == "exercise" and not judged.exercise and self._is_repeat(item, held)

    def _withdraw(self, ids: Sequence[str]) -> None:
        self._flush()
        gone = [row for stix_id in ids for row in self._mine(stix_id) if not row.revoked]
        stored.update_objects(self.tx, [r.object_row for r in gone], state="withdrawn")
        visible.hide(self.tx, gone, self.now)
        self._note([replace(row, state="withdrawn") for row in gone])

    def _note(self, changed: Sequence[ObjectRow]) -> None:
        """Let the next entries of this page see what was changed."""
        by_number = {row.object_row: row for row in changed}
        for stix_id in {row.stix_id for row in changed}:
            rows = self._claims.get(stix_id, ())
            self._claims[stix_id] = [by_number.get(row.object_row, row) for row in rows]

    def _admit_object(self, entry: OpenedEntry, judged: JudgedContent, item: JudgedObject) -> None:
        mine = self._mine(item.stix_id)
        renewed = mine[-1] if mine and self._renews(item, judged, mine[-1]) else None
        held = mine[-1] if mine and not renewed and self._is_repeat(item, mine[-1]) else None
        row = held or self._new_row(entry, judged, item, mine, renewed)
        self._links.append((self.feed.feed_row, entry.header.seq, row.object_row))
        self._carried.setdefault(row.object_row, set()).add(self.feed.feed)
        if held is not None:
            self._widen_definition(held, item)
            return
        self._contents[row.object_row] = item.raw
        if renewed is None:
            self._new.append(row)
            self._claims.setdefault(item.stix_id, []).append(row)
        else:
            self._flush()
            stored.replace_object(self.tx, row, item.raw)
            visible.show(self.tx, [row], self._contents, self.now)
            self._note([row])
        self.accepted += row.state == "accepted"
        self.quarantined += row.state == "quarantined"
        if mine and visible.narrows(row) and row.tlp > min(r.tlp for r in mine):
            # Whatever state it has: the origin's last word on the label binds at once.
            self._flush()
            visible.narrow(self.tx, row, mine)

    def _widen_definition(self, held: ObjectRow, item: JudgedObject) -> None:
        """Show a definition, which has no label of its own, wherever its origin sends it."""
        if held.stix_type in UNPRINTED_TYPES and item.tlp < held.tlp and held.state == "accepted":
            self._flush()
            row = replace(held, tlp=int(item.tlp))
            stored.update_objects(self.tx, [row.object_row], tlp=row.tlp)
            visible.show(self.tx, [row], self._contents, self.now)
            self._note([row])

    def _new_row(
        self,
        entry: OpenedEntry,
        judged: JudgedContent,
        item: JudgedObject,
        mine: Sequence[ObjectRow],
        renewed: ObjectRow | None,
    ) -> ObjectRow:
        admission = decide_admission(
            origin_trust=self._trust,
            inbound=self._inbound,
            exercise=judged.exercise,
            unknown_marking=item.unknown_marking,
        )
        row = draft_row(
            item.value,
            origin=self.origin.node_id,
            now=self.now,
            object_row=next(self._numbers) if renewed is None else renewed.object_row,
            tlp=item.tlp,
            machine=judged.content.policy.machine is True,
            exercise=judged.exercise,
            state=admission.state,
            code=None if admission.state == "accepted" else admission.code,
            published_at=entry.header.ts,
        )
        row = self._settle_claims(replace(row, strength=item.strength), item)
        is_last_word = judged.content.kind == "retract"
        if not is_last_word:
            row = self._settle_widening(row, judged, mine)
        elif row.state == "accepted" and not any(held.visible_at for held in mine):
            # A withdrawal of what no reader saw is no news to readers either.
            row = replace(row, state="withdrawn")
        return replace(row, visible_at=self.now if row.state == "accepted" else None)

    def _settle_claims(self, row: ObjectRow, item: JudgedObject) -> ObjectRow:
        """Let the stronger claim on the id win, whatever the arrival order (PROTOCOL 2.4)."""
        claims = self._claims.get(item.stix_id, ())
        row, losers = rival_claims.settle(row, item.raw, claims, self._contents)
        if losers:
            self._flush()
            rival_claims.displace(self.tx, losers, self.now)
            self._note([replace(loser, state="quarantined") for loser in losers])
        return row

    def _settle_widening(
        self, row: ObjectRow, judged: JudgedContent, mine: Sequence[ObjectRow]
    ) -> ObjectRow:
        """Keep a narrower version in force unless the entry supersedes it by name (3.3)."""
        said = [r for r in mine if r.state not in NOT_LIVE and r.code not in NOT_ITS_LABEL]
        if not said or row.tlp >= said[-1].tlp or row.state in NOT_LIVE:
            return row
        narrower = said[-1]
        superseded = judged.content.supersedes
        if superseded is not None:
            self._flush()
            old = find_entry_of_hash(self.tx, superseded)
            carriages = stored.carriages_of(self.tx, [narrower.object_row])
            if old and any((c.feed_row, c.seq) == (old.feed_row, old.seq) for c in carriages):
                return row
        return replace(row, state="withheld", code="E_LABEL_LIVE", tlp=narrower.tlp)
