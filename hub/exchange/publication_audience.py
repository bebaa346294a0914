"""Who gets a publication: the feeds that it goes into, and what each peer will be given, and why.

Invariants:
* AMBER and above go only to whom somebody named: peers, or groups that are not empty;
* each line is decided as the feed's door will decide it: by the strictest label that the feed has
  ever carried, with this publication in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from federation.errors import SharingRefused
from federation.policy.decision import Decision
from federation.policy.explain import sentences
from federation.policy.sharing import decide_delivery, decide_feed_read
from hub.node import Node
from hub.peers.groups import PRIVATE_GROUP, OpenGroup, require_open_group
from hub.peers.private_group import require_or_imagine
from hub.peers.standing import standing_of
from hub.storage.queries.feeds import FeedRow, list_feeds
from hub.storage.queries.peers import PeerRow
from hub.storage.queries.positions import Position, positions_of
from hub.storage.queries.scopes import followers_of_groups
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, NodeId, direct_audience
from schemas.markings import Tlp

_NAMED = "Name the recipients with --to PEER or --group GROUP."


@dataclass(frozen=True, slots=True)
class AudienceLine:
    """What one peer will get of this publication, and why."""

    peer: str
    name: str
    decision: str
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Audience:
    """For whom a publication is.

    Args:
        tlp: its label.
        to: the named peers.
        groups: the named groups, as they are now.
        followers: by group name, the tokens that follow it, each with its clearance.
        newest: this node's own feeds by audience, each in its present epoch.
        positions: by gid, what each peer is known to hold of the group's feed.
    """

    node_id: NodeId
    tlp: Tlp
    to: tuple[PeerRow, ...]
    groups: tuple[OpenGroup, ...]
    followers: Mapping[str, Mapping[str, int]]
    newest: Mapping[str, FeedRow]
    positions: Mapping[str, Mapping[NodeId, Position]]

    @property
    def is_named(self) -> bool:
        """Whether somebody was named at all."""
        return bool(self.to or self.groups)

    def feeds(self) -> tuple[FeedName, ...]:
        """Name the feeds that the publication goes into."""
        if not self.is_named:
            return (self._open_feed(),)
        direct = (self._direct_feed(peer) for peer in self.to)
        return (*direct, *(group.feed.name for group in self.groups))

    def line(self, peer: PeerRow) -> AudienceLine:
        """Say what one peer will get; of several feeds one that it reads is enough."""
        feeds = self._feeds_for(peer)
        decisions = [self._decide_read(feed, peer) for feed in feeds]
        decision = next((d for d in decisions if d.allowed), None) or (
            decisions[0] if decisions else self._decide_unnamed(peer)
        )
        if decision.allowed and not feeds:
            # The label alone would reach this peer, but the publication goes to named ones.
            why = f"This publication goes to named peers only, and {peer.name} is not named."
            return AudienceLine(peer.node_id, peer.name, "refused", "REFUSED_NOT_NAMED", why)
        return AudienceLine(
            peer.node_id,
            peer.name,
            "allowed" if decision.allowed else "refused",
            decision.code,
            " ".join([*sentences(decision), *self._waiting(peer)]),
        )

    def refuse_where_nobody_is(self, lines: Sequence[AudienceLine], *, dry_run: bool) -> None:
        """Refuse a group without members, and what a named peer may not have.

        A member that may not read is told to the sender and stops nothing, as long as somebody
        reads: the group is its audience, not each of its members.

        Raises:
            SharingRefused: ``E_GROUP_EMPTY``, ``E_AUDIENCE_REFUSED``.
        """
        for group in self.groups:
            if group.group.name == PRIVATE_GROUP:
                continue  # this node itself is the audience
            if not group.members and not self._followed(group, lowest=Tlp.CLEAR):
                raise SharingRefused(
                    "E_GROUP_EMPTY",
                    f"the group {group.group.name} has no members, so it is nobody",
                    f"Add one with `tocsin group add {group.group.name} PEER`.",
                )
        if dry_run:
            return
        by_peer = {line.peer: line for line in lines}
        for peer in self.to:
            decision = self._decide_read(self._direct_feed(peer), peer)
            if not decision.allowed:
                raise _refused(f"{peer.name}: {' '.join(sentences(decision))}", decision.code)
        for group in self.groups:
            if group.group.name == PRIVATE_GROUP:
                continue
            members = [by_peer[node_id] for node_id in group.members if node_id in by_peer]
            reading = any(line.decision == "allowed" for line in members)
            if not reading and not self._followed(group, lowest=self.tlp):
                first = f"; {members[0].name}: {members[0].why}" if members else ""
                raise _refused(
                    f"no member of {group.group.name} may have this label{first}",
                    members[0].code if members else "REFUSED_NOT_NAMED",
                )

    def _followed(self, group: OpenGroup, *, lowest: Tlp) -> bool:
        clearances = self.followers.get(group.group.name, {}).values()
        return any(clearance >= lowest for clearance in clearances)

    def _open_feed(self) -> FeedName:
        return self._feed_to("clear" if self.tlp is Tlp.CLEAR else "green")

    def _direct_feed(self, peer: PeerRow) -> FeedName:
        return self._feed_to(direct_audience(peer.node_id))

    def _feed_to(self, audience: str) -> FeedName:
        held = self.newest.get(audience)
        return FeedName(self.node_id, audience) if held is None else held.name

    def _feeds_for(self, peer: PeerRow) -> list[FeedName]:
        """List the feeds of this publication in which a peer is named."""
        if not self.is_named:
            return [self._open_feed()]
        direct = [self._direct_feed(peer)] if peer.node_id in {p.node_id for p in self.to} else []
        return direct + [g.feed.name for g in self.groups if peer.node_id in g.members]

    def _decide_read(self, feed: FeedName, peer: PeerRow) -> Decision:
        held = self.newest.get(feed.audience)
        highest = self.tlp if held is None else max(self.tlp, Tlp(held.highest_tlp))
        return decide_feed_read(feed, highest=highest, peer=standing_of(peer), named=self.is_named)

    def _decide_unnamed(self, peer: PeerRow) -> Decision:
        return decide_delivery(self.tlp, peer=standing_of(peer), named=False)

    def _waiting(self, peer: PeerRow) -> list[str]:
        """Tell what of a group's feed a member is not known to hold yet."""
        told = []
        for group in self.groups:
            if peer.node_id in group.members:
                position = self.positions.get(group.gid, {}).get(peer.node_id)
                lag = group.feed.last_seq - (0 if position is None else position.seq)
                if position is not None and lag > 0:
                    word = "entry" if lag == 1 else "entries"
                    told.append(
                        f"It has not confirmed the last {lag} {word} of {group.group.name} yet."
                    )
        return told


