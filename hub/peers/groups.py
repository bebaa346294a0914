"""This node's own groups: who is in which, and through which feed each speaks (PROTOCOL 2.4).

Invariants:
* a group has one feed that is open; its first entry is the roster;
* whoever leaves is named in none of the group's feeds from that transaction on, and what comes
  after goes into a new feed under a new random name, which the one who left never learns. Where
  nothing may be signed just then, the feeds change later (``finish_removals``); that somebody left
  the group's present feed says that it is due;
* a group without members is nobody, never everybody;
* who joins a group with history ``join`` reads what comes after and nothing that came before.

What it does not do: decide who may read (``sharing.decide_feed_read`` asks trust each time anew),
or say how each member stands (``group_listing``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from federation.feeds.sharing_policy import lowest_label, policy_members
from hub.errors import Conflict, NotFound
from hub.exchange.own_feeds import AppendedEntry, append_entry, wake_readers
from hub.exchange.rosters import (
    HIDDEN,
    HISTORY_ALL,
    HISTORY_JOIN,
    MEMBERS,
    find_roster,
    roster_members,
    rosters_of,
)
from hub.node import Node
from hub.peers.audiences import is_named, members_named
from hub.peers.lost_rosters import doubt_hidden_rosters
from hub.peers.may_sign import find_hold
from hub.peers.signing_key import require_signing_key
from hub.storage.queries import groups as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.feeds import FeedRow, feeds_of_audience, update_feed
from hub.storage.queries.groups import GroupRow, MemberRow
from hub.storage.queries.jobs import request_job
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, NodeId, b32, direct_audience

__all__ = [
    "OpenGroup",
    "add_member",
    "adopt_recovered_group",
    "append_roster",
    "create_group",
    "feeds_that_reach",
    "finish_removals",
    "is_named",
    "remove_member",
    "require_open_group",
]

GID_BYTES: Final = 16
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TAKEN: Final = frozenset({"clear", "green", "self"})
"""Words that stand for something else where a group's name may stand."""
PRIVATE_GROUP: Final = "~imports"
"""The group that nobody joins (``private_group``); no operator's group can have this name."""


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """An own group with the feed through which it speaks now."""

    group: GroupRow
    gid: str
    feed: FeedRow
    members: frozenset[NodeId]


def create_group(
    node: Node,
    name: str,
    *,
    roster: str = MEMBERS,
    history: str = HISTORY_ALL,
    actor: str = "operator",
) -> OpenGroup:
    """Create a group without members.

    Args:
        name: unique here and told to the members.
        roster: ``members`` tells each member who the others are, ``hidden`` nobody.
        history: ``all`` lets who joins later read from the start, ``join`` from then on.
        actor: who does it, for the audit.

    Raises:
        WireFormatError: ``E_SCHEMA`` for a name, roster or history that is none.
        Conflict: ``E_GROUP_EXISTS``.
    """
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise WireFormatError(
            "E_SCHEMA",
            "a group's name has 1 to 64 of A-Z, a-z, 0-9, ., _ and -, and is no word of ours",
            "Choose a name such as `bank-sector`.",
        )
    if roster not in {MEMBERS, HIDDEN} or history not in {HISTORY_ALL, HISTORY_JOIN}:
        raise WireFormatError("E_SCHEMA", "a roster is members or hidden, a history all or join")
    with node.database.write() as tx:
        now = node.now()
        if stored.find_group(tx, node.node_id, name) is not None:
            raise Conflict("E_GROUP_EXISTS", f"there is a group {name}", "See `tocsin group list`.")
        group = stored.store_group(tx, node.node_id, name, roster=roster, history=history, at=now)
        _open_feed(tx, node, group, (), now)
        store_event(tx, now, actor, "GROUP_CREATED", group=name, roster=roster, history=history)
        return require_open_group(tx, node, name)


