"""In which order the feeds of one peer are pulled.

Decides an order from names and urgency.

Invariants:
* the origin with the most urgent feed comes first; at equal urgency the sender's own feeds come
  before those that it relays;
* of one origin the wider audience comes before the narrower, and the earlier epoch before the
  later: what is narrow refers to what is wide, and a reference must resolve (PROTOCOL 3.4);
* the same feeds in any order of arrival give the same plan.

What it does not do: decide when to pull (``backoff``) or what may be pulled.

>>> node = NodeId("a" * 52)
>>> wanted = [FeedWanted(FeedName(node, a)) for a in ("green", "d-" + "b" * 26, "clear")]
>>> [w.feed.kind for w in pull_order(wanted, sender=node)]
['clear', 'green', 'direct']
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from schemas.identifiers import FeedName, NodeId

_URGENCY: Final = MappingProxyType({"immediate": 0, "priority": 1, "routine": 2})
_WIDTH: Final = MappingProxyType({"clear": 0, "green": 1, "group": 2, "direct": 3, "sealed": 4})


@dataclass(frozen=True, slots=True)
class FeedWanted:
    """A feed to pull.

    Args:
        feed: its name.
        urgency: ``routine``, ``priority`` or ``immediate``: what is known of it before the pull,
            such as a wake-up that named it. An unknown word counts as routine.
    """

    feed: FeedName
    urgency: str = "routine"


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


def _rank(one: FeedWanted) -> int:
    return _URGENCY.get(one.urgency, _URGENCY["routine"])
