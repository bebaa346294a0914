"""Receive a page of a feed: the receiver's order of checks, and one transaction (PROTOCOL 2.4).

The steps, in the order of the specification:
 (1) open each entry: size, type, keys, signature, strict JSON, key times, feed; no lock is held;
 (2) judge the content alone: kind, policy, objects, markings;
 (3) in one serialised write, entry by entry: place in the chain, relay rule, revoked keys; then
     what needs the store: references, ownership, version order, the trust gate;
 (4) entry, objects, views and cursor are committed together.
A failure of (1) or of the place in the chain stops the feed before that entry; a failure of the
content is stored with its code and the chain advances, or one bad entry would block the feed.

What the caller does: choose the peer, fetch the page, compare the end of the chain with the head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from federation.errors import ChainBroken, ContentRejected, EntryDeferred, SignatureRejected
from federation.feeds.chain import (
    ChainState,
    Step,
    advance,
    decide_next,
    linked_hashes,
    require_good,
)
from federation.feeds.content import KINDS_BY_AUDIENCE
from federation.feeds.entry import OpenedEntry, open_entry
from federation.feeds.heads import decide_relay_page, open_relay_head
from federation.feeds.records import check_hints, entry_record
from federation.identity.node_document import PinnedNode
from federation.transport.peer_answers import FeedPage
from hub.exchange.received_content import JudgedContent, judge_content
from hub.exchange.received_objects import ReceivedObjects
from hub.node import Node
from hub.peers.budgets import BYTES_AN_OBJECT, budgets_of, spend
from hub.peers.known_nodes import pinned
from hub.storage.queries import feeds as stored
from hub.storage.queries.feeds import EntryRow, FeedRow
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.transaction import Transaction
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import EntryHash, FeedName


@dataclass(frozen=True, slots=True)
class Received:
    """What one page brought.

    Args:
        entries: how many entries advanced the chain.
        accepted: objects that readers see now.
        quarantined: objects that wait for a person.
        rejected: entries whose content was rejected.
        duplicates: entries that were held already.
        last_seq: where the chain stands.
        error: what stopped the feed, or None; what came before it is committed.
    """

    entries: int = 0
    accepted: int = 0
    quarantined: int = 0
    rejected: int = 0
    duplicates: int = 0
    last_seq: int = 0
    error: TocsinError | None = None


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was opened behind a page without taking it, for entries under a revoked key.

    Args:
        hashes: by seq, linked to each other along ``prev``.
        ended: they reach the end of the feed.
    """

    hashes: Mapping[int, EntryHash] = field(default_factory=dict)
    ended: bool = False


@dataclass(frozen=True, slots=True)
class _Judged:
    entry: OpenedEntry
    content: JudgedContent | ContentRejected


def receive_page(
    node: Node,
    *,
    feed: FeedName,
    sender: PeerRow,
    page: FeedPage,
    ahead: Ahead | None = None,
) -> Received:
    """Take in one page of a feed from a peer.

    Args:
        feed: the feed that was asked for.
        sender: the peer that handed the page over; the origin, or a relay.
        page: the page as the peer answered.
        ahead: what lies behind this page, where that was looked at (PROTOCOL 2.3).

    Returns:
        The counts and, where the feed stopped, the error. An error is also returned and not
        raised when nothing at all could be stored, so that other feeds go on.
    """
    with node.database.read() as tx:
        origin = pinned(tx, feed.node_id)
        relay = origin if sender.node_id == feed.node_id else pinned(tx, sender.node_id)
    judged, error = _open_and_judge(page.objects, origin, feed)
    with node.database.write() as tx:
        writing = _PageWrite(tx, node, origin, feed, sender)
        return writing.store(judged, error, page, relay, ahead or Ahead())


def _open_and_judge(
    objects: Sequence[Mapping[str, object]], origin: PinnedNode, feed: FeedName
) -> tuple[list[_Judged], TocsinError | None]:
    """Do all that needs no store; stop at the first entry that cannot be trusted."""
    judged: list[_Judged] = []
    for value in objects:
        try:
            entry = open_entry(value.get("dsse"), pinned=origin, feed=feed)
            check_hints(value, entry)
        except (WireFormatError, SignatureRejected, ChainBroken) as error:
            return judged, error
        content: JudgedContent | ContentRejected
        try:
            content = judge_content(entry, origin)
        except ContentRejected as rejected:
            content = rejected
        judged.append(_Judged(entry, content))
    return judged, None