def add_member(node: Node, name: str, peer: PeerRow, *, actor: str = "operator") -> OpenGroup:
    """Name a peer in a group; that it may read is its trust's matter.

    Raises:
        NotFound: ``E_GROUP_UNKNOWN``.
        Conflict: ``E_GROUP_MEMBER`` when it is in already; ``E_GROUP_PRIVATE`` of the group that
            nobody joins; ``E_FROZEN`` or ``E_FEED``.
    """
    if name == PRIVATE_GROUP:
        raise Conflict("E_GROUP_PRIVATE", f"nobody joins {name}", "Make a group of another name.")
    with node.database.write() as tx:
        now = node.now()
        held = require_open_group(tx, node, name)
        if held.feed.state == "closed":
            _open_feed(tx, node, held.group, (), now)
        elif _owes_feed(tx, held):
            _change_feed(tx, node, held, now)
        held = require_open_group(tx, node, name)
        if peer.node_id in held.members:
            raise Conflict("E_GROUP_MEMBER", f"{peer.name} is in {name} already")
        joins = held.group.history == HISTORY_JOIN
        since = (held.feed.epoch, held.feed.last_seq) if joins else (1, 0)
        stored.store_member(tx, MemberRow(held.gid, peer.node_id, *since, added_at=now))
        # A hidden roster is the same before and after: an entry would tell that somebody came.
        # Who begins to read here has to find the group's document in its own part of the feed.
        if joins or held.group.roster == MEMBERS:
            append_roster(tx, node, held.gid, now)
            wake_readers(tx, [held.feed.name], list_peers(tx), now)
        else:
            request_job(tx, "wake", peer.node_id, now)
        store_event(tx, now, actor, "GROUP_MEMBER_ADDED", group=name, peer=peer.node_id)
        return require_open_group(tx, node, name)


def remove_member(node: Node, name: str, peer: PeerRow, *, actor: str = "operator") -> OpenGroup:
    """Remove a peer: the feed is closed and a new one opened, without it (PROTOCOL 2.4).

    What it has read it has: nothing can be fetched back. The member reads nothing more from this
    write on; where nothing may be signed now, the feeds change as soon as that is over.

    Returns:
        The group as it is now, with its old feed where the change is due.

    Raises:
        NotFound: ``E_GROUP_UNKNOWN``.
        Conflict: ``E_GROUP_MEMBER`` when it is not in.
    """
    with node.database.write() as tx:
        now = node.now()
        held = require_open_group(tx, node, name)
        if peer.node_id not in held.members:
            raise Conflict(
                "E_GROUP_MEMBER", f"{peer.name} is not in {name}", "See `tocsin group list`."
            )
        stored.end_memberships(tx, stored.gids_of(tx, held.group.group_row), peer.node_id, now)
        opened = None
        if _may_change_feed(tx, node, held, now):
            opened = _change_feed(tx, node, held, now)
        store_event(
            tx, now, actor, "GROUP_MEMBER_REMOVED", group=name, peer=peer.node_id,
            closed=held.gid, opened=opened,
        )  # fmt: skip
        return require_open_group(tx, node, name)


def finish_removals(node: Node) -> tuple[str, ...]:
    """Change the feeds of groups that somebody left while nothing could be signed; name them.

    Safe to call at any time: without such a group it writes nothing.
    """
    with node.database.read() as tx:
        if not _due(tx, node):
            return ()
    with node.database.write() as tx:
        now = node.now()
        due = [held for held in _due(tx, node) if _may_change_feed(tx, node, held, now)]
        for held in due:
            opened = _change_feed(tx, node, held, now)
            store_event(
                tx, now, "node", "GROUP_FEED_CHANGED", group=held.group.name,
                closed=held.gid, opened=opened,
            )  # fmt: skip
    return tuple(held.group.name for held in due)


