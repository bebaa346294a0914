"""Hold a page back that stands behind a stub, until the stub has its right (PROTOCOL 2.4 "Stub").

A stub hides an entry; whether it may, a later entry of the origin says. Until that has come, what
lies behind is kept as it came and nobody sees it: else whoever serves a page could leave out the
very entry that withdraws something, and show what follows.

Invariants:
* what waits was judged for its place in the chain and for its keys, never for its content;
* a stub gets its right from an ``erase``, or a ``restrict`` with ``stop_relay``, whose own content
  is sound and which names its seq; not from the sender, and not from the origin's head;
* where the right does not come, by the entry that was said to give it or by the end of the feed,
  it is ``E_GAP``: what waits from that stub on is forgotten, and the cursor is back before it;
* what waits survives restarts;
* what a relay brings counts against the relay until it is taken: else its stubs without a right
  could use up the origin's day.

What it does not do: take what has its right (``receive.take_released``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from federation.errors import ChainBroken, EntryDeferred
from federation.feeds.chain import (
    ChainState,
    Step,
    advance,
    decide_next,
    place_stub,
    require_good,
)
from federation.feeds.records import entry_record
from federation.feeds.stubs import Stub, stub_record
from federation.identity.node_document import PinnedNode
from federation.transport.peer_answers import FeedPage
from hub.exchange.judged_page import Ahead, Item, Judged, Received, weight_of
from hub.exchange.page_write import PageWrite, Way
from hub.exchange.received_content import JudgedContent
from hub.peers.budgets import budget_of_sender, spend
from hub.storage.queries import pending as waiting
from hub.storage.queries.feeds import FeedRow, entry_hashes, forget_feed, update_feed
from hub.storage.queries.pending import PendingRow
from hub.storage.transaction import Transaction
from schemas.errors import TocsinError
from schemas.identifiers import EntryHash
from schemas.timestamps import read_wire_time, write_wire_time

RELEASED_AT_ONCE = 100
"""Steps that are taken in one write, so that readers and other pulls get their turn."""


def hold_page(
    writing: PageWrite,
    items: Sequence[Item],
    error: TocsinError | None,
    page: FeedPage,
    relay: PinnedNode,
    ahead: Ahead,
) -> Received:
    """Let a page wait behind what waits already, in the caller's write.

    Args:
        error: what stopped the opening of the page, if anything.

    Returns:
        The duplicates, how far the feed was read, and what stopped it.
    """
    holding = _Holding(writing)
    error = holding.take(items, error, page, relay, ahead)
    return holding.store(error, ended=error is None and not page.more)


def read_until(tx: Transaction, held: FeedRow) -> tuple[int, EntryHash]:
    """Tell how far a feed was read, what waits included: the last seq and its hash."""
    last = waiting.find_pending(tx, held.feed_row, held.pending_seq)
    return (held.last_seq, held.last_hash) if last is None else (last.seq, last.hash)


def next_released(tx: Transaction, held: FeedRow) -> list[PendingRow]:
    """List the next steps before the first stub that still waits for its right."""
    if not held.pending_seq or held.state == "frozen":
        return []
    first = waiting.first_unjustified(tx, held.feed_row)
    before = held.pending_seq + 1 if first is None else first
    return waiting.first_pending(tx, held.feed_row, before, RELEASED_AT_ONCE)


def forget_released(tx: Transaction, held: FeedRow, last_seq: int) -> None:
    """Forget steps that were taken, up to a seq."""
    waiting.drop_pending(tx, held.feed_row, before=last_seq + 1)
    if held.pending_seq <= last_seq:
        update_feed(tx, held.feed_row, pending_seq=0)


def rewind(tx: Transaction, held: FeedRow, seq: int) -> None:
    """Forget what waits from a place on, so that it is asked for again."""
    waiting.drop_pending(tx, held.feed_row, since=seq)
    update_feed(tx, held.feed_row, pending_seq=seq - 1 if seq - 1 > held.last_seq else 0)


class _Holding:
    """One page that has to wait."""

    def __init__(self, writing: PageWrite) -> None:
        self.writing = writing
        self.tx = writing.tx
        self.held = writing.held
        if writing.via_relay:
            writing.budgets = (budget_of_sender(self.tx, writing.sender, writing.now),)
        self.rows: list[PendingRow] = []
        self.duplicates = 0
        self.results: list[str] = []
        self.state, self.after_stub = self._begin()
        # The entries that are said to give stubs their right, and have not come.
        self.said = waiting.entries_waited_for(self.tx, self.held.feed_row)

    def _begin(self) -> tuple[ChainState, bool]:
        """Tell where the chain stands that was read, and whether it ends with a stub."""
        state = self.writing.state()
        last = waiting.find_pending(self.tx, self.held.feed_row, self.held.pending_seq)
        if last is None:
            return state, False
        ended = replace(
            state, seq=last.seq, hash=last.hash, ts=last.ts, relay=last.relay, closed=last.closed
        )
        return ended, last.stub is not None

    def take(
        self,
        items: Sequence[Item],
        error: TocsinError | None,
        page: FeedPage,
        relay: PinnedNode,
        ahead: Ahead,
    ) -> TocsinError | None:
        """Judge the place of each item, and note which stubs an entry gives their right."""
        writing, seqs = self.writing, [item.seq for item in items]
        known = entry_hashes(self.tx, self.held.feed_row, seqs)
        known |= waiting.pending_hashes(self.tx, self.held.feed_row, seqs)
        links = [item.entry if isinstance(item, Judged) else item for item in items]
        hash_at, reaches_end = writing.linked(self.state, links, ahead)
        ended = error is None and (reaches_end or not page.more)
        try:
            if writing.via_relay and items:
                writing.check_relay_head(page, relay, items, known)
            for item in items:
                # What was read already; of a place before another stub no hash is known.
                if item.seq <= self.state.seq and (isinstance(item, Stub) or item.seq not in known):
                    self._pass_over()
                elif isinstance(item, Stub):
                    self._hold_stub(item)
                elif self._is_next(item, known.get(item.seq)):
                    require_good(
                        item.entry,
                        pinned=writing.origin,
                        chain_hash_at=hash_at,
                        feed_ended=ended,
                    )
                    self._hold_entry(item)
                else:
                    self._pass_over()
        except (ChainBroken, EntryDeferred) as stopped:
            return stopped
        return error

    def _pass_over(self) -> None:
        self.duplicates += 1
        self.results.append("dup")

    def _hold_stub(self, stub: Stub) -> None:
        state = place_stub(self.state, stub)
        self.writing.check_quota(weight_of(stub))
        self.state, self.after_stub = state, True
        self.said.add(stub.by)
        by_ts = read_wire_time(stub.created)
        record = stub_record(state.feed, stub.seq, stub.hash, by=stub.by, ts=by_ts)
        self._hold(record, stub=stub.by, created=stub.created)

    def _is_next(self, item: Judged, known_hash: EntryHash | None) -> bool:
        try:
            step = decide_next(
                self.state,
                item.entry,
                now=self.writing.now,
                known_hash=known_hash,
                via_relay=self.writing.via_relay,
                pushed=self.writing.way is Way.PUSHED,
            )
        except ChainBroken as broken:
            if self.after_stub and broken.params.get("contradicts") == self.state.seq:
                # Nobody signed the stub: it is the sender who is wrong, not the origin. Of a run of
                # stubs no hash is vouched for, and a liar's may be long.
                self._flush()
                first = waiting.first_of_run(self.tx, self.held.feed_row)
                why = "the next entry names another hash"
                raise self._gap(first, why, by=self.state.seq) from None
            raise
        return step is Step.NEXT

    def _hold_entry(self, item: Judged) -> None:
        header = item.entry.header
        self.writing.check_quota(weight_of(item))
        if self.after_stub:
            self._flush()
            waiting.link_pending(self.tx, self.held.feed_row, self.state.seq)
        self.state, self.after_stub = advance(self.state, item.entry), False
        self._hold(entry_record(header.feed, header.seq, header.ts, item.entry.envelope))
        content = item.content
        if isinstance(content, JudgedContent) and content.content.seqs_taken_back:
            self._flush()
            waiting.justify_pending(
                self.tx,
                self.held.feed_row,
                header.seq,
                write_wire_time(header.ts),
                content.content.seqs_taken_back,
            )
        self._require_named(header.seq)

    def _require_named(self, seq: int) -> None:
        """Check that no stub was said to be named by an entry that has come and does not."""
        if seq not in self.said:
            return
        self._flush()
        first = waiting.first_unjustified(self.tx, self.held.feed_row, until=seq)
        if first is not None:
            raise self._gap(first, f"entry {seq} does not name it")

    def _hold(self, record: bytes, *, stub: int | None = None, created: str | None = None) -> None:
        state = self.state
        self.results.append("stored")
        self.rows.append(
            PendingRow(
                feed_row=self.held.feed_row,
                seq=state.seq,
                hash=state.hash,
                ts=state.ts,
                relay=state.relay,
                closed=state.closed,
                stub=stub,
                created=created,
                linked=stub is None,
                justified=stub is None,
                record=record,
                sender=self.writing.sender.node_id,
                received_at=self.writing.now,
            )
        )

    def _flush(self) -> None:
        waiting.store_pending(self.tx, self.rows)
        self.rows = []

    def _gap(self, seq: int, why: str, *, by: int | None = None) -> ChainBroken:
        """Go back before a stub; ``by`` is where the one stands whose sender is wrong."""
        self._flush()
        stub = waiting.find_pending(self.tx, self.held.feed_row, by or seq)
        return ChainBroken(
            "E_GAP",
            f"the stub in the place of entry {seq} has no right to be there: {why}",
            "Ask another relay or the origin for the entry.",
            expected=seq,
            rewound=True,
            stub_of=None if stub is None else stub.sender,
        )

    def store(self, error: TocsinError | None, *, ended: bool) -> Received:
        """Keep what waits, and go back before a stub that does not get its right."""
        self._flush()
        first = waiting.first_unjustified(self.tx, self.held.feed_row) if ended else None
        if first is not None:
            error = self._gap(first, "the feed ends before it is named")
        held, state = self.held, self.state
        if state.seq > held.cursor:
            self.writing.store_anchor()
            update_feed(
                self.tx,
                held.feed_row,
                pending_seq=state.seq,
                last_seq=held.last_seq,
                last_hash=held.last_hash,
            )
            for budget in self.writing.budgets:
                spend(self.tx, budget, self.writing.taken)
        elif self.writing.is_new:
            forget_feed(self.tx, held.feed_row)
        if error is not None and error.params.get("rewound"):
            back = int(str(error.params["expected"]))
            rewind(self.tx, held, back)
            return self._received(back - 1, error)
        return self._received(state.seq, error)

    def _received(self, last_seq: int, error: TocsinError | None) -> Received:
        return Received(
            duplicates=self.duplicates,
            last_seq=last_seq,
            error=error,
            results=tuple(self.results),
        )
