"""Whether a node may sign in its own feeds, and what it lacks of them (PROTOCOL 4.6).

A database that was put back from a backup would sign numbers a second time that peers hold already:
to them that is a fork, and nobody can tell it from a thief's. Decides

* whether this database may be older than what was published from it (``is_doubtful``), from a
  marker that lies outside of it and counts along;
* whether an entry may be signed in a feed now (``decide_hold``);
* how what a peer holds of an own feed stands beside what we hold (``compare_own``).

Invariants:
* while there is a doubt nothing is signed before enough peers were heard, if there are any;
* a feed that only one peer can know of stays closed until that very peer was heard;
* a feed of which somebody holds another entry than we do stays closed for good: it goes on in an
  epoch that the root key opens;
* without a doubt an unreachable peer keeps nobody from publishing.

What it does not do: ask peers, read the marker, or fetch entries.

>>> is_doubtful(Marker(generation=7), 7), is_doubtful(Marker(generation=9), 7)
(False, True)
>>> decide_hold(SigningState(peers=3, heard=0)) is None
True
>>> decide_hold(SigningState(doubtful=True, peers=3, heard=1)).name
'DOUBTFUL'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from schemas.identifiers import EntryHash

ENOUGH_PEERS: Final = 2
"""Peers that are to be heard, or all where there are fewer (PROTOCOL 4.6)."""
_IN_FLIGHT: Final = 8
"""The marker is written after the commit, so a crash leaves it behind, and so do other processes
that sign at the same moment."""


class Verdict(Enum):
    """What a peer holds of an own feed, beside what we hold."""

    HELD = "held"
    BEHIND = "behind"
    CONTRADICTED = "contradicted"


class Hold(Enum):
    """Why an own entry must not be signed now."""

    PENDING = "the node has just begun and is asking its peers what they hold of its feeds"
    DOUBTFUL = (
        "this database may be older than what was published from it, and too few peers were heard"
    )
    UNHEARD = "only this feed's readers know how far it went, and they were not heard yet"
    BEHIND = "a peer holds more of this feed than this node, and it could not be fetched back"
    ALIEN = "a peer holds entries of this feed that this running node did not sign"
    CONTRADICTED = "a peer holds another entry of this feed under a number that is used here"


@dataclass(frozen=True, slots=True)
class Marker:
    """What lies beside the keys, outside the database.

    Args:
        generation: how many writes have signed own entries.
        peers: how many peers there were at the last of them.
        restored: a backup was put back and nobody was asked since.
    """

    generation: int
    peers: int = 0
    restored: bool = False


@dataclass(frozen=True, slots=True)
class SigningState:
    """What decides whether an own entry may be signed.

    Args:
        pending: the check at the start has not ended.
        doubtful: this database may be older than what was published, and that is not settled.
        peers: how many peers there are, or are known to have been.
        heard: how many of them were heard since the doubt began.
        unheard: readers of this feed alone know how far it went, and they were not heard.
        closed: what was noted of this feed.
    """

    pending: bool = False
    doubtful: bool = False
    peers: int = 0
    heard: int = 0
    unheard: bool = False
    closed: Hold | None = None


def is_doubtful(marker: Marker | None, generation: int) -> bool:
    """Tell whether a database may be older than what was published from it.

    Args:
        marker: what lies beside the keys; None when it is missing or unreadable.
        generation: how many signing writes the database has seen.
    """
    if marker is None:
        return generation > 0
    # Behind the database the marker is when the keys came from an older backup than it did: what
    # the database has then, nobody here can vouch for.
    return marker.restored or not 0 <= generation - marker.generation <= _IN_FLIGHT


def is_enough(peers: int, heard: int) -> bool:
    """Tell whether enough peers were heard: two, or all where there are fewer."""
    return heard >= min(ENOUGH_PEERS, peers)


def decide_hold(state: SigningState) -> Hold | None:
    """Decide why an own entry must not be signed; None when it may be."""
    # 1. What somebody holds of this very feed stands whatever else is known.
    if state.closed is not None:
        return state.closed
    # 2. A node without peers has told nobody anything: it signs at once.
    if not state.peers:
        return None
    # 3. A doubt is settled by those who were told, and by nobody else.
    if state.doubtful and not is_enough(state.peers, state.heard):
        return Hold.DOUBTFUL
    if state.unheard:
        return Hold.UNHEARD
    # 4. Right after the start peers are asked even without a doubt: a machine that was set back
    #    as a whole, marker included, cannot know it.
    return Hold.PENDING if state.pending else None


def compare_own(
    seq: int, entry_hash: EntryHash, *, last_seq: int, hash_at: Callable[[int], EntryHash | None]
) -> Verdict:
    """Compare what a peer holds of an own feed with what we hold.

    Args:
        seq: how far the peer's copy goes, as we signed it once.
        entry_hash: the hash there.
        last_seq: how far ours goes.
        hash_at: our hash at a seq, None where we hold none.
    """
    if seq > last_seq:
        return Verdict.BEHIND
    return Verdict.HELD if hash_at(seq) == entry_hash else Verdict.CONTRADICTED
