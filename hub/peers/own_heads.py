"""Take in what a peer holds of this node's own feeds (PROTOCOL 4.6, THREATS 13).

Every pull brings the heads of our feeds that the peer holds, and ``self_check`` asks for them.
Invariants:
* what a peer says is believed as far as we signed it, and no further;
* missing entries are fetched back where they are to be expected: while a restore is not settled,
  and from a peer that is heard for the first time since the process began;
* entries that nobody expects are not fetched: whoever has our key would like us to continue his
  chain. The feed is closed and a person is told.

What it does not do: decide (``federation.feeds.recovery``), or keep the gate (``may_sign``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.heads import Head, open_head
from federation.feeds.recovery import Verdict, compare_own
from federation.transport.peer_client import FeedSource
from hub.exchange.own_feeds import ENDED
from hub.exchange.own_recovery import complete_own
from hub.exchange.receive import Way
from hub.monitoring.alarms import OWN_ENTRIES_FOUND, OWN_FEED_CLOSED, end_alarm, raise_alarm
from hub.node import Node
from hub.peers import may_sign
from hub.peers.known_nodes import pinned
from hub.peers.node_documents import learn_node
from hub.peers.pull_feed import FeedPull
from hub.peers.stated_heads import heads_by_feed, is_good
from hub.storage.queries.audit import store_event
from hub.storage.queries.feeds import (
    FeedRow,
    entry_hashes,
    feeds_of_audience,
    find_feed,
    list_feeds,
)
from hub.storage.queries.own_signing import (
    OwnFeedCheck,
    drop_feed_check,
    list_feed_checks,
    own_signing,
    store_feed_check,
)
from hub.storage.queries.peers import PeerRow, update_peer
from hub.storage.transaction import Transaction
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import EntryHash, FeedName

RECOVERY_SECONDS: Final = 600.0
_OLD_DOCUMENTS: Final = frozenset({"E_KEY_UNKNOWN", "E_KEY_REVOKED", "E_NODE_EXPIRED"})
_BEHIND, _ALIEN, _CONTRADICTED = "behind", "alien", "contradicted"


@dataclass(slots=True)
class _Heard:
    """What one peer's answer came to; of ``lost`` feeds it has more than could be fetched."""

    recovered: int = 0
    touched: list[FeedName] = field(default_factory=list)
    lost: set[FeedName] = field(default_factory=set)


def hear_own_heads(
    node: Node,
    peer: PeerRow,
    transport: FeedSource,
    stated: Iterable[Any],
    *,
    beyond: frozenset[FeedName] = frozenset(),
    adopt: bool = False,
) -> int:
    """Take in what a peer holds of our feeds; return how many own entries were fetched back.

    Args:
        stated: the heads that it holds, unverified.
        beyond: feeds of which it has entries after our last, whatever its heads say.
        adopt: fetch back also what nobody expects.
    """
    with node.database.read() as tx:
        # What goes on in its next epoch has been settled by the root key, whatever peers hold.
        ended = {held.name for held in list_feeds(tx, own=True) if held.state == ENDED}
    own = {
        feed: value
        for feed, value in heads_by_feed(stated).items()
        if feed.node_id == node.node_id and feed not in ended
    }
    beyond = beyond - ended
    heads = _open_heads(node, peer, transport, own)
    with node.database.read() as tx:
        adopt = adopt or may_sign.may_adopt(tx, peer)
        verdicts = {head.feed: (head, _compare(tx, head)) for head in heads}
    heard = _Heard()
    missing = {feed for feed, (_, verdict) in verdicts.items() if verdict is Verdict.BEHIND}
    forked: set[FeedName] = set()
    for feed in sorted(missing | beyond if adopt else (), key=str):
        if _recover(node, peer, transport, feed, heard):
            forked.add(feed)
    if heard.touched:
        complete_own(node, heard.touched)
    # Where its head is ahead, what could not be had shows when the heads are compared again.
    heard.lost -= missing
    _record(node, peer, heads, forked, missing if not adopt else set(), heard)
    return heard.recovered


def _open_heads(
    node: Node, peer: PeerRow, transport: FeedSource, own: Mapping[FeedName, Any]
) -> list[Head]:
    """Open heads that we signed, by our newest documents, wherever these are; others are nothing.

    A database that was put back may know less of our own keys than its peers do.
    """
    heads, doubtful = _opened(node, own)
    # Only while a restore is not settled: else what we do not know we did not sign, and the
    # documents that list such a key are those of a thief of the root.
    if doubtful and may_sign.is_in_doubt(node):
        try:
            learn_node(node, node.node_id, transport, sender=peer)
        except TocsinError:
            return heads
        heads, _ = _opened(node, own)
    return heads


def _opened(node: Node, own: Mapping[FeedName, Any]) -> tuple[list[Head], bool]:
    heads: list[Head] = []
    doubtful = False
    with node.database.read() as tx:
        ourselves = pinned(tx, node.node_id)
        for feed, value in own.items():
            try:
                head = open_head(value, pinned=ourselves, feed=feed)
            except (WireFormatError, SignatureRejected, ChainBroken) as error:
                doubtful = doubtful or error.code in _OLD_DOCUMENTS
                continue
            if is_good(tx, head, ourselves):
                heads.append(head)
    return heads, doubtful


