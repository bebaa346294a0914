"""Acks: tell origins what this node did with their entries, and take in what peers tell us.

Decides: what is confirmed to whom, and which confirmations count (PROTOCOL 2.6 ``/acks``).

Invariants:
* nobody confirms for another: an ack counts under the keys of the peer that hands it in;
* it counts for an entry that we hold, whose kind asks for that deed, of a feed that the peer may
  read here; everything else is passed over without a word, so that nobody learns what exists;
* what is kept is bounded by our own entries and peers, whatever is sent (THREATS 36): one position
  a feed and peer, one ack an entry that takes back and peer;
* a relay answers for those who read through it with counts, never with names.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.acks import ACCEPTED, MOST_READERS, Ack, PassedOn, ack_payload, open_ack
from federation.signing.signer import seal
from federation.transport.guarded_http import GuardedHttp
from hub.exchange.serve_feeds import find_readable
from hub.exchange.taking_back import DEEDS
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.peers.outbound import http_or_own, reach
from hub.peers.owed_acks import ACK, feeds_to_confirm, recipient_of
from hub.peers.wire_version import require_common_version
from hub.storage.queries.acks import (
    AckRow,
    DueAck,
    acks_of,
    drop_due_acks,
    due_acks,
    note_due_ack,
    store_ack,
)
from hub.storage.queries.feeds import FeedRow, find_entry, update_feed
from hub.storage.queries.jobs import request_job
from hub.storage.queries.peers import PeerRow
from hub.storage.queries.positions import note_position, positions_of
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, NodeId
from schemas.members import read_list, read_object
from schemas.signed_envelope import ACK_TYPE
from schemas.strict_json import strict_loads

MOST_ACKS: Final = 100
"""Of one request."""
STORED: Final = "stored"
CLOCK_TOLERANCE: Final = timedelta(seconds=300)
COUNTS_WAIT: Final = timedelta(seconds=5)
"""How long a relay waits for more of its readers before it tells their new number."""


def send_acks(node: Node, peer: PeerRow, *, http: GuardedHttp | None = None) -> int:
    """Tell a peer all that it is owed; return how many acks.

    Raises:
        PeerUnreachable, PeerState, WireFormatError: it could not be told; it stays owed.
    """
    number = 0
    require_common_version(node, peer)
    with http_or_own(node, http) as way:
        transport = reach(node, peer.base, peer.node_id, way)
        while True:
            now = node.now()
            with node.database.read() as tx:
                deeds = due_acks(tx, peer.node_id, MOST_ACKS)
                stored = _feeds_for(tx, peer.node_id)[: MOST_ACKS - len(deeds)]
                acks = [_seal(tx, node, deed, now) for deed in deeds]
            acks += [_seal_stored(node, feed, now) for feed in stored]
            if not acks:
                return number
            transport.acks(acks)
            number += len(acks)
            with node.database.write() as tx:
                drop_due_acks(tx, peer.node_id, deeds)
                for feed in stored:
                    update_feed(tx, feed.feed_row, acked_seq=feed.last_seq)


def accept_acks(node: Node, sender: PeerRow, body: bytes) -> None:
    """Take in what a peer confirms.

    Raises:
        WireFormatError: ``E_JSON_*``, or ``E_SCHEMA`` for a body without acks or with over 100.
    """
    values = read_list(read_object(strict_loads(body), "acks"), "acks")
    if len(values) > MOST_ACKS:
        raise WireFormatError("E_SCHEMA", f"over {MOST_ACKS} acks at once")
    now = node.now()
    with node.database.read() as tx:
        acker = pinned(tx, sender.node_id)
    opened: list[Ack] = []
    for value in values:
        try:
            ack = open_ack(value, acker=acker)
        except (WireFormatError, SignatureRejected, ChainBroken):
            continue
        if ack.did != ACCEPTED and ack.ts - now <= CLOCK_TOLERANCE:
            opened.append(ack)
    if opened:
        with node.database.write() as tx:
            for ack in opened:
                _take_in(tx, sender, ack, now)


def _take_in(tx: Transaction, sender: PeerRow, ack: Ack, now: datetime) -> None:
    # 1. A feed that this peer may read here, and an entry of it that we hold.
    feed = find_readable(tx, sender, ack.feed)
    entry = None if feed is None else find_entry(tx, feed.feed_row, ack.seq)
    if feed is None or entry is None or entry.hash != ack.hash:
        return
    # 2. How far it holds the feed: who did something with an entry has it.
    if ack.did != STORED and DEEDS.get(entry.kind) != ack.did:
        return
    note_position(tx, feed.feed_row, sender.node_id, ack.seq, ACK, now)
    if ack.did == STORED:
        return
    # 3. What it did. Of a foreign feed its origin learns the new count, from us.
    counts = ack.passed_on
    row = AckRow(
        feed_row=feed.feed_row,
        seq=ack.seq,
        node_id=sender.node_id,
        did=ack.did,
        at=ack.ts,
        received_at=now,
        readers=None if counts is None else counts.readers,
        confirmed=None if counts is None else counts.confirmed,
        dsse=ack.envelope.to_bytes(),
    )
    if store_ack(tx, row) and not feed.own:
        _owe_counts(tx, feed, sender, ack, now)


def _owe_counts(tx: Transaction, feed: FeedRow, sender: PeerRow, ack: Ack, now: datetime) -> None:
    recipient = recipient_of(tx, feed)
    if recipient is not None and recipient != sender.node_id:
        note_due_ack(tx, recipient, feed.feed_row, ack.seq, ack.did, now)
        request_job(tx, ACK, recipient, now + COUNTS_WAIT)


def _feeds_for(tx: Transaction, recipient: NodeId) -> list[FeedRow]:
    return [feed for feed, to in feeds_to_confirm(tx) if to == recipient]


def _seal(tx: Transaction, node: Node, due: DueAck, now: datetime) -> object:
    return _sealed(
        node,
        ack_payload(
            node.node_id,
            FeedName.read(due.feed),
            due.seq,
            due.hash,
            did=due.did,
            ts=now,
            passed_on=counts_of(tx, due.feed_row, due.seq),
        ),
    )


def _seal_stored(node: Node, feed: FeedRow, now: datetime) -> object:
    payload = ack_payload(
        node.node_id, feed.name, feed.last_seq, EntryHash(feed.last_hash), did=STORED, ts=now
    )
    return _sealed(node, payload)


def _sealed(node: Node, payload: bytes) -> object:
    return seal(node.keys.entry, ACK_TYPE, payload).to_json()


def counts_of(tx: Transaction, feed_row: int, seq: int) -> PassedOn | None:
    """Count who reads a feed through this node, and who of them confirmed an entry.

    Those are counted who told us that they hold the feed: a peer of the origin tells the origin.
    """
    readers = positions_of(tx, feed_row).keys()
    if not readers:
        return None
    acks = acks_of(tx, feed_row, seq)
    behind = [acks[node_id] for node_id in readers if node_id in acks]
    # More than an ack may say would make ours invalid, whoever exaggerates behind us.
    return PassedOn(
        readers=min(MOST_READERS, len(readers) + _sum(ack.readers for ack in behind)),
        confirmed=min(MOST_READERS, len(behind) + _sum(ack.confirmed for ack in behind)),
    )


def _sum(counts: Iterable[int | None]) -> int:
    return sum(count or 0 for count in counts)
