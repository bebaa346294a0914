"""Store a page of a feed in one write: step (3) and (4) of ``hub.exchange.receive``.

Entry by entry: place in the chain, relay rule, revoked keys, budgets; then what needs the store.
Entries, objects, views and cursor are committed together.

What it does not do: open entries (``judged_page``), or judge a page with stubs (``held_pages``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum

from federation.errors import ChainBroken, ContentRejected, EntryDeferred, SignatureRejected
from federation.feeds.chain import (
    ChainState,
    Step,
    advance,
    closes_feed,
    decide_next,
    linked_hashes,
    place_stub,
    require_good,
)
from federation.feeds.content import KINDS_BY_AUDIENCE, EntryContent
from federation.feeds.entry import OpenedEntry
from federation.feeds.heads import Head, decide_relay_page, open_relay_head
from federation.feeds.records import entry_record
from federation.feeds.stubs import Stub, stub_record
from federation.identity.node_document import PinnedNode
from federation.transport.peer_answers import FeedPage
from hub.exchange.entry_source import EntrySource, source_of
from hub.exchange.judged_page import (
    Ahead,
    Item,
    Judged,
    Received,
    weight_of,
)
from hub.exchange.noted_content import note_content
from hub.exchange.received_content import JudgedContent
from hub.exchange.received_objects import LEAK, ReceivedObjects
from hub.exchange.rosters import note_roster
from hub.exchange.taking_back import DEEDS, as_stub, deed_of, ids_taken_back
from hub.exchange.voiding import had_before
from hub.node import Node
from hub.peers.budgets import budgets_of, spend
from hub.peers.node_conflicts import is_frozen
from hub.peers.owed_acks import owe_acks
from hub.peers.standing import itself
from hub.storage.queries import feeds as stored
from hub.storage.queries.acks import note_recalls
from hub.storage.queries.feeds import EntryRow, FeedRow
from hub.storage.queries.groups import AnchorRow, store_anchor
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.queries.pending import PendingRow
from hub.storage.transaction import Transaction
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import EntryHash, FeedName
from schemas.timestamps import read_wire_time

LONGEST_WAIT = timedelta(hours=24)
"""How long a feed waits for what a wider one of the same origin may still bring."""


class Way(Enum):
    """How a page came here."""

    PULLED = "we asked for it"
    PUSHED = "its origin posted it"
    RECOVERED = "it is our own feed, as a peer holds it (PROTOCOL 4.6)"


class PageWrite:
    """One write that takes in a page."""

    def __init__(
        self,
        tx: Transaction,
        node: Node,
        origin: PinnedNode,
        feed: FeedName,
        sender: PeerRow,
        anchor: Head | None = None,
        way: Way = Way.PULLED,
    ) -> None:
        self.tx = tx
        self.node = node
        self.origin = origin
        self.feed = feed
        self.sender = sender
        self.now: datetime = node.now()
        found = stored.find_feed(tx, feed)
        self.is_new = found is None
        self.way = way
        recovers = way is Way.RECOVERED
        self.held: FeedRow = found or stored.create_feed(tx, feed, own=recovers)
        # A chain that we hold is never cut: only an empty one begins at an anchor.
        self.anchor = anchor if self.held.last_seq == 0 else None
        if self.anchor is not None:
            self.held = replace(self.held, last_seq=self.anchor.seq, last_hash=self.anchor.hash)
        # Getting our own entries back is not relaying, and nobody's quota (PROTOCOL 2.5).
        self.via_relay = sender.node_id != feed.node_id and not recovers
        self.peer = itself(node) if recovers else find_peer(tx, feed.node_id)
        self.budgets = () if recovers else budgets_of(tx, feed.node_id, self.peer, sender, self.now)
        self.results: list[str] = []
        self.taken = 0
        self.deeds: list[tuple[int, str]] = []
        self.stored = 0
        self.wider_whole = True
        self.rows: list[EntryRow] = []
        self.counts = Received(last_seq=self.held.last_seq)

    def store(
        self,
        judged: Sequence[Judged],
        error: TocsinError | None,
        page: FeedPage,
        relay: PinnedNode,
        ahead: Ahead,
    ) -> Received:
        """Place, judge and store entry by entry; return the counts and what stopped it."""
        state = self.state()
        known = stored.entry_hashes(
            self.tx, self.held.feed_row, [item.entry.header.seq for item in judged]
        )
        hash_at, reaches_end = self.linked(state, [item.entry for item in judged], ahead)
        ended = error is None and (reaches_end or not page.more)
        objects = self._objects(judged)
        had = had_before(self.tx, self.origin, self.feed, [item.hash for item in judged])
        try:
            if self.via_relay and judged:
                self.check_relay_head(page, relay, judged, known)
            for item in judged:
                step = decide_next(
                    state,
                    item.entry,
                    now=self.now,
                    known_hash=known.get(item.entry.header.seq),
                    via_relay=self.via_relay,
                    pushed=self.way is Way.PUSHED,
                )
                if step is Step.DUPLICATE:
                    self.results.append("dup")
                    self.counts = replace(self.counts, duplicates=self.counts.duplicates + 1)
                    continue
                require_good(
                    item.entry, pinned=self.origin, chain_hash_at=hash_at, feed_ended=ended
                )
                self.check_quota(0 if item.hash in had else weight_of(item))
                self._take(item, objects)
                state = advance(state, item.entry)
        except (ChainBroken, EntryDeferred) as stopped:
            error = stopped
        return self._store(state, objects, error)

    def store_released(
        self, steps: Sequence[tuple[Item, PendingRow]], error: TocsinError | None
    ) -> Received:
        """Take what waited behind a stub that has its right now; its place was judged before."""
        state = self.state()
        # What a relay brought was counted against the relay; now it is the origin's.
        self.budgets = self.budgets[:1]
        objects = self._objects([item for item, _ in steps if isinstance(item, Judged)])
        try:
            for item, row in steps:
                if row.sender != self.feed.node_id:
                    self.taken += weight_of(item)
                if isinstance(item, Judged):
                    self._take(item, objects)
                    state = advance(state, item.entry)
                    self.rows[-1] = replace(self.rows[-1], sender=row.sender)
                else:
                    state = place_stub(state, item)
                    self.rows.append(self._stub_row(item, row))
        except (ChainBroken, EntryDeferred) as stopped:
            error = stopped
        return self._store(state, objects, error)

    def _objects(self, judged: Sequence[Judged]) -> ReceivedObjects:
        objects = ReceivedObjects(self.tx, self.origin, self.peer, self.held, self.now)
        objects.load([j.content for j in judged if isinstance(j.content, JudgedContent)])
        objects.flush_entries = self._flush_entries
        objects.may_come = self._may_come()
        return objects

    def _may_come(self) -> bool:
        """Tell whether to wait for what a wider feed of the origin may still bring."""
        since = self.held.held_since or self.now
        return not self.wider_whole and self.now - since < LONGEST_WAIT

    def _stub_row(self, stub: Stub, row: PendingRow) -> EntryRow:
        by_ts = read_wire_time(stub.created)
        return EntryRow(
            feed_row=self.held.feed_row,
            seq=stub.seq,
            hash=stub.hash,
            kind="unknown",
            tlp=None,
            state=stored.STUB,
            code=None if row.linked else stored.UNLINKED,
            exercise=False,
            ts=by_ts,
            record=stub_record(self.feed, stub.seq, stub.hash, by=stub.by, ts=by_ts),
            sender=row.sender,
            received_at=row.received_at,
        )

    def _store(
        self, state: ChainState, objects: ReceivedObjects, error: TocsinError | None
    ) -> Received:
        """Store what was taken, with the cursor; tell what came of it."""
        waits = isinstance(error, EntryDeferred) and error.code == LEAK
        if waits or self.held.held_since is not None:
            # Since when the very next entry waits; nothing once the feed went on.
            begun = self.now if self.rows else self.held.held_since or self.now
            self.held = replace(self.held, held_since=begun if waits else None)
            stored.update_feed(self.tx, self.held.feed_row, held_since=self.held.held_since)
            self.is_new = False
        self._keep(state, objects)
        return replace(
            self.counts,
            accepted=objects.accepted,
            quarantined=objects.quarantined,
            last_seq=state.seq,
            error=error,
            results=tuple(self.results),
        )

    def state(self) -> ChainState:
        """Tell where the chain stands that was taken."""
        held = self.held
        return ChainState(
            feed=self.feed,
            seq=held.last_seq,
            hash=held.last_hash,
            ts=held.last_ts,
            relay=held.relay,
            closed=held.state == "closed",
            frozen=held.state == "frozen" or is_frozen(self.tx, self.feed.node_id),
        )

    def linked(
        self, state: ChainState, entries: Sequence[OpenedEntry | Stub], ahead: Ahead
    ) -> tuple[Callable[[int], EntryHash | None], bool]:
        """Find hashes of this page, and of what was read behind it, that hang on our chain."""
        linked = linked_hashes(state.seq, state.hash, entries)
        last = max(linked, default=state.seq)
        if ahead.hashes.get(last) != linked.get(last, state.hash):
            return linked.get, False
        return {**ahead.hashes, **linked}.get, ahead.ended

    def check_relay_head(
        self,
        page: FeedPage,
        relay: PinnedNode,
        judged: Sequence[Item],
        known: Mapping[int, EntryHash],
    ) -> None:
        """Refuse a relayed page without the relay's own signature under it (PROTOCOL 2.5)."""
        try:
            head = (
                None
                if page.relay_head is None
                else open_relay_head(page.relay_head, relay=relay, feed=self.feed)
            )
        except (WireFormatError, SignatureRejected, ChainBroken) as error:
            raise ChainBroken("E_RELAY_FORBIDDEN", f"relay head: {error}") from None
        last = judged[-1]
        decide_relay_page(
            head,
            last_seq=last.seq,
            last_hash=last.hash,
            chain_hash_at={**known, **{item.seq: item.hash for item in judged}}.get,
            # Of a carried file the day on which its sender signed that it was made for us: the
            # copy of an old one that 48 hours guard against cannot be in it.
            now=page.made_at or self.now,
        )

    def check_quota(self, weight: int) -> None:
        """Stop before what exceeds a daily limit; it is taken tomorrow, not lost."""
        for budget in self.budgets:
            used = budget.used + self.taken
            # An entry larger than the limit has a day of its own, or the feed would stop for ever.
            if used + weight > budget.limit and (used or not budget.limit):
                raise EntryDeferred(
                    "E_QUOTA",
                    f"the {budget.whose}'s limit of {budget.limit} objects a day is reached",
                    "It goes on tomorrow; `tocsin peer set PEER --limit N` raises it.",
                )
        self.taken += weight

    def _take(self, item: Judged, objects: ReceivedObjects) -> None:
        """Judge the content against the store, and keep the entry whatever comes out."""
        entry = item.entry
        code: str | None = None
        exercise = False
        tlp: int | None = None
        source: EntrySource = {}
        if isinstance(item.content, ContentRejected):
            code = item.content.code
        else:
            exercise, tlp = item.content.exercise, item.content.tlp
            source = source_of(item.content.content)
            recalled = self._recalled(item.content.content, objects)
            try:
                objects.admit(entry, item.content)
            except ContentRejected as rejected:
                code = rejected.code
            except EntryDeferred:
                self.taken -= weight_of(item)
                raise
            else:
                said = item.content.content
                note_content(self.tx, self.origin, self.held.feed_row, entry, said)
                if said.kind in DEEDS and not closes_feed(entry):
                    self._take_back(entry, said, recalled)
                elif item.content.content.group is not None:
                    note_roster(self.tx, self.feed, item.content.content.group, self.now)
        if code is not None:
            self.counts = replace(self.counts, rejected=self.counts.rejected + 1)
        self.counts = replace(self.counts, entries=self.counts.entries + 1)
        self.results.append("stored" if code is None else f"rejected {code}")
        header = entry.header
        self.rows.append(
            EntryRow(
                feed_row=self.held.feed_row,
                seq=header.seq,
                hash=entry.hash,
                kind=header.kind if header.kind in KNOWN_KINDS else "unknown",
                tlp=tlp,
                state="stored" if code is None else "rejected",
                code=code,
                exercise=exercise,
                ts=header.ts,
                record=entry_record(self.feed, header.seq, header.ts, entry.envelope, entry.hash),
                sender=None if self.way is Way.RECOVERED else self.sender.node_id,
                received_at=self.now,
                **source,
            )
        )

    def _flush_entries(self) -> None:
        """Store entries of this page before others that ask for them."""
        stored.store_entries(self.tx, self.rows[self.stored :])
        self.stored = len(self.rows)

    def _recalled(self, said: EntryContent, objects: ReceivedObjects) -> list[str]:
        """List what an own entry that came back took back, for its receipts."""
        if self.way is not Way.RECOVERED or said.kind not in DEEDS:
            return []
        self._flush_entries()
        objects.store()
        return ids_taken_back(self.tx, self.held.feed_row, said)

    def _take_back(self, by: OpenedEntry, said: EntryContent, ids: Sequence[str]) -> None:
        """Let stubs stand in the place of entries of this page, and owe its origin an answer."""
        # What this very page took back never touches the disk; what was held is done already.
        waiting = self.rows[self.stored :]
        self.rows[self.stored :] = [as_stub(self.feed, r, by.header, said) for r in waiting]
        self.deeds.append((by.header.seq, DEEDS[said.kind]))
        note_recalls(self.tx, self.held.feed_row, by.header.seq, ids, deed_of(said), by.header.ts)

    def store_anchor(self) -> None:
        """Store where a chain begins that does not begin at seq 1, with its first entries."""
        if self.anchor is not None:
            head = self.anchor.envelope.to_bytes()
            place = AnchorRow(self.held.feed_row, self.anchor.seq, self.anchor.hash, head)
            store_anchor(self.tx, place)

    def _keep(self, state: ChainState, objects: ReceivedObjects) -> None:
        if not self.rows:
            # Names of feeds cost a liar nothing: without an entry none is kept (THREATS 36).
            if self.is_new:
                stored.forget_feed(self.tx, self.held.feed_row)
            return
        self.store_anchor()
        self._flush_entries()
        objects.store()
        if self.deeds and self.way is not Way.RECOVERED:
            owe_acks(self.tx, self.held, self.peer, self.sender, self.deeds, self.now)
        for budget in self.budgets:
            spend(self.tx, budget, self.taken)
        stored.update_feed(
            self.tx,
            self.held.feed_row,
            last_seq=state.seq,
            last_hash=state.hash,
            last_ts=state.ts,
            relay=state.relay,
            state="closed" if state.closed else self.held.state,
            highest_tlp=max([self.held.highest_tlp, *(r.tlp for r in self.rows if r.tlp)]),
        )


KNOWN_KINDS = frozenset[str]().union(*KINDS_BY_AUDIENCE.values())
"""Another kind may be any text at all; the entry's own bytes keep it."""
