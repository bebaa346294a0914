"""What a change of a peer's dials, or its suspension, does downstream: told before and after.

Decides nothing. What would be is found by trying: in a savepoint that is rolled back the peer is
changed, the names that it speaks of are judged again, and what differs is told.

Invariants:
* nothing that is tried is stored; each trial is a bounded write, so that nobody waits long for it;
* the verdicts of both sides are made at the same moment, so that age alone is no effect;
* counts are of what is stored here now; what a peer never sent has no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any, Final

from hub.exchange.readmission import ACCEPTED, judged_again
from hub.exchange.serve_feeds import feeds_shown_to
from hub.node import Node
from hub.peers.standing import SUSPENDED, is_reading
from hub.peers.trust import PeerChanges, read_changes, require_peer
from hub.storage.queries.claims import names_claimed
from hub.storage.queries.groups import gids_of, list_groups, memberships_of
from hub.storage.queries.objects import count_by_state_of, update_objects
from hub.storage.queries.peers import PeerRow, find_peer, list_peers, update_peer
from hub.storage.queries.verdict_work import WorkItem, names_of_origin
from hub.storage.queries.verdicts import verdicts_on
from hub.storage.transaction import Transaction
from hub.verdicts.fuse import judge_names
from hub.verdicts.guards import load_guards
from hub.verdicts.settling import Step

AT_ONCE: Final = 500
MOST_NAMES: Final = 5_000
"""So many names are judged for a preview of dials; a suspension looks at all."""
Progress = Callable[[int], None]
Standing = Mapping[tuple[str, int], tuple[int, bool]]
"""By name and label: the published confidence, and whether it asks for a block."""


@dataclass(frozen=True, slots=True)
class VerdictEffects:
    """What becomes of verdicts.

    Args:
        names: how many names were looked at.
        of: how many there are.
        lost: names that no verdict stands for any more.
        won: names that have one only then.
        changed: names whose confidence differs, of those that keep theirs.
        blocks_ended: names that no block is asked for any more.
        blocks_begun: names that one is asked for only then.
    """

    names: int
    of: int
    lost: tuple[str, ...] = ()
    won: tuple[str, ...] = ()
    changed: int = 0
    blocks_ended: tuple[str, ...] = ()
    blocks_begun: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedEffect:
    """A feed that becomes readable, or no longer is.

    Args:
        entries: how many it holds here.
        peers: for whom.
    """

    feed: str
    entries: int
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Downstream:
    """The effects of one change.

    Args:
        released: versions that leave quarantine.
        hidden: versions that leave the views.
        opened: feeds that the peer may read then.
        shut: feeds that it may no longer read.
        relay_lost: feeds of the peer that others no longer get from here.
        groups: own groups that it is in.
    """

    verdicts: VerdictEffects
    released: int = 0
    hidden: int = 0
    opened: tuple[FeedEffect, ...] = ()
    shut: tuple[FeedEffect, ...] = ()
    relay_lost: tuple[FeedEffect, ...] = ()
    groups: tuple[str, ...] = ()


def preview_changes(
    node: Node, peer: PeerRow, changes: PeerChanges, *, progress: Progress = lambda _n: None
) -> Downstream:
    """Tell what a change of dials will send and release, on what is stored now.

    Raises:
        WireFormatError: ``E_SCHEMA``. NotFound: ``E_PEER_UNKNOWN``.
    """
    values = read_changes(changes)
    released: list[int] = []
    with node.database.write(durable=False) as tx:
        before = require_peer(find_peer(tx, peer.node_id))
        reads = _feeds_of(tx, before)
        relayed = _relayed(tx, before)
        with _Tried(tx, before, values) as after:
            reads_then = _feeds_of(tx, after)
            relayed_then = _relayed(tx, after)
            released = [row.object_row for row, code in judged_again(tx, after) if code == ACCEPTED]
    name = (before.name,)
    return Downstream(
        verdicts=_verdict_effects(node, before, values, released, MOST_NAMES, progress),
        released=len(released),
        opened=_feeds(reads_then, reads, name),
        shut=_feeds(reads, reads_then, name),
        relay_lost=_lost_relays(relayed, relayed_then),
    )


def preview_suspension(
    node: Node, peer: PeerRow, *, judges: bool = True, progress: Progress = lambda _n: None
) -> Downstream:
    """Tell what suspending a peer takes from whom, on what is stored now.

    Args:
        judges: whether to look at verdicts too, which takes a while where there are many names.
    """
    values: dict[str, Any] = {"state": SUSPENDED}
    with node.database.write(durable=False) as tx:
        before = require_peer(find_peer(tx, peer.node_id))
        reads, relayed = _feeds_of(tx, before), _relayed(tx, before)
        hidden = count_by_state_of(tx, before.node_id).get("accepted", 0)
        groups = _groups_of(tx, node, before)
    verdicts = VerdictEffects(0, 0)
    if judges:
        verdicts = _verdict_effects(node, before, values, [], None, progress)
    return Downstream(
        verdicts=verdicts,
        hidden=hidden,
        shut=_feeds(reads, {}, (before.name,)),
        relay_lost=_lost_relays(relayed, {}),
        groups=groups,
    )


class _Tried:
    """A peer as it would be, inside a savepoint that is rolled back."""

    def __init__(self, tx: Transaction, peer: PeerRow, values: Mapping[str, Any]) -> None:
        self._tx, self._peer, self._values = tx, peer, values
        self._savepoint: Any = None

    def __enter__(self) -> PeerRow:
        self._savepoint = self._tx.connection.begin_nested()
        if self._values:
            update_peer(self._tx, self._peer.node_id, **self._values)
        return require_peer(find_peer(self._tx, self._peer.node_id))

    def __exit__(self, *_raised: object) -> None:
        self._savepoint.rollback()


def _verdict_effects(
    node: Node,
    peer: PeerRow,
    values: Mapping[str, Any],
    released: Sequence[int],
    most: int | None,
    progress: Progress,
) -> VerdictEffects:
    with node.database.read() as tx:
        waiting = names_claimed(tx, released)
        every = sorted({*names_of_origin(tx, peer.node_id), *chain(*waiting.values())})
    rows: dict[str, list[int]] = {}
    for number, claimed in waiting.items():
        for name in claimed:
            rows.setdefault(name, []).append(number)
    names = every[:most]
    found = VerdictEffects(len(names), len(every))
    for start in range(0, len(names), AT_ONCE):
        part = names[start : start + AT_ONCE]
        with node.database.write(durable=False) as tx:
            now = node.now()
            with _Tried(tx, peer, {}):
                before = _standing(tx, node, part, now)
            with _Tried(tx, peer, values):
                update_objects(tx, [n for name in part for n in rows.get(name, ())],
                               state="accepted", code=None)  # fmt: skip
                after = _standing(tx, node, part, now)
        found = compare(found, before, after)
        progress(len(part))
    return found


def names_spoken_of(node: Node, peer: PeerRow) -> list[str]:
    """List the names that a peer's accepted claims are on."""
    with node.database.read() as tx:
        return sorted(names_of_origin(tx, peer.node_id))


