"""Which page has its turn on a thin line out (``federation.delivery.bandwidth``).

Invariants:
* nobody waits inside this node: who is too early is told when to come again (429), so that a
  thin line holds no thread that readers need;
* asked only after it is settled that the peer may read the feed: a refusal here tells nothing of
  feeds that it may not know of;
* without a budget nothing is asked and nothing is counted.
"""

from __future__ import annotations

import math
from typing import Final

from federation.delivery.page_size import TARGET_SECONDS
from federation.delivery.plan import FeedWanted, Turn, read_urgency, turn_of
from hub.errors import RateLimited
from hub.node import Node
from hub.storage.queries.feeds import FeedRow
from hub.storage.queries.urgency import urgencies_of
from hub.storage.transaction import Transaction
from schemas.strict_json import MAX_BODY_BYTES

_GZIP_GAIN: Final = 2
"""What compressing a page of entries saves at least; base64 alone gives a quarter back."""


def require_turn(tx: Transaction, node: Node, feed: FeedRow, after_seq: int) -> None:
    """Refuse a page while the line is taken by what is more urgent.

    Raises:
        RateLimited: ``E_QUOTA`` with ``retry_after``.
    """
    line = node.line.outbound
    if line.rate is None:
        return
    urgency = read_urgency(urgencies_of(tx, feed.feed_row), after_seq)
    require_line(node, turn_of(FeedWanted(feed.name, urgency), sender=node.node_id))


def require_line(node: Node, turn: Turn) -> None:
    """Refuse what has its turn later, while the line is taken.

    Raises:
        RateLimited: ``E_QUOTA`` with ``retry_after``.
    """
    seconds = node.line.outbound.wait_for(turn)
    if seconds > 0:
        raise RateLimited(
            "E_QUOTA",
            "this node's line is busy",
            "Come again after the time that is named.",
            retry_after=math.ceil(seconds),
        )


def page_room(node: Node) -> int:
    """Return how many bytes a page may have, so that it ends in time on this node's line."""
    rate = node.line.outbound.rate
    if rate is None:
        return MAX_BODY_BYTES
    return min(MAX_BODY_BYTES, int(rate * TARGET_SECONDS * _GZIP_GAIN))
