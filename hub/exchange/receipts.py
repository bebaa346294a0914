"""Receipts: who has confirmed what this node took back, and who has not yet (PROTOCOL 2.6).

Decides: of whom a confirmation is expected, and what is shown of it.

Invariants:
* a peer is named only for what it confirmed itself; of what is behind a relay there are counts,
  as the relay signed them, and never names;
* whoever may read a feed is expected to confirm; who may no longer is shown only if it did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from federation.policy.sharing import decide_feed_read
from hub.errors import NotFound
from hub.exchange.own_feeds import AppendedEntry
from hub.node import Node
from hub.peers.audiences import members_named
from hub.peers.standing import standing_of
from hub.storage.queries.acks import AckRow, Recall, acks_of, note_recalls, recalls_of
from hub.storage.queries.feeds import FeedRow, find_feed
from hub.storage.queries.objects import claims_of
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, NodeId
from schemas.markings import Tlp

CONFIRMED, PENDING = "confirmed", "pending"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One peer that may have what was taken back, and whether it confirmed.

    Args:
        state: ``confirmed`` when it confirmed every entry that concerns it.
    """

    peer: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class PassedOn:
    """What a relay says of those who read through it."""

    readers: int
    confirmed: int


@dataclass(frozen=True, slots=True)
class EntryReceipt:
    """One peer and one entry that took something back.

    Args:
        did: ``retracted``, ``restricted`` or ``erased``.
        at: when the peer confirmed, by its own clock; None while it is pending.
        passed_on: counts of its own readers, where it relays and says so.
    """

    peer: str
    name: str
    state: str
    did: str
    feed: str
    seq: int
    hash: EntryHash
    at: datetime | None
    passed_on: PassedOn | None


def note_taken_back(
    tx: Transaction,
    appended: Iterable[AppendedEntry],
    stix_ids: Sequence[str],
    did: str,
    now: datetime,
) -> None:
    """Note which objects own entries take back, so that their receipts can be asked for."""
    for entry in appended:
        note_recalls(tx, entry.feed_row, entry.seq, stix_ids, did, now)


def receipts_of(tx: Transaction, appended: Iterable[AppendedEntry]) -> tuple[Receipt, ...]:
    """List whoever is expected to confirm these own entries, by name."""
    peers = list_peers(tx)
    pending: dict[str, bool] = {}
    for entry in appended:
        feed = find_feed(tx, entry.feed)
        confirmed = acks_of(tx, entry.feed_row, entry.seq)
        for peer in [] if feed is None else readers_of(tx, feed, peers):
            pending[peer.node_id] = pending.get(peer.node_id, False) or (
                peer.node_id not in confirmed
            )
    return tuple(
        Receipt(peer.node_id, peer.name, PENDING if pending[peer.node_id] else CONFIRMED)
        for peer in peers
        if peer.node_id in pending
    )


def list_receipts(node: Node, stix_id: str) -> tuple[EntryReceipt, ...]:
    """List the receipts of all that this node took back of an object.

    Raises:
        NotFound: ``E_NOT_FOUND`` when this node never published it.
    """
    with node.database.read() as tx:
        recalls = recalls_of(tx, stix_id)
        claims = claims_of(tx, [stix_id]).get(stix_id, [])
        if not recalls and not any(row.origin == node.node_id for row in claims):
            raise NotFound(
                "E_NOT_FOUND",
                f"this node did not publish {stix_id}",
                "Only the origin of an object gets receipts.",
            )
        peers = list_peers(tx)
        return tuple(line for recall in recalls for line in _lines(tx, recall, peers))


def readers_of(tx: Transaction, feed: FeedRow, peers: Sequence[PeerRow]) -> list[PeerRow]:
    """List the peers that may read an own feed now."""
    in_group = members_named(tx, feed.audience) if feed.name.kind == "group" else None
    return [
        peer
        for peer in peers
        if decide_feed_read(
            feed.name,
            highest=Tlp(feed.highest_tlp),
            peer=standing_of(peer),
            named=in_group is None or peer.node_id in in_group,
        ).allowed
    ]


def _lines(tx: Transaction, recall: Recall, peers: Sequence[PeerRow]) -> list[EntryReceipt]:
    feed = find_feed(tx, recall.feed)
    confirmed = acks_of(tx, recall.feed_row, recall.seq)
    expected = {} if feed is None else {p.node_id: p.name for p in readers_of(tx, feed, peers)}
    names = {peer.node_id: peer.name for peer in peers}
    gone = {node_id: names.get(node_id, node_id[:8]) for node_id in confirmed}
    return [
        _line(recall, node_id, name, confirmed.get(node_id))
        for node_id, name in sorted((gone | expected).items(), key=lambda item: (item[1], item[0]))
    ]


def _line(recall: Recall, node_id: NodeId, name: str, ack: AckRow | None) -> EntryReceipt:
    counted = ack is not None and ack.readers is not None and ack.confirmed is not None
    return EntryReceipt(
        peer=node_id,
        name=name,
        state=PENDING if ack is None else CONFIRMED,
        did=recall.did,
        feed=str(recall.feed),
        seq=recall.seq,
        hash=recall.hash,
        at=None if ack is None else ack.at,
        passed_on=PassedOn(ack.readers or 0, ack.confirmed or 0) if ack and counted else None,
    )