def published_on(node: Node, names: Sequence[str]) -> Standing:
    """Tell what is published on names as it stands."""
    found: dict[tuple[str, int], tuple[int, bool]] = {}
    for start in range(0, len(names), AT_ONCE):
        with node.database.read() as tx:
            found |= _live(tx, names[start : start + AT_ONCE])
    return found


def _live(tx: Transaction, names: Sequence[str]) -> dict[tuple[str, int], tuple[int, bool]]:
    return {
        (name, label): (row.confidence, row.block)
        for name, rows in verdicts_on(tx, names).items()
        for label, row in rows.items()
        if row.is_live
    }


def _standing(tx: Transaction, node: Node, names: Sequence[str], now: datetime) -> Standing:
    """Tell what is published on names once they are judged again."""
    found = _live(tx, names)
    items = [WorkItem(name, 0) for name in names]
    for change in judge_names(tx, node, items, load_guards(tx, node), now):
        for settled in change.settled:
            key = change.name, settled.row.label
            if settled.step in {Step.REVOKE, Step.PURGE}:
                found.pop(key, None)
            elif settled.step is not Step.KEEP or settled.row.is_live:
                found[key] = settled.row.confidence, settled.row.block
    return found


def compare(found: VerdictEffects, before: Standing, after: Standing) -> VerdictEffects:
    """Add to effects what differs between two standings of the same names."""
    had, has = {name for name, _ in before}, {name for name, _ in after}
    blocked = {name for (name, _), (_, block) in before.items() if block}
    blocks = {name for (name, _), (_, block) in after.items() if block}
    changed = {
        name
        for (name, label), standing in after.items()
        if name in had and before.get((name, label)) != standing
    } | {name for name, label in before if name in has and (name, label) not in after}
    return replace(
        found,
        lost=(*found.lost, *sorted(had - has)),
        won=(*found.won, *sorted(has - had)),
        changed=found.changed + len(changed),
        blocks_ended=(*found.blocks_ended, *sorted(blocked - blocks)),
        blocks_begun=(*found.blocks_begun, *sorted(blocks - blocked)),
    )


def _feeds_of(tx: Transaction, peer: PeerRow) -> dict[str, int]:
    """List the feeds that a peer is shown here, with how many entries each has."""
    if not is_reading(peer):
        return {}
    return {feed.feed: feed.last_seq for feed in feeds_shown_to(tx, peer)}


def _relayed(tx: Transaction, origin: PeerRow) -> dict[str, tuple[int, tuple[str, ...]]]:
    """List an origin's feeds that are passed on from here, and to whom."""
    found: dict[str, tuple[int, tuple[str, ...]]] = {}
    for peer in list_peers(tx):
        if peer.node_id == origin.node_id or not is_reading(peer):
            continue
        for feed in feeds_shown_to(tx, peer):
            if feed.node_id == origin.node_id:
                _, names = found.get(feed.feed, (0, ()))
                found[feed.feed] = feed.last_seq, (*names, peer.name)
    return found


def _feeds(
    these: Mapping[str, int], without: Mapping[str, int], peers: tuple[str, ...]
) -> tuple[FeedEffect, ...]:
    return tuple(
        FeedEffect(feed, entries, peers)
        for feed, entries in sorted(these.items())
        if feed not in without
    )


def _lost_relays(
    before: Mapping[str, tuple[int, tuple[str, ...]]],
    after: Mapping[str, tuple[int, tuple[str, ...]]],
) -> tuple[FeedEffect, ...]:
    found = []
    for feed, (entries, peers) in sorted(before.items()):
        lost = tuple(name for name in peers if name not in after.get(feed, (0, ()))[1])
        if lost:
            found.append(FeedEffect(feed, entries, lost))
    return tuple(found)


def _groups_of(tx: Transaction, node: Node, peer: PeerRow) -> tuple[str, ...]:
    gids = {m.gid for m in memberships_of(tx, peer.node_id) if m.removed_at is None}
    return tuple(
        group.name
        for group in list_groups(tx)
        if group.node_id == node.node_id and gids & set(gids_of(tx, group.group_row))
    )
