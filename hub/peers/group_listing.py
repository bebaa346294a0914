"""How each group stands: who is in it, what each member is known to hold, and why one cannot read.

A failed delivery is told to the sender here: a member whose trust does not reach the feed, or who
has not confirmed its entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from federation.policy.explain import sentences
from federation.policy.sharing import decide_feed_read
from hub.exchange.rosters import find_roster
from hub.node import Node
from hub.peers.groups import PRIVATE_GROUP, OpenGroup, require_open_group
from hub.peers.standing import standing_of
from hub.storage.queries.feeds import FeedRow, feeds_of_audience
from hub.storage.queries.groups import GroupRow, gids_of, list_groups, members_of
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.queries.positions import Position, positions_of
from hub.storage.queries.scopes import followers_of_groups
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId
from schemas.markings import Tlp


@dataclass(frozen=True, slots=True)
class MemberState:
    """One member of a group.

    Args:
        peer: its node id.
        name: its name, or its node id where it is no peer of ours.
        reads: whether it may read the feed now; None in a group of another node.
        code: of that decision.
        why: in words.
        since: the seq after which it reads; 0 for all of the feed.
        holds: the last entry that it is known to hold, None where nothing is known.
        lag: how many entries of its part it is not known to hold.
        confirmed_at: since when that is known.
    """

    peer: NodeId
    name: str
    reads: bool | None = None
    code: str | None = None
    why: str | None = None
    since: int = 0
    holds: int | None = None
    lag: int | None = None
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GroupState:
    """One group as the operator sees it.

    Args:
        own: whether this node's own; else one that we are in.
        state: ``open``, ``closed``, or ``frozen``, of the newest feed.
        entries: how far that feed goes here.
        members: None where its origin hides them.
        subscribers: the tokens that follow an own group.
    """

    name: str
    own: bool
    origin: NodeId
    origin_name: str
    roster: str
    history: str
    gid: str
    feed: str
    state: str
    entries: int
    members: tuple[MemberState, ...] | None
    subscribers: tuple[str, ...] = ()


def list_group_states(node: Node) -> tuple[GroupState, ...]:
    """List the groups of this node, and those of others that it is in, by name."""
    with node.database.read() as tx:
        listing = _Listing(tx, node)
        return tuple(
            state
            for row in list_groups(tx)
            # The private one is nobody's: `tocsin import list` tells what it carries.
            if (row.name != PRIVATE_GROUP or row.node_id != node.node_id)
            and (state := listing.state_of(row))
        )


def group_state(node: Node, name: str) -> GroupState:
    """Describe one own group.

    Raises:
        NotFound: ``E_GROUP_UNKNOWN``.
    """
    with node.database.read() as tx:
        return _Listing(tx, node).own_state(require_open_group(tx, node, name))


class _Listing:
    """What every group's state needs, read once."""

    def __init__(self, tx: Transaction, node: Node) -> None:
        self.tx = tx
        self.node = node
        self.peers: Mapping[str, PeerRow] = {peer.node_id: peer for peer in list_peers(tx)}
        self.followers = followers_of_groups(tx, node.now())

    def state_of(self, row: GroupRow) -> GroupState | None:
        if row.node_id == self.node.node_id:
            return self.own_state(require_open_group(self.tx, self.node, row.name))
        return self._foreign_state(row)

    def own_state(self, held: OpenGroup) -> GroupState:
        positions = positions_of(self.tx, held.feed.feed_row)
        members = [
            self._member(held.feed, member.node_id, member.since_seq, positions)
            for member in members_of(self.tx, held.gid)
            if member.node_id in held.members
        ]
        return GroupState(
            name=held.group.name,
            own=True,
            origin=self.node.node_id,
            origin_name="self",
            roster=held.group.roster,
            history=held.group.history,
            gid=held.gid,
            feed=held.feed.feed,
            state=held.feed.state,
            entries=held.feed.last_seq,
            members=tuple(sorted(members, key=lambda member: (member.name, member.peer))),
            subscribers=tuple(self.followers.get(held.group.name, ())),
        )

    def _member(
        self, feed: FeedRow, node_id: NodeId, since: int, positions: Mapping[NodeId, Position]
    ) -> MemberState:
        peer = self.peers.get(node_id)
        if peer is None:
            return MemberState(node_id, node_id, reads=False, since=since)
        decision = decide_feed_read(
            feed.name, highest=Tlp(feed.highest_tlp), peer=standing_of(peer), named=True
        )
        position = positions.get(node_id)
        return MemberState(
            node_id,
            peer.name,
            reads=decision.allowed,
            code=decision.code,
            why=" ".join(sentences(decision)),
            since=since,
            holds=None if position is None else position.seq,
            lag=feed.last_seq - max(since, 0 if position is None else position.seq),
            confirmed_at=None if position is None else position.at,
        )

    def _foreign_state(self, row: GroupRow) -> GroupState | None:
        """Describe a group that we are in, by its origin's own word."""
        gids = gids_of(self.tx, row.group_row)
        feeds = [f for gid in gids for f in feeds_of_audience(self.tx, row.node_id, gid)]
        if not feeds:
            return None
        living = [feed for feed in feeds if feed.state != "closed"]
        feed = (living or feeds)[-1]
        said = find_roster(self.tx, feed.feed_row)
        members = None
        if said is not None and said.members is not None:
            members = tuple(MemberState(n, self._name(n)) for n in said.members)
        return GroupState(
            name=row.name,
            own=False,
            origin=row.node_id,
            origin_name=self._name(row.node_id),
            roster=row.roster,
            history=row.history,
            gid=feed.audience,
            feed=feed.feed,
            state=feed.state,
            entries=feed.last_seq,
            members=members,
        )

    def _name(self, node_id: NodeId) -> str:
        if node_id == self.node.node_id:
            return "self"
        peer = self.peers.get(node_id)
        return node_id if peer is None else peer.name