class _PageWrite:
    """One write that takes in a page."""

    def __init__(
        self, tx: Transaction, node: Node, origin: PinnedNode, feed: FeedName, sender: PeerRow
    ) -> None:
        self.tx = tx
        self.node = node
        self.origin = origin
        self.feed = feed
        self.sender = sender
        self.now: datetime = node.now()
        found = stored.find_feed(tx, feed)
        self.is_new = found is None
        self.held: FeedRow = found or stored.create_feed(tx, feed, own=False)
        self.via_relay = sender.node_id != feed.node_id
        self.peer = find_peer(tx, feed.node_id)
        self.budgets = budgets_of(tx, feed.node_id, self.peer, sender, self.now)
        self.taken = 0
        self.erased: set[int] = set()
        self.rows: list[EntryRow] = []
        self.counts = Received(last_seq=self.held.last_seq)

    def store(
        self,
        judged: Sequence[_Judged],
        error: TocsinError | None,
        page: FeedPage,
        relay: PinnedNode,
        ahead: Ahead,
    ) -> Received:
        """Place, judge and store entry by entry; return the counts and what stopped it."""
        state = self._state()
        known = stored.entry_hashes(
            self.tx, self.held.feed_row, [item.entry.header.seq for item in judged]
        )
        hash_at, reaches_end = self._linked(judged, ahead)
        ended = error is None and (reaches_end or not page.more)
        objects = ReceivedObjects(self.tx, self.origin, self.peer, self.held, self.now)
        objects.load([j.content for j in judged if isinstance(j.content, JudgedContent)])
        try:
            if self.via_relay and judged:
                self._check_relay_head(page, relay, judged, known)
            for item in judged:
                step = decide_next(
                    state,
                    item.entry,
                    now=self.now,
                    known_hash=known.get(item.entry.header.seq),
                    via_relay=self.via_relay,
                )
                if step is Step.DUPLICATE:
                    self.counts = replace(self.counts, duplicates=self.counts.duplicates + 1)
                    continue
                require_good(
                    item.entry, pinned=self.origin, chain_hash_at=hash_at, feed_ended=ended
                )
                self._check_quota(item)
                self._take(item, objects)
                state = advance(state, item.entry)
        except (ChainBroken, EntryDeferred) as stopped:
            error = stopped
        self._store(state, objects)
        return replace(
            self.counts,
            accepted=objects.accepted,
            quarantined=objects.quarantined,
            last_seq=state.seq,
            error=error,
        )

    def _state(self) -> ChainState:
        held = self.held
        return ChainState(
            feed=self.feed,
            seq=held.last_seq,
            hash=held.last_hash,
            ts=held.last_ts,
            relay=held.relay,
            closed=held.state == "closed",
            frozen=held.state == "frozen",
        )

    def _linked(
        self, judged: Sequence[_Judged], ahead: Ahead
    ) -> tuple[Callable[[int], EntryHash | None], bool]:
        """Find hashes of this page, and of what was read behind it, that hang on our chain."""
        held = self.held
        linked = linked_hashes(held.last_seq, held.last_hash, [item.entry for item in judged])
        last = max(linked, default=held.last_seq)
        if ahead.hashes.get(last) != linked.get(last, held.last_hash):
            return linked.get, False
        return {**ahead.hashes, **linked}.get, ahead.ended

    def _check_relay_head(
        self,
        page: FeedPage,
        relay: PinnedNode,
        judged: Sequence[_Judged],
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
        chain = {**known, **{item.entry.header.seq: item.entry.hash for item in judged}}
        last = judged[-1].entry
        decide_relay_page(
            head,
            last_seq=last.header.seq,
            last_hash=last.hash,
            chain_hash_at=chain.get,
            now=self.now,
        )

    def _check_quota(self, item: _Judged) -> None:
        """Stop before what exceeds a daily limit; it is taken tomorrow, not lost."""
        weight = _weight(item)
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

    def _take(self, item: _Judged, objects: ReceivedObjects) -> None:
        """Judge the content against the store, and keep the entry whatever comes out."""
        entry = item.entry
        code: str | None = None
        exercise = False
        tlp: int | None = None
        if isinstance(item.content, ContentRejected):
            code = item.content.code
        else:
            exercise, tlp = item.content.exercise, item.content.tlp
            try:
                objects.admit(entry, item.content)
            except ContentRejected as rejected:
                code = rejected.code
            else:
                if item.content.content.kind == "erase":
                    self.erased.update(item.content.content.seqs)
        if code is not None:
            self.counts = replace(self.counts, rejected=self.counts.rejected + 1)
        self.counts = replace(self.counts, entries=self.counts.entries + 1)
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
                record=entry_record(self.feed, header.seq, header.ts, entry.envelope),
                sender=self.sender.node_id,
                received_at=self.now,
            )
        )

    def _store(self, state: ChainState, objects: ReceivedObjects) -> None:
        if not self.rows:
            # Names of feeds cost a liar nothing: without an entry none is kept (THREATS 36).
            if self.is_new:
                stored.forget_feed(self.tx, self.held.feed_row)
            return
        # What this very page erased never touches the disk; what was held is blanked already.
        stored.store_entries(
            self.tx,
            [replace(row, record=b"") if row.seq in self.erased else row for row in self.rows],
        )
        objects.store()
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
            relay_stopped=self.held.relay_stopped or objects.taken_back,
            highest_tlp=max([self.held.highest_tlp, *(r.tlp for r in self.rows if r.tlp)]),
        )


KNOWN_KINDS = frozenset[str]().union(*KINDS_BY_AUDIENCE.values())
"""Another kind may be any text at all; the entry's own bytes keep it."""


def _weight(item: _Judged) -> int:
    """Tell how many objects an entry counts as: those that it carries, or that it has room for.

    Entries without objects and rejected ones cost us room and work too: without a count of
    theirs a peer could fill the disk with them (THREATS 36). A full payload counts as 64.
    """
    carried = len(item.content.objects) if isinstance(item.content, JudgedContent) else 0
    return max(1, carried, len(item.entry.envelope.payload) // BYTES_AN_OBJECT)