def _compare(tx: Transaction, head: Head) -> Verdict:
    held = find_feed(tx, head.feed)
    return compare_own(
        head.seq,
        head.hash,
        last_seq=0 if held is None else held.last_seq,
        hash_at=_hash_at(tx, held),
    )


def _hash_at(tx: Transaction, held: FeedRow | None) -> Callable[[int], EntryHash | None]:
    def hash_at(seq: int) -> EntryHash | None:
        if held is None:
            return None
        if seq == held.last_seq:
            return held.last_hash
        return entry_hashes(tx, held.feed_row, [seq]).get(seq)

    return hash_at


def _recover(
    node: Node, peer: PeerRow, transport: FeedSource, feed: FeedName, heard: _Heard
) -> bool:
    """Fetch back what a peer holds of a feed; tell whether it contradicts what we hold."""
    until = time.monotonic() + RECOVERY_SECONDS
    pull = FeedPull(node, peer, transport, lambda: time.monotonic() > until, way=Way.RECOVERED)
    try:
        pulled = pull.run(feed, None)
        is_old = pulled.error is not None and pulled.error.code in _OLD_DOCUMENTS
        if is_old and may_sign.is_in_doubt(node):
            learn_node(node, node.node_id, transport, sender=peer)
            heard.recovered += pulled.entries
            pulled = pull.run(feed, None)
    except TocsinError:
        heard.lost.add(feed)
        return False
    heard.recovered += pulled.entries
    heard.touched.append(feed)
    is_fork = pulled.error is not None and pulled.error.code == "E_FORK"
    if not pulled.whole and not is_fork:
        heard.lost.add(feed)
    return is_fork


def _record(
    node: Node,
    peer: PeerRow,
    heads: Sequence[Head],
    forked: set[FeedName],
    unexpected: set[FeedName],
    heard: _Heard,
) -> None:
    """Write down what was heard, where it changes anything."""
    now = node.now()
    with node.database.read() as tx:
        verdicts = {head.feed: _compare(tx, head) for head in heads}
        signing = own_signing(tx)
        is_news = (
            any(verdict is not Verdict.HELD for verdict in verdicts.values())
            or bool(forked or heard.touched)
            or bool(list_feed_checks(tx))
            or signing.pending
            or signing.suspected_at is not None
            or peer.own_heads_at is None
            or now - peer.own_heads_at >= may_sign.FRESH
        )
    if not is_news:
        return
    with node.database.write() as tx:
        for head in heads:
            verdict = Verdict.CONTRADICTED if head.feed in forked else _compare(tx, head)
            _note(tx, node, peer, head, verdict, is_expected=head.feed not in unexpected)
        if heard.recovered:
            store_event(
                tx, now, peer.node_id, "OWN_ENTRIES_RECOVERED", entries=heard.recovered,
                feeds=[str(feed) for feed in heard.touched],
            )  # fmt: skip
        if heard.recovered and own_signing(tx).suspected_at is None:
            raise_alarm(
                tx, OWN_ENTRIES_FOUND, peer.node_id, now, entries=heard.recovered, peer=peer.name
            )
        _forget_settled(tx, now)
        if not heard.lost:
            update_peer(tx, peer.node_id, own_heads_at=now)
        may_sign.settle(tx, now)


def _note(
    tx: Transaction, node: Node, peer: PeerRow, head: Head, verdict: Verdict, *, is_expected: bool
) -> None:
    if verdict is Verdict.HELD or _is_over(tx, head.feed):
        return
    word = _BEHIND if is_expected else _ALIEN
    if verdict is Verdict.CONTRADICTED:
        word = _CONTRADICTED
    before = {check.feed: check for check in list_feed_checks(tx)}.get(str(head.feed))
    if before is not None and (before.verdict == _CONTRADICTED or before.seq >= head.seq):
        return
    now = node.now()
    store_feed_check(tx, OwnFeedCheck(str(head.feed), word, head.seq, head.hash, peer.node_id, now))
    raise_alarm(
        tx, OWN_FEED_CLOSED, str(head.feed), now,
        feed=str(head.feed), verdict=word, peer=peer.name,
    )  # fmt: skip
    # The head is our own signature: the evidence that a person needs.
    store_event(
        tx, now, peer.node_id, "OWN_FEED_CLOSED", feed=str(head.feed), verdict=word,
        seq=head.seq, head=head.envelope.to_json(),
    )  # fmt: skip


def _forget_settled(tx: Transaction, now: datetime) -> None:
    """Open the feeds of which we hold by now what a peer was ahead with."""
    for check in list_feed_checks(tx):
        feed = FeedName.read(check.feed)
        held = find_feed(tx, feed)
        is_held = held is not None and _hash_at(tx, held)(check.seq) == check.hash
        if _is_over(tx, feed) or (is_held and check.verdict != _CONTRADICTED):
            drop_feed_check(tx, check.feed)
            end_alarm(tx, OWN_FEED_CLOSED, check.feed, now)


def _is_over(tx: Transaction, feed: FeedName) -> bool:
    """Tell whether the root key opened a later epoch: what stood in this one no longer counts."""
    return any(
        held.epoch > feed.epoch for held in feeds_of_audience(tx, feed.node_id, feed.audience)
    )
