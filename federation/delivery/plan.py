"""In which order the feeds of one peer are pulled, and who goes first on a line that is too thin.

Decides an order from names and urgency.

Invariants:
* the origin with the most urgent feed comes first; at equal urgency the sender's own feeds come
  before those that it relays;
* of one origin the wider audience comes before the narrower, and the earlier epoch before the
  later: what is narrow refers to what is wide, and a reference must resolve (PROTOCOL 3.4). So an
  urgent narrow feed takes its origin's wider ones along;
* the same feeds in any order of arrival give the same plan;
* where feeds of several peers compete for one line (``bandwidth``), they go by ``Turn``: what is
  urgent, then direct, group, green, clear and relayed feeds, and blobs last of all;
* what a sender says of urgency only moves its own feeds within its own pull, and only while there
  is something that we do not hold.

What it does not do: decide when to pull (``backoff``) or what may be pulled.

>>> node = NodeId("a" * 52)
>>> wanted = [FeedWanted(FeedName(node, a)) for a in ("green", "d-" + "b" * 26, "clear")]
>>> [w.feed.kind for w in pull_order(wanted, sender=node)]
['clear', 'green', 'direct']
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from schemas.identifiers import FeedName, NodeId

ROUTINE: Final = "routine"
_URGENCY: Final = MappingProxyType({"immediate": 0, "priority": 1, ROUTINE: 2})
_WIDTH: Final = MappingProxyType({"clear": 0, "green": 1, "group": 2, "direct": 3, "sealed": 4})


class Turn(IntEnum):
    """Who goes first where a line is too thin for all; a lower one before a higher one."""

    IMMEDIATE = 0
    PRIORITY = 1
    DIRECT = 2
    GROUP = 3
    GREEN = 4
    CLEAR = 5
    RELAYED = 6
    BLOB = 7


_TURN_OF_URGENCY: Final = MappingProxyType({"immediate": Turn.IMMEDIATE, "priority": Turn.PRIORITY})
_TURN_OF_KIND: Final = MappingProxyType(
    {
        "direct": Turn.DIRECT,
        "group": Turn.GROUP,
        "sealed": Turn.GROUP,
        "green": Turn.GREEN,
        "clear": Turn.CLEAR,
    }
)


@dataclass(frozen=True, slots=True)
class FeedWanted:
    """A feed to pull.

    Args:
        feed: its name.
        urgency: ``routine``, ``priority`` or ``immediate``: what is known of it before the pull,
            such as the sender's listing. An unknown word counts as routine.
    """

    feed: FeedName
    urgency: str = ROUTINE


def pull_order(wanted: Iterable[FeedWanted], *, sender: NodeId) -> tuple[FeedWanted, ...]:
    """Order the feeds that one peer serves us.

    Args:
        wanted: the feeds, at most once each.
        sender: the peer that is asked.
    """
    feeds = tuple(wanted)
    urgency_of_origin: dict[NodeId, int] = {}
    for one in feeds:
        origin = one.feed.node_id
        rank = _rank(one)
        urgency_of_origin[origin] = min(rank, urgency_of_origin.get(origin, rank))

    def place(one: FeedWanted) -> tuple[int, bool, str, int, str, int]:
        origin = one.feed.node_id
        return (
            urgency_of_origin[origin],
            origin != sender,
            origin,
            _WIDTH[one.feed.kind],
            one.feed.audience,
            one.feed.epoch,
        )

    return tuple(sorted(feeds, key=place))


def read_urgency(stated: object, held_seq: int) -> str:
    """Read what a listing says of a feed's urgent entries: the last seq of each urgency.

    It is a hint and nobody's word for anything: what is not of its form says nothing.

    Args:
        stated: the optional member ``x_tocsin_urgency`` of a collection, such as
            ``{"immediate": 812}``, as it came.
        held_seq: where our chain of the feed stands.
    """
    if not isinstance(stated, Mapping):
        return ROUTINE
    ahead = [word for word in _TURN_OF_URGENCY if _seq(stated.get(word)) > held_seq]
    return min(ahead, key=_URGENCY.__getitem__, default=ROUTINE)


def turn_of(wanted: FeedWanted, *, sender: NodeId) -> Turn:
    """Tell when a page of a feed has its turn on a thin line.

    Args:
        sender: the node that hands it over.
    """
    urgent = _TURN_OF_URGENCY.get(wanted.urgency)
    if urgent is not None:
        return urgent
    if wanted.feed.node_id != sender:
        return Turn.RELAYED
    return _TURN_OF_KIND[wanted.feed.kind]


def _seq(stated: object) -> int:
    return stated if isinstance(stated, int) and not isinstance(stated, bool) else 0


def _rank(one: FeedWanted) -> int:
    return _URGENCY.get(one.urgency, _URGENCY[ROUTINE])