def require_open_group(tx: Transaction, node: Node, name: str) -> OpenGroup:
    """Find an own group by its name.

    Raises:
        NotFound: ``E_GROUP_UNKNOWN``.
    """
    group = stored.find_group(tx, node.node_id, name)
    if group is None:
        raise NotFound(
            "E_GROUP_UNKNOWN",
            f"this node has no group {name}",
            "See `tocsin group list`, or make one with `tocsin group create NAME`.",
        )
    return _present(tx, node, group)


def append_roster(tx: Transaction, node: Node, gid: str, now: datetime) -> AppendedEntry:
    """Seal the roster of an own group, as it is now, into its newest feed.

    Raises:
        Conflict: ``E_FROZEN`` or ``E_FEED`` when the feed takes no more entries.
    """
    group = stored.find_group_of_gid(tx, node.node_id, gid)
    assert group is not None  # noqa: S101 - narrowed for mypy; callers found or stored it
    feed = _newest(tx, node, gid)
    document = roster_members(
        gid,
        group.name,
        roster=group.roster,
        history=group.history,
        members=[node.node_id, *members_named(tx, gid)],
    )
    policy = policy_members(lowest_label(feed), relay="none")
    return append_entry(
        tx, node, feed, kind="group", policy=policy, now=now, members={"group": document}
    )


def feeds_that_reach(
    tx: Transaction, node: Node, feed: FeedName, seq: int | None = None
) -> tuple[FeedName, ...]:
    """Name the open own feeds through which a later word reaches everybody who may have something.

    Nobody else is told: a later word on an object repeats it, and even its id may give its value
    away (PROTOCOL 3.4). So a group's present feed is named only when all who read it now could
    read the entry; else the direct feeds of those who could.

    Args:
        feed: an own feed.
        seq: the first entry of it that carried the object; None for anything in the feed.
    """
    group = stored.find_group_of_gid(tx, node.node_id, feed.audience)
    if group is None:
        return (_newest(tx, node, feed.audience),)
    # 1. Who could read it: members of that time, whether they are in the group today or not.
    entitled = {
        member.node_id
        for member in stored.members_of(tx, feed.audience)
        if seq is None or (member.since_epoch, member.since_seq) < (feed.epoch, seq)
    }
    # 2. The group's present feed, where nobody has come since.
    held = _present(tx, node, group)
    reached: list[FeedName] = []
    if held.feed.state == "open" and held.members <= entitled:
        reached.append(held.feed.name)
        entitled -= held.members
    # 3. Each of the others by itself.
    reached += [_newest(tx, node, direct_audience(node_id)) for node_id in sorted(entitled)]
    return tuple(reached)


def adopt_recovered_group(tx: Transaction, node: Node, feed: FeedName, now: datetime) -> None:
    """Take over what own entries say of a group that came back after a restore (PROTOCOL 4.6).

    Nobody is let in by this whom the newest roster that we signed does not name: with a hidden
    roster nobody is, and a person has to add the members anew.
    """
    held = feeds_of_audience(tx, node.node_id, feed.audience)
    said = find_roster(tx, held[-1].feed_row) if held else None
    if said is None:
        return
    group = stored.find_group(tx, node.node_id, said.name) or stored.store_group(
        tx, node.node_id, said.name, roster=said.roster, history=said.history, at=now
    )
    if feed.audience not in stored.gids_of(tx, group.group_row):
        stored.set_group_of_gid(tx, group, feed.audience)
    if said.members is None:
        doubt_hidden_rosters(tx, node, now, only=said.name)
    named = frozenset(said.members or ()) - {node.node_id}
    known = {member.node_id for member in stored.members_of(tx, feed.audience)}
    for node_id in sorted(named - known):
        since = _named_since(tx, held, node_id) if said.history == HISTORY_JOIN else (1, 0)
        stored.store_member(tx, MemberRow(feed.audience, node_id, *since, added_at=now))
    if held[-1].state == "open" and said.members is not None:
        gids = stored.gids_of(tx, group.group_row)
        for node_id in {n for gid in gids for n in members_named(tx, gid)} - named:
            stored.end_memberships(tx, gids, node_id, now)
    store_event(tx, now, "node", "GROUP_RECOVERED", group=said.name, gid=feed.audience)


