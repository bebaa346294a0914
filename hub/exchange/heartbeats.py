"""Heartbeats: an entry that says nothing, in own feeds that were silent for long (PROTOCOL 2.4).

A head that is signed anew shows that the origin lives; an entry that arrives shows that the line
works, since readers confirm how far they hold a feed. Sent at regular hours it is padding too:
from outside, a day without news looks like a day with some.

Invariants:
* it carries nothing and bears the lowest label of its feed, so that it opens and closes nothing;
* readers are woken as by any other entry;
* a feed without readers, or one that has ended, stays as it is.

What it does not do: vouch (``peers.vouching``), though its entries are of the same kind.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from federation.feeds.sharing_policy import lowest_label
from federation.feeds.writing import policy_members
from hub.errors import Conflict, NotFound
from hub.exchange.own_feeds import AppendedEntry, append_entry, wake_readers
from hub.exchange.receipts import readers_of
from hub.node import Node
from hub.storage.queries.feeds import FeedRow, find_feed, list_feeds
from hub.storage.queries.peers import list_peers
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName


def send_heartbeat(node: Node, feed: FeedName) -> AppendedEntry:
    """Write one into an own feed, or the epoch in which it goes on.

    Raises:
        NotFound: ``E_FEED_UNKNOWN`` when this node writes no such feed.
        Conflict: see ``append_entry``.
    """
    with node.database.write() as tx:
        held = find_feed(tx, feed)
        if held is None or not held.own or held.last_seq == 0:
            raise NotFound(
                "E_FEED_UNKNOWN",
                f"this node writes no feed {feed}",
                "Run `tocsin feed list`; what has no entry yet begins with what you publish.",
            )
        return _beat(tx, node, held, node.now())


def send_due_heartbeats(node: Node) -> int:
    """Write one into each own feed that was silent for ``heartbeat_hours``; return how many."""
    sent = 0
    for feed in heartbeat_due_feeds(node):
        # Where nothing can be signed now, the next look finds the feed as silent as it is.
        with suppress(Conflict), node.database.write() as tx:
            now = node.now()
            held = find_feed(tx, feed.name)
            if held is not None and _is_due(tx, node, held, now):
                _beat(tx, node, held, now)
                sent += 1
    return sent


def heartbeat_due_feeds(node: Node) -> list[FeedRow]:
    """List the own feeds that were silent so long."""
    if not node.settings.heartbeat_hours:
        return []
    with node.database.read() as tx:
        return [feed for feed in list_feeds(tx, own=True) if _is_due(tx, node, feed, node.now())]


def _is_due(tx: Transaction, node: Node, feed: FeedRow, now: datetime) -> bool:
    silence = timedelta(hours=node.settings.heartbeat_hours)
    if feed.state != "open" or feed.last_ts is None or now - feed.last_ts < silence:
        return False
    return bool(readers_of(tx, feed, list_peers(tx)))


def _beat(tx: Transaction, node: Node, feed: FeedRow, now: datetime) -> AppendedEntry:
    policy = policy_members(lowest_label(feed.name), relay=feed.relay or "none")
    entry = append_entry(tx, node, feed.name, kind="noop", policy=policy, now=now)
    wake_readers(tx, [entry.feed], list_peers(tx), now)
    return entry
