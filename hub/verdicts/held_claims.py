"""Who is known to have held whose claim, and since when: what echoes are told by (PROTOCOL 4.4).

What it does not do: decide what an echo is (``federation.trust.lineage``), or read the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from hub.storage.dialects import from_micros
from hub.storage.queries.claims import LiveClaim
from hub.verdicts.beliefs import Beliefs

Held = Mapping[tuple[int, str], int]
"""How far an origin is known to hold a feed, by feed row and origin."""


def had_received_by(
    claims: Sequence[LiveClaim], held: Held, beliefs: Beliefs
) -> Callable[[str, int], datetime | None]:
    """Tell when an origin is taken to have received another's claim.

    It holds the feed that far, by its own signed word or because it was pushed there. When it got
    so far nobody says; it is taken to have pulled in time, and not before we knew it.
    """

    def had_received(origin: str, index: int) -> datetime | None:
        original = claims[index]
        if original.feed_row is None or original.seq is None:
            return None
        if held.get((original.feed_row, origin), 0) < original.seq:
            return None
        since = beliefs[origin].known_since
        published = from_micros(original.published_at)
        return published if since is None else max(published, since)

    return had_received
