"""Go on with an own feed in its next epoch (PROTOCOL 2.3, 2.4).

The old epoch ends where the root-signed document says; whoever writes behind that is a thief, and
the owner's next entry, which stands in another feed, is no fork of it.

Invariants:
* an epoch begins with an entry of its own whose ``prev`` the node document names; so it is never
  empty, and peers see at once that it is there;
* it has the relay rule of the one before, and a group's begins with the group's document;
* the ended epoch is served on, up to its end, which its head names.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from federation.feeds.writing import policy_members
from federation.identity.document_form import Position
from hub.exchange.own_feeds import ENDED, AppendedEntry, append_entry, refresh_head
from hub.exchange.rosters import find_roster, roster_members
from hub.node import Node
from hub.peers.groups import append_roster
from hub.peers.known_nodes import find_pinned
from hub.peers.may_sign import allow_new_epoch
from hub.storage.queries.feeds import (
    FeedRow,
    create_feed,
    feeds_of_audience,
    find_feed,
    update_feed,
)
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, NodeId
from schemas.markings import Tlp


def epochs_to_ask(tx: Transaction, node_id: NodeId, audience: str) -> tuple[FeedName, ...]:
    """List the epochs of another node's feed that there may be: those held, and the next one.

    There is a next one only where the node's documents name a place at which one could begin.
    """
    held = feeds_of_audience(tx, node_id, audience)
    newest = max((feed.epoch for feed in held), default=1)
    pinned = find_pinned(tx, node_id)
    more = 1 if pinned is not None and pinned.epoch_starts() else 0
    return tuple(FeedName(node_id, audience, epoch) for epoch in range(1, newest + more + 1))


def open_next_epoch(
    tx: Transaction, node: Node, feed: FeedRow, position: Position, now: datetime
) -> AppendedEntry:
    """End an own open feed and begin its next epoch, in the caller's write.

    Args:
        feed: whose chain ends at ``position`` or goes on behind it.
        position: stands in the node document that the caller has stored, in ``epochs`` or as a
            last good one.
    """
    update_feed(tx, feed.feed_row, state=ENDED)
    following = FeedName(feed.node_id, feed.audience, feed.epoch + 1)
    begun = find_feed(tx, following) or create_feed(tx, following, own=True)
    update_feed(tx, begun.feed_row, last_hash=position.hash)
    allow_new_epoch(tx, following)
    if feed.last_seq > 0:
        refresh_head(tx, node, replace(feed, state=ENDED), now)
    lowest = Tlp.CLEAR if feed.name.kind == "clear" else Tlp.GREEN
    policy = policy_members(lowest, relay=feed.relay or "none")
    roster = find_roster(tx, feed.feed_row) if feed.name.kind == "group" else None
    if roster is None and feed.name.kind == "group":
        # What said it is void: as this node has it.
        return append_roster(tx, node, feed.audience, now)
    if roster is None:
        return append_entry(tx, node, following, kind="noop", policy=policy, now=now)
    group = roster_members(
        roster.gid,
        roster.name,
        roster=roster.roster,
        history=roster.history,
        members=roster.members or (),
    )
    return append_entry(
        tx, node, following, kind="group", policy=policy, now=now, members={"group": group}
    )
