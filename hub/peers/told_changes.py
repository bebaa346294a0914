"""Change a peer's dials or suspend it, and tell first what that does downstream.

Invariants:
* what is told is found before anything is changed (``downstream``), and a dry run ends there;
* when a suspension returns, the verdicts that the peer supported are made anew: no export that is
  written after it rests on what the peer said.

What it does not do: decide who may do so. That is the door's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hub.node import Node
from hub.peers.downstream import (
    Downstream,
    Progress,
    VerdictEffects,
    compare,
    names_spoken_of,
    preview_changes,
    preview_suspension,
    published_on,
)
from hub.peers.suspend import resume_peer, suspend_peer
from hub.peers.trust import PeerChange, PeerChanges, set_peer
from hub.storage.queries.peers import PeerRow
from hub.verdicts.fuse import refresh_verdicts


@dataclass(frozen=True, slots=True)
class Suspension:
    """A suspension or its end, and what it does.

    Args:
        verdicts: how many verdicts were issued or revoked for it by now.
    """

    peer: PeerRow
    effects: Downstream
    verdicts: int = 0


@dataclass(frozen=True, slots=True)
class Turned:
    """A change of dials and what it does.

    Args:
        change: None where it was only tried.
    """

    peer: PeerRow
    effects: Downstream
    change: PeerChange | None = None


def turn_dials(
    node: Node,
    peer: PeerRow,
    changes: PeerChanges,
    *,
    reason: str | None = None,
    dry_run: bool = False,
    progress: Progress = lambda _n: None,
) -> Turned:
    """Tell what a change of a peer's dials does, and make it unless that was all.

    Raises:
        WireFormatError: ``E_SCHEMA``. NotFound: ``E_PEER_UNKNOWN``.
    """
    effects = preview_changes(node, peer, changes, progress=progress)
    if dry_run:
        return Turned(peer, effects)
    change = set_peer(node, peer, changes, reason=reason)
    return Turned(change.after, effects, change)


def suspend_now(
    node: Node,
    peer: PeerRow,
    *,
    reason: str | None = None,
    dry_run: bool = False,
    progress: Progress = lambda _n: None,
) -> Suspension:
    """Suspend a peer at once, make the verdicts that it supported anew, and tell what that did.

    A dry run judges every name to tell what would become of verdicts. Who suspends is not kept
    waiting for that: there it is what did become of them.

    Raises:
        NotFound: ``E_PEER_UNKNOWN``.
    """
    effects = preview_suspension(node, peer, judges=dry_run, progress=progress)
    if dry_run:
        return Suspension(peer, effects)
    names = names_spoken_of(node, peer)
    before = published_on(node, names)
    suspended = suspend_peer(node, peer, reason=reason)
    changed = _refresh(node, progress)
    verdicts = compare(VerdictEffects(len(names), len(names)), before, published_on(node, names))
    return Suspension(suspended, replace(effects, verdicts=verdicts), changed)


def resume_now(
    node: Node,
    peer: PeerRow,
    *,
    reason: str | None = None,
    progress: Progress = lambda _n: None,
) -> Suspension:
    """Resume the relation with a suspended peer, and make the verdicts it supports anew.

    Raises:
        NotFound: ``E_PEER_UNKNOWN``.
    """
    resumed = resume_peer(node, peer, reason=reason)
    return Suspension(resumed, Downstream(VerdictEffects(0, 0)), _refresh(node, progress))


def _refresh(node: Node, progress: Progress) -> int:
    """Bring all verdicts up to date; return how many changed."""
    changed = 0
    while True:
        part = refresh_verdicts(node)
        changed += part.changed
        progress(part.done)
        if part.is_finished:
            return changed


def sentences_of(name: str, found: Downstream) -> Iterator[str]:
    """Say effects in sentences, with counts; what has none is not said."""
    if found.hidden:
        yield f"{_count(found.hidden, 'object')} of {name} leave every view."
    if found.released:
        yield f"{_count(found.released, 'object')} of {name} leave quarantine and are shown."
    if found.opened:
        entries = sum(feed.entries for feed in found.opened)
        yield (
            f"{name} may read {_count(len(found.opened), 'further feed')} from then on, with "
            f"{_count(entries, 'entry', 'entries')}: {_some([f.feed for f in found.opened])}."
        )
    if found.shut:
        yield (
            f"{name} may no longer read {_count(len(found.shut), 'feed')}: "
            f"{_some([f.feed for f in found.shut])}. What it has it keeps."
        )
    for feed in found.relay_lost:
        yield f"{feed.feed} is no longer passed on to {_some(feed.peers)}."
    if found.groups:
        yield f"{name} is in {_some(found.groups)}, and gets nothing more of what goes there."
    verdicts = found.verdicts
    for names, words in (
        (verdicts.lost, "lose their verdict"),
        (verdicts.won, "get a verdict"),
        (verdicts.blocks_ended, "are no longer asked to be blocked"),
        (verdicts.blocks_begun, "are asked to be blocked then"),
    ):
        if names:
            yield f"{_count(len(names), 'name')} {words}: {_some(names)}."
    if verdicts.changed:
        yield f"The verdicts on {_count(verdicts.changed, 'further name')} change."
    if verdicts.names < verdicts.of:
        yield f"Of verdicts, {verdicts.names:,} of {verdicts.of:,} names were looked at."


_SHOWN: Final = 5


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
