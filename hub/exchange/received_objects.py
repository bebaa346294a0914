"""Admit the objects of received entries: what needs the store, inside the page's one write.

The order is PROTOCOL 2.4's: references, version order, ownership, trust gate. Invariants:
* the key of an object is ``(origin, stix_id)``; no origin changes another's objects;
* what an origin withdrew never comes back, however often an old copy is delivered;
* of a wide and a narrow version the narrow one wins until the origin says otherwise (3.3).

Entries are judged one after the other, and what they changed is visible to the next one of the
same page, as if each had its own transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from federation.errors import ContentRejected, EntryDeferred
from federation.feeds.chain import closes_feed
from federation.feeds.entry import OpenedEntry
from federation.feeds.printed_labels import UNPRINTED_TYPES
from federation.identity.node_document import PinnedNode
from federation.policy.closure import PUBLIC_IDS, find_leaks
from hub.exchange import rival_claims, superseding, taking_back, visible
from hub.exchange.held_versions import (
    ERASED_HERE,
    LABEL_LIVE,
    NOT_ITS_LABEL,
    NOT_LIVE,
    find_renewed,
    find_repeated,
    find_said,
    is_erased_copy,
    is_mark,
    require_order,
)
from hub.exchange.noted_sets import replace_version, store_versions
from hub.exchange.object_rows import audience_of, draft_row, open_label
from hub.exchange.received_content import JudgedContent, JudgedObject
from hub.exchange.releases import note_release_of
from hub.exchange.tombstones import lay_marks, lay_tombstones
from hub.exchange.trust_gate import CORROBORATION, TrustGate
from hub.peers.standing import SUSPENDED
from hub.storage.queries import objects as stored
from hub.storage.queries.feeds import FeedRow
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
from hub.verdicts.marks import ask_for_work
from schemas.identifiers import EntryHash
from schemas.markings import EffectiveLabel, Tlp

LEAK = "E_REF_LEAK"
UNRESOLVED = frozenset({"dangling", "dangling-observable"})
"""Why a reference leaks that a wider feed of the same origin may still resolve."""


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
        self.accepted = self.quarantined = self.taken = 0
        self.taken_back = self.may_come = False
        # The origin's trust and never the sender's: a relay lends none (PROTOCOL 3.2).
        self.gate = TrustGate(peer)
        self._public = PUBLIC_IDS | frozenset(origin.identities)
        self._claims: dict[str, list[ObjectRow]] = {}
        self._contents: dict[int, bytes] = {}
        self._carried: dict[int, set[str]] = {}
        self._new: list[ObjectRow] = []
        self._shown: dict[int, ObjectRow] = {}
        self._refs: dict[int, frozenset[str]] = {}
        self._left: set[str] = set()
        self._numbers: Iterator[int] = iter(())
        self._links: list[tuple[int, int, int]] = []
        self._loaded: set[str] = set()
        self._brought: set[str] = set()
        self._fresh: Collection[str] = ()
        self.flush_entries: Callable[[], None] = lambda: None

    def load(self, contents: Sequence[JudgedContent]) -> None:
        """Read at once what the entries of the page will ask for."""
        judged = [item for content in contents for item in content.objects]
        ids = {item.stix_id for item in judged}
        refs = {ref for item in judged for ref in item.refs}
        first = stored.claim_object_rows(self.tx, len(judged))
        self._numbers = iter(range(first, first + len(judged)))
        named = {stix_id for content in contents for stix_id in content.content.ids}
        self._loaded, self._brought = ids | refs | named, ids
        self._read(self._loaded)
        self._fresh = ids.difference(self._claims)

    def _read(self, ids: Collection[str]) -> None:
        """Read what is held of some objects: again only of what was changed, not of all the page.

        Else a page of entries that name many objects each would be read as often as it is long.
        """
        found = stored.claims_of(self.tx, ids)
        self._claims.update(found)
        # Contents only of what may be compared, carriages only of the origin's own: else anybody
        # could make an id that others refer to costly, by claiming it in many large versions.
        compared = [r.object_row for i, rows in found.items() if i in self._brought for r in rows]
        self._contents.update(stored.contents_of(self.tx, compared))
        mine = [r.object_row for stix_id in found for r in self._mine(stix_id)]
        for object_row in mine:
            self._carried.pop(object_row, None)
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
            self._withdraw(entry, judged)
        for item in judged.objects:
            self._admit_object(entry, judged, item)
        self.taken += len(judged.objects)
        if judged.content.policy.release is not None:
            note_release_of(self.tx, self.feed.feed_row, entry.header.seq, judged.content.policy)
        if kind in {"restrict", "erase"}:
            self._take_back(entry, judged)

    def store(self) -> None:
        """Store what is still pending."""
        self._flush()

    def _flush(self) -> None:
        new = [(row, self._contents[row.object_row]) for row in self._new]
        store_versions(self.tx, new, self.now)
        stored.store_carried(self.tx, self._links)
        if any(row.code == CORROBORATION or row.stix_type == "opinion" for row in self._new):
            ask_for_work(self.tx, self.now)  # a second voice, or an authority's, may have come
        again = self._shown.keys() - {row.object_row for row in self._new}
        shown, fresh = list(self._shown.values()), self._fresh
        visible.show(self.tx, shown, self._contents, self.now, again, self._refs, fresh=fresh)
        self._fresh = ()  # what was shown by now stands there
        visible.close(self.tx, self._left, self.now)
        self._new, self._links, self._shown, self._refs, self._left = [], [], {}, {}, set()

    def _mine(self, stix_id: str) -> list[ObjectRow]:
        """List the origin's versions of an object, the newest last."""
        claims = self._claims.get(stix_id)
        return [r for r in claims if r.origin == self.origin.node_id] if claims else []

    def _check_closure(self, judged: JudgedContent) -> None:
        if not judged.objects or judged.tlp is None:
            return
        referring = [item for item in judged.objects if not item.refs <= self._public]
        if not referring:
            return
        label = EffectiveLabel(judged.tlp, audience_of([self.feed.feed]))
        refs = {item.stix_id: item.refs for item in referring}
        leaks = find_leaks(
            [item.value for item in referring],
            {item.stix_id: label for item in judged.objects},
            self._resolve,
            self._public,
            refs_of=lambda value: refs[str(value["id"])],
        )
        if leaks:
            first = leaks[0]
            if self.may_come and all(leak.why in UNRESOLVED for leak in leaks):
                raise EntryDeferred(LEAK, f"held back until {first.ref} of a wider feed has come")
            raise ContentRejected(LEAK, f"{first.stix_id} refers to {first.ref} ({first.why})")

    def _resolve(self, stix_id: str) -> EffectiveLabel | None:
        # Among the origin's own objects alone: then every receiver of the feed comes to the same
        # answer, whatever else it holds.
        mine = [row for row in self._mine(stix_id) if not is_mark(row)]
        if not mine:
            return None
        return open_label(mine[-1], self._carried.get(mine[-1].object_row, ()))

    def _check_version(self, item: JudgedObject, judged: JudgedContent) -> None:
        """Check the order of versions, which is this feed's own: feeds overtake each other."""
        mine = self._mine(item.stix_id)
        if not mine or self._renewed(item, judged, mine):
            return
        row = draft_row(item.value, origin=self.origin.node_id, now=self.now)
        here = [r for r in mine if self.feed.feed in self._carried.get(r.object_row, ())]
        require_order(row, self._repeated(item, mine), mine, here)

    def _repeated(self, item: JudgedObject, mine: Sequence[ObjectRow]) -> ObjectRow | None:
        return find_repeated(item, mine, self._contents)

    def _renewed(
        self, item: JudgedObject, judged: JudgedContent, mine: Sequence[ObjectRow]
    ) -> ObjectRow | None:
        return find_renewed(item, mine, self._contents, exercise=judged.exercise)

    def _withdraw(self, entry: OpenedEntry, judged: JudgedContent) -> None:
        self._flush()
        if not judged.exercise and not closes_feed(entry):
            brought = {item.stix_id for item in judged.objects}
            unknown = [i for i in dict.fromkeys(judged.content.ids) if not self._mine(i)]
            missing = [i for i in unknown if i not in brought]
            lay_tombstones(self.tx, self.origin.node_id, missing, entry.header.ts, self.now)
            self._read(missing)
        gone = [
            row
            for stix_id in dict.fromkeys(judged.content.ids)
            for row in self._mine(stix_id)
            if not row.revoked and taking_back.counts_for(row, exercise=judged.exercise)
        ]
        stored.update_objects(self.tx, [r.object_row for r in gone], state="withdrawn")
        visible.hide(self.tx, gone, self.now, closing=False)  # a last version may come with it
        self._left |= {row.stix_id for row in gone}
        self._note([replace(row, state="withdrawn") for row in gone])

    def _take_back(self, entry: OpenedEntry, judged: JudgedContent) -> None:
        self._flush()
        said = judged.content
        carried = stored.carried_by(self.tx, self.feed.feed_row, said.seqs_taken_back)
        changed = self._loaded.intersection([*said.ids, *(row.stix_id for row in carried)])
        taking_back.take_back(
            self.tx, self.feed, self.origin.node_id, entry.header, judged, self.now
        )
        lay_marks(self.tx, entry.header, judged, self._mine, self.now, own=self.feed.own)
        self._read(changed)
        self.taken_back = self.taken_back or said.kind == "erase" or said.stop_relay

    def _note(self, changed: Sequence[ObjectRow]) -> None:
        """Let the next entries of this page see what was changed."""
        by_number = {row.object_row: row for row in changed}
        for stix_id in {row.stix_id for row in changed}:
            rows = self._claims.get(stix_id, ())
            self._claims[stix_id] = [by_number.get(row.object_row, row) for row in rows]

    def _admit_object(self, entry: OpenedEntry, judged: JudgedContent, item: JudgedObject) -> None:
        mine = self._mine(item.stix_id)
        renewed = self._renewed(item, judged, mine) if mine else None
        held = self._repeated(item, mine) if mine and not renewed else None
        row = held or self._new_row(entry, judged, item, renewed)
        if held is None and mine:
            self._tighten_wider(row, mine, entry.hash)
        self._links.append((self.feed.feed_row, entry.header.seq, row.object_row))
        self._carried.setdefault(row.object_row, set()).add(self.feed.feed)
        if held is not None:
            self._widen_definition(held, item)
            if held.code == LABEL_LIVE and judged.content.supersedes is not None:
                self._lift(held, judged, item)
            if self.feed.name.kind == "group":
                self._shown.setdefault(held.object_row, held)
            return
        self._contents[row.object_row] = b"" if row.state == taking_back.ERASED else item.raw
        if renewed is None:
            self._new.append(row)
            self._shown[row.object_row] = row
            self._refs[row.object_row] = item.refs
            claims = self._claims.setdefault(item.stix_id, [])
            claims.append(row)
            if len(claims) > 1:
                claims.sort(key=stored.by_version)
        else:
            self._flush()
            replace_version(self.tx, row, self._contents[row.object_row], self.now)
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
        state, code = self._admitted(judged, item)
        row = draft_row(
            item.value,
            origin=self.origin.node_id,
            now=self.now,
            object_row=next(self._numbers) if renewed is None else renewed.object_row,
            tlp=item.tlp,
            machine=judged.content.policy.machine is True,
            exercise=judged.exercise,
            state=state,
            code=code,
            idn=item.idn,
            strength=item.strength,
            published_at=entry.header.ts,
            visible_at=self.now if state == "accepted" else None,
        )
        if not self._claims.get(item.stix_id) and judged.content.kind != "retract":
            return row  # nobody has said anything under this id, as of nearly all that comes
        row = self._settle_claims(row, item)
        mine = self._mine(item.stix_id)
        if judged.content.kind != "retract":
            if any(r.state == "withdrawn" or (r.revoked and row.follows(r)) for r in mine):
                # What was withdrawn never comes back; what came along with it is innocent.
                row = replace(row, state="withdrawn", code=None)
            row = self._settle_widening(row, judged, mine)
            if renewed is not None and is_mark(renewed) and entry.header.ts < renewed.published_at:
                row = replace(row, released_tlp=row.tlp)  # the ``restrict`` is the later word
        elif row.state in {"accepted", SUSPENDED} and not any(held.visible_at for held in mine):
            # A withdrawal of what no reader saw is no news to readers either.
            row = replace(row, state="withdrawn")
        visible_at = self.now if row.state == "accepted" else None
        return row if row.visible_at == visible_at else replace(row, visible_at=visible_at)

    def _admitted(self, judged: JudgedContent, item: JudgedObject) -> tuple[str, str | None]:
        """Ask the trust gate: the state of a new version, and why where it is not accepted."""
        mine = self._mine(item.stix_id)
        state, code = self.gate.admit(item, mine, self._contents, exercise=judged.exercise)
        if mine and any(row.code == ERASED_HERE for row in mine):
            return "quarantined", ERASED_HERE  # whether a later version may stay, a person decides
        return state, code

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
        narrower = find_said(mine)
        if narrower is None or row.state in NOT_LIVE:
            return row
        if is_erased_copy(row, mine):
            return replace(row, state=taking_back.ERASED, code=None)
        if row.tlp >= narrower.tlp:
            return row
        if judged.content.supersedes is not None:
            self._flush_all()
            if superseding.overrides(self.tx, judged.content.supersedes, row, narrower):
                return row
        code = taking_back.RESTRICTED if is_mark(narrower) else LABEL_LIVE
        return replace(row, state="withheld", code=code, tlp=narrower.tlp)

    def _lift(self, held: ObjectRow, judged: JudgedContent, item: JudgedObject) -> None:
        """Let a version go that waited, when its origin says it once more and names the narrow one.

        An object in several narrow feeds has several entries to name, one at a time.
        """
        mine = [r for r in self._mine(item.stix_id) if r.object_row != held.object_row]
        if any(r.state == "withdrawn" for r in mine):
            return
        state, code = self._admitted(judged, item)
        row = replace(held, state=state, code=code, tlp=int(item.tlp), visible_at=None)
        row = self._settle_widening(row, judged, mine)
        if row.code != LABEL_LIVE:
            self._flush_all()
            values = {"state": row.state, "code": row.code, "tlp": row.tlp}
            stored.update_objects(self.tx, [row.object_row], **values)
            visible.show(self.tx, [row], self._contents, self.now)
            self._note([row])

    def _tighten_wider(
        self, row: ObjectRow, others: Sequence[ObjectRow], entry_hash: EntryHash
    ) -> None:
        """Let the label of a version bind the wider ones, whatever the trust gate made of it."""
        wider = [r for r in others if r.shown_tlp < row.tlp and not is_mark(r)]
        if not wider or row.state in NOT_LIVE or row.code in NOT_ITS_LABEL:
            return
        self._flush_all()
        bound = [r for r in wider if not superseding.overtook(self.tx, r, row, entry_hash)]
        self._note(taking_back.tighten(self.tx, bound, Tlp(row.tlp), self.now))

    def _flush_all(self) -> None:
        """Store what is pending, the page's entries included, so that it can be looked up."""
        self.flush_entries()
        self._flush()