def read_audience(
    tx: Transaction,
    node: Node,
    tlp: Tlp,
    to: tuple[PeerRow, ...],
    groups: Sequence[str],
    *,
    dry_run: bool = False,
) -> Audience:
    """Find the named groups, and what their members are known to hold.

    Args:
        dry_run: the private group need not be there yet.

    Raises:
        SharingRefused: ``E_CLEAR_TO_NAMED``, ``E_NOBODY``.
        NotFound: ``E_GROUP_UNKNOWN``.
    """
    if tlp is Tlp.CLEAR and (to or groups):
        raise SharingRefused(
            "E_CLEAR_TO_NAMED",
            "TLP:CLEAR may be shared with the world; a named audience contradicts it",
            "Leave out --to and --group, or choose a stricter label.",
        )
    if tlp >= Tlp.AMBER and not to and not groups:
        raise SharingRefused(
            "E_NOBODY",
            f"TLP:{tlp.wire.upper()} goes only to whom you name, and you named nobody",
            _NAMED,
        )
    find = require_or_imagine if dry_run else require_open_group
    found = tuple(find(tx, node, name) for name in dict.fromkeys(groups))
    own = list_feeds(tx, own=True)
    return Audience(
        node_id=node.node_id,
        tlp=tlp,
        to=to,
        groups=found,
        followers=followers_of_groups(tx, node.now()) if found else {},
        newest={row.audience: row for row in sorted(own, key=lambda row: row.epoch)},
        positions={group.gid: positions_of(tx, group.feed.feed_row) for group in found},
    )


def _refused(detail: str, code: str) -> SharingRefused:
    return SharingRefused(
        "E_AUDIENCE_REFUSED",
        detail,
        "Change the peer's trust with `tocsin peer set`, or leave the peer out.",
        decision=code,
    )
