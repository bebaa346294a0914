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
from hub.storage.queries.feeds import FeedRow, find_entry, find_entry_of_hash
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, read_b64
from schemas.markings import EffectiveLabel, Tlp
from schemas.stix.objects import version_of
from schemas.strict_json import strict_loads

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
        self._brought: set[str] = set()

    def load(self, contents: Sequence[JudgedContent]) -> None:
        """Read at once what the entries of the page will ask for."""
        judged = [item for content in contents for item in content.objects]
        ids = {item.stix_id for item in judged}
        refs = {ref for item in judged for ref in item.refs}
        first = stored.claim_object_rows(self.tx, len(judged))
        self._numbers = iter(range(first, first + len(judged)))
        named = {stix_id for content in contents for stix_id in content.content.ids}
        self._loaded, self._brought = ids | refs | named, ids
        self._read()

    def _read(self) -> None:
        self._claims = stored.claims_of(self.tx, self._loaded)
        # Contents only of what may be compared, carriages only of the origin's own: else anybody
        # could make an id that others refer to costly, by claiming it in many large versions.
        compared = [r.object_row for i in self._brought for r in self._claims.get(i, ())]
        self._contents = stored.contents_of(self.tx, compared)
        mine = [r.object_row for stix_id in self._claims for r in self._mine(stix_id)]
        self._carried = {}
        for object_row, feed in stored.feeds_that_carried(self.tx, mine):
            self._carried.setdefault(object_row, set()).add(feed)

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
            self._withdraw(judged)
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
        """List the origin's versions of an object, the newest last."""
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
        """Check the order of versions, which is this feed's own: feeds overtake each other."""
        mine = self._mine(item.stix_id)
        if not mine or self._renewed(item, judged, mine):
            return
        row = draft_row(item.value, origin=self.origin.node_id, now=self.now)
        repeated = self._repeated(item, mine)
        here = [r for r in mine if self.feed.feed in self._carried.get(r.object_row, ())]
        if here and here[-1] is not repeated and not row.follows(here[-1]):
            raise ContentRejected(
                "E_STALE_MODIFIED", f"{item.stix_id} does not follow version {here[-1].version}"
            )
        if not repeated and any(row.version_at == r.version_at for r in mine):
            raise ContentRejected(
                "E_STALE_MODIFIED", f"{item.stix_id} has other content under version {row.version}"
            )

    def _repeated(self, item: JudgedObject, mine: Sequence[ObjectRow]) -> ObjectRow | None:
        """Find the version that is held already, byte for byte."""
        newest = mine[-1]
        if newest.stix_type in SHARED_TYPES and item.value.get("modified") is None:
            return newest
        return next((r for r in mine if self._contents[r.object_row] == item.raw), None)

    def _renewed(
        self, item: JudgedObject, judged: JudgedContent, mine: Sequence[ObjectRow]
    ) -> ObjectRow | None:
        """Find the version that nobody has and that comes again for good, in its row's place.

        The innocent objects of an erased entry are put again, and an exercise may become real.
        """
        for held in mine:
            if held.version == version_of(item.value) and (
                held.state == "erased"
                or (
                    held.state == "exercise"
                    and not judged.exercise
                    and self._repeated(item, [held]) is not None
                )
            ):
                return held
        return None

    def _withdraw(self, judged: JudgedContent) -> None:
        self._flush()
        gone = [
            row
            for stix_id in dict.fromkeys(judged.content.ids)
            for row in self._mine(stix_id)
            if not row.revoked and taking_back.counts_for(row, exercise=judged.exercise)
        ]
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
        renewed = self._renewed(item, judged, mine)
        held = self._repeated(item, mine) if mine and not renewed else None
        row = held or self._new_row(entry, judged, item, renewed)
        if held is None:
            self._tighten_wider(row, mine, entry.hash)
        self._links.append((self.feed.feed_row, entry.header.seq, row.object_row))
        self._carried.setdefault(row.object_row, set()).add(self.feed.feed)
        if held is not None:
            self._widen_definition(held, item)
            return
        self._contents[row.object_row] = item.raw
        if renewed is None:
            self._new.append(row)
            claims = self._claims.setdefault(item.stix_id, [])
            claims.append(row)
            claims.sort(key=stored.by_version)
        else:
            self._flush()
            stored.replace_object(self.tx, row, item.raw)
            visible.show(self.tx, [row], self._contents, self.now)
            self._note([row])
        self.accepted += row.state == "accepted"
        self.quarantined += row.state == "quarantined"

    def _widen_definition(self, held: ObjectRow, item: JudgedObject) -> None:
        """Show a definition, which has no label of its own, wherever its origin sends it."""
        if held.stix_type in UNPRINTED_TYPES and item.tlp < held.tlp and held.state == "accepted":
            self._flush()
            row = replace(held, tlp=int(item.tlp))
            visible.widen(self.tx, row, self._contents, self.now)
            self._note([row])

    def _new_row(
        self,
        entry: OpenedEntry,
        judged: JudgedContent,
        item: JudgedObject,
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
        mine = self._mine(item.stix_id)
        if judged.content.kind != "retract":
            if any(r.state == "withdrawn" or (r.revoked and row.follows(r)) for r in mine):
                # What was withdrawn never comes back; what came along with it is innocent.
                row = replace(row, state="withdrawn", code=None)
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
        if superseded is not None and row.follows(narrower):
            self._flush()
            old = find_entry_of_hash(self.tx, superseded)
            carriages = stored.carriages_of(self.tx, [narrower.object_row])
            if old and any((c.feed_row, c.seq) == (old.feed_row, old.seq) for c in carriages):
                return row
        return replace(row, state="withheld", code="E_LABEL_LIVE", tlp=narrower.tlp)

    def _tighten_wider(
        self, row: ObjectRow, others: Sequence[ObjectRow], entry_hash: EntryHash
    ) -> None:
        """Let the label of a version bind the wider ones, whatever the trust gate made of it."""
        if row.state in NOT_LIVE or row.code in NOT_ITS_LABEL:
            return
        wider = [
            r
            for r in others
            if r.tlp < row.tlp and not (r.follows(row) and self._supersedes(r, entry_hash))
        ]
        if wider:
            self._flush()
            self._note(taking_back.tighten(self.tx, wider, Tlp(row.tlp), self.now))

    def _supersedes(self, row: ObjectRow, entry_hash: EntryHash) -> bool:
        """Tell whether a later version, which overtook the narrow one, names its entry."""
        self._flush()
        for carriage in stored.carriages_of(self.tx, [row.object_row]):
            entry = find_entry(self.tx, carriage.feed_row, carriage.seq)
            if entry is not None and entry.record:
                payload = read_b64(strict_loads(entry.record)["dsse"]["payload"])
                if strict_loads(payload).get("supersedes") == entry_hash:
                    return True
        return False