def _named_since(tx: Transaction, held: Sequence[FeedRow], node_id: NodeId) -> tuple[int, int]:
    """Find after which entry a member reads: each that came had a roster that names it first."""
    for feed in held:
        for seq, roster in rosters_of(tx, feed.feed_row):
            if node_id in (roster.members or ()):
                return feed.epoch, seq - 1
    return held[-1].epoch, held[-1].last_seq


def _present(tx: Transaction, node: Node, group: GroupRow) -> OpenGroup:
    """Find the feed through which a group speaks: the newest one that is not closed.

    Where all are closed, which only a restore can bring about, nobody is in.
    """
    feeds = {
        gid: feeds_of_audience(tx, node.node_id, gid)[-1]
        for gid in stored.gids_of(tx, group.group_row)
    }
    living = [gid for gid, feed in feeds.items() if feed.state != "closed"]
    gid = (living or list(feeds))[-1]
    members = members_named(tx, gid) if living else frozenset[NodeId]()
    return OpenGroup(group, gid, feeds[gid], members)


def _newest(tx: Transaction, node: Node, audience: str) -> FeedName:
    """Name the feed to an audience in its present epoch."""
    feeds = feeds_of_audience(tx, node.node_id, audience)
    return feeds[-1].name if feeds else FeedName(node.node_id, audience)


def _open_feed(
    tx: Transaction, node: Node, group: GroupRow, members: Sequence[NodeId], now: datetime
) -> AppendedEntry:
    """Open a feed under a new random name, its roster first."""
    gid = f"g-{b32(node.entropy(GID_BYTES))}"
    stored.set_group_of_gid(tx, group, gid)
    for node_id in members:
        stored.store_member(tx, MemberRow(gid, node_id, 1, 0, added_at=now))
    return append_roster(tx, node, gid, now)


def _due(tx: Transaction, node: Node) -> list[OpenGroup]:
    own = (row for row in stored.list_groups(tx) if row.node_id == node.node_id)
    return [held for row in own if _owes_feed(tx, held := _present(tx, node, row))]


def _owes_feed(tx: Transaction, held: OpenGroup) -> bool:
    """Tell whether somebody has left a group whose feed is still the one that he knows."""
    if held.feed.state == "closed":
        return False
    return any(member.removed_at is not None for member in stored.members_of(tx, held.gid))


def _may_change_feed(tx: Transaction, node: Node, held: OpenGroup, now: datetime) -> bool:
    """Tell whether the group's next feed may be begun now.

    Whether the old one takes its end is another question: one that is held for itself, or frozen,
    must not keep anybody in.
    """
    try:
        require_signing_key(tx, node, now)
    except Conflict:
        return False
    # The next feed has no name yet. A hold on it asks for the same readers as this audience's.
    following = FeedName(node.node_id, held.gid, held.feed.epoch + 1)
    return find_hold(tx, node, following) is None


def _change_feed(tx: Transaction, node: Node, held: OpenGroup, now: datetime) -> str:
    """Close a group's feed and open the next, with those who are in; return its audience."""
    if held.feed.state == "open" and find_hold(tx, node, held.feed.name) is None:
        _close(tx, node, held.feed, now)
    remaining = sorted(members_named(tx, held.gid))
    opened = _open_feed(tx, node, held.group, remaining, now)
    wake_readers(tx, [held.feed.name, opened.feed], list_peers(tx), now)
    return opened.feed.audience


def _close(tx: Transaction, node: Node, feed: FeedRow, now: datetime) -> None:
    """Close a feed: its last entry retracts the group itself. It names no reason and nobody."""
    policy = policy_members(lowest_label(feed.name), relay="none")
    append_entry(
        tx, node, feed.name, kind="retract", policy=policy, now=now,
        members={"ids": [feed.audience]},
    )  # fmt: skip
    update_feed(tx, feed.feed_row, state="closed")
