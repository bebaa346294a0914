"""Acks that travel in a carried file, where no network brings them to who waits for them.

They are the same signed words as over the wire, of all feeds that the recipient is to be told of: a
repeat is no error, and nobody can tell whether a file arrived. So what is owed stays owed.
"""

from __future__ import annotations

from typing import Final

from federation.feeds.acks import ack_payload
from federation.signing.signer import seal
from hub.node import Node
from hub.peers.acknowledge import MOST_ACKS, STORED, accept_acks, counts_of
from hub.peers.owed_acks import recipient_of
from hub.storage.queries.acks import due_acks
from hub.storage.queries.feeds import list_feeds
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, FeedName, NodeId
from schemas.signed_envelope import ACK_TYPE
from schemas.strict_json import write_json

MOST_DEEDS: Final = 10_000
"""Of one file; the oldest first."""


def acks_to_carry(tx: Transaction, node: Node, recipient: NodeId) -> list[list[object]]:
    """Seal what a node is to be told, in as many lists as it would take requests."""
    now = node.now()
    payloads = [
        ack_payload(
            node.node_id, FeedName.read(due.feed), due.seq, due.hash, did=due.did, ts=now,
            passed_on=counts_of(tx, due.feed_row, due.seq),
        )
        for due in due_acks(tx, recipient, MOST_DEEDS)
    ]  # fmt: skip
    payloads += [
        ack_payload(
            node.node_id, feed.name, feed.last_seq, EntryHash(feed.last_hash), did=STORED, ts=now
        )
        for feed in list_feeds(tx, own=False)
        if feed.last_seq > 0 and recipient_of(tx, feed) == recipient
    ]
    sealed: list[object] = [
        seal(node.keys.entry, ACK_TYPE, payload).to_json() for payload in payloads
    ]
    return [sealed[start : start + MOST_ACKS] for start in range(0, len(sealed), MOST_ACKS)]


def take_acks(node: Node, sender: PeerRow, values: list[object]) -> None:
    """Take in one list as if it had been posted.

    Raises:
        WireFormatError: ``E_SCHEMA`` for a list of over 100.
    """
    accept_acks(node, sender, write_json({"acks": values}))
