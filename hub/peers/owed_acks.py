"""To whom this node owes a word on what it did with an entry (PROTOCOL 2.6 ``/acks``).

Decides: the origin where it is a peer, else the sender that the entry came from, which counts it.

Invariants:
* what is owed is noted in the transaction that did it, so a crash tells nobody too much or nothing;
* a feed of our own is confirmed to nobody.

What it does not do: send it (``acknowledge``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from hub.peers.standing import is_reading
from hub.storage.queries.acks import note_due_ack
from hub.storage.queries.feeds import FeedRow, feeds_unconfirmed, find_entry
from hub.storage.queries.jobs import request_job
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId

ACK: Final = "ack"
STORED_WAIT: Final = timedelta(seconds=20)
"""How long the news that something was stored waits for more of its kind."""


def owe_acks(
    tx: Transaction,
    feed: FeedRow,
    origin: PeerRow | None,
    sender: PeerRow,
    deeds: Iterable[tuple[int, str]],
    now: datetime,
) -> None:
    """Note what was done with entries of a feed, to be confirmed soon.

    Args:
        origin: the feed's origin where it is a peer.
        deeds: seq and deed of each entry.
    """
    recipient = sender if origin is None or not is_reading(origin) else origin
    for seq, did in deeds:
        note_due_ack(tx, recipient.node_id, feed.feed_row, seq, did, now)
    request_job(tx, ACK, recipient.node_id, now)


def feeds_to_confirm(tx: Transaction) -> list[tuple[FeedRow, NodeId]]:
    """List the feeds of which more is held than was confirmed, each with whom to tell."""
    found: list[tuple[FeedRow, NodeId]] = []
    for feed in feeds_unconfirmed(tx):
        recipient = recipient_of(tx, feed)
        if recipient is not None:
            found.append((feed, recipient))
    return found


def recipient_of(tx: Transaction, feed: FeedRow) -> NodeId | None:
    """Find whom to tell of a feed; None where nobody is left to be told."""
    origin = find_peer(tx, feed.node_id)
    if origin is not None and is_reading(origin):
        return origin.node_id
    entry = find_entry(tx, feed.feed_row, feed.last_seq)
    sender = None if entry is None or entry.sender is None else find_peer(tx, entry.sender)
    return sender.node_id if sender is not None and is_reading(sender) else None


def plan_acks(tx: Transaction, now: datetime) -> None:
    """Ask for the jobs that confirm what was stored since; called after a pull."""
    for recipient in sorted({recipient for _, recipient in feeds_to_confirm(tx)}):
        request_job(tx, ACK, recipient, now + STORED_WAIT)
