"""Who is named in this node's own group and direct feeds (PROTOCOL 2.4, 2.6).

Decides: whether a peer is in the audience of a feed, and after which entry its part begins.

Invariants:
* only what this node itself stored of its groups is asked, never what a peer says of itself;
* who left a group is named in none of the feeds that the group ever had;
* the answer costs one statement, whatever the feed and whatever the answer (THREATS 3.11).

What it does not do: ask for trust. That a named peer reads is ``sharing.decide_feed_read``'s to
say, each time anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.storage.queries.groups import MemberRow, members_of, memberships_of
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, NodeId, direct_audience


@dataclass(frozen=True, slots=True)
class Naming:
    """In which of this node's feeds one peer is named.

    Args:
        node_id: the peer.
        memberships: of own groups, by gid.
    """

    node_id: NodeId
    memberships: Mapping[str, MemberRow]

    def names(self, feed: FeedName) -> bool:
        """Tell whether the peer is named in an own feed; nobody is in an open one."""
        if feed.kind == "group":
            member = self.memberships.get(feed.audience)
            return member is not None and feed.epoch >= member.since_epoch
        return feed.audience == direct_audience(self.node_id)

    def begins_after(self, feed: FeedName) -> int:
        """Return the seq of the last entry before the peer's part of a feed; 0 for all of it."""
        member = self.memberships.get(feed.audience)
        if member is None or feed.epoch != member.since_epoch:
            return 0
        return member.since_seq


def naming_of(tx: Transaction, node_id: NodeId) -> Naming:
    """Find in which own feeds a peer is named."""
    return Naming(node_id, {member.gid: member for member in memberships_of(tx, node_id)})


def is_named(tx: Transaction, feed: FeedName, node_id: NodeId) -> bool:
    """Tell whether a peer is in the audience of an own group or direct feed."""
    return naming_of(tx, node_id).names(feed)


def read_by_all_after(tx: Transaction, feed: FeedName) -> int:
    """Return the seq after which all who are named in a group's feed now read it.

    What an entry refers to must lie behind it, or the newest members could not resolve it
    (PROTOCOL 3.4).
    """
    return max(
        (
            member.since_seq
            for member in members_of(tx, feed.audience)
            if member.removed_at is None and member.since_epoch == feed.epoch
        ),
        default=0,
    )


def members_named(tx: Transaction, gid: str) -> frozenset[NodeId]:
    """Find the nodes that are named in an own group feed now."""
    return frozenset(m.node_id for m in members_of(tx, gid) if m.removed_at is None)
