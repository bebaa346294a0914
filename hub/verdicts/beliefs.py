"""What this node believes of each origin: cap, trust, scopes and how its word has held.

Gathered once for a batch of names, from the peers as they stand now. Invariants:
* trust counts as it is effective: before the eight words were compared, that of ``known``
  (PROTOCOL 4.5), and the origin of a relayed feed that is no peer counts as ``known`` (3.2);
* reliability is asked for at a label, because outcomes bear labels too (PROTOCOL 3.5);
* whose relation is suspended or blocked lends nothing.

What it does not do: weigh (``federation.trust.fusion``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from federation.trust.authority import Scope, read_scopes
from federation.trust.presets import PRESETS, TrustLevel
from hub.node import Node
from hub.peers.standing import is_reading, standing_of
from hub.storage.queries.peers import PeerRow, peers_among
from hub.storage.transaction import Transaction
from hub.verdicts.evidence import reliability_of

OWN_CAP: Final = 100
"""What this node's own people say is not capped."""


@dataclass(frozen=True, slots=True)
class Belief:
    """What one origin's word can lend here.

    Args:
        name: for people.
        cap: the most confidence it lends, 0 to 100.
        trusted: whether it is at ``trusted`` or above.
        scopes: where it speaks with authority; none below ``member``.
        known_since: when this node began to know it; None for itself.
    """

    name: str
    trust: TrustLevel
    cap: int
    trusted: bool
    scopes: tuple[Scope, ...]
    known_since: datetime | None


class Beliefs:
    """The beliefs in the origins of a batch."""

    def __init__(
        self, tx: Transaction, node: Node, origins: Collection[str], now: datetime
    ) -> None:
        self._tx = tx
        self._now = now
        self._origins = frozenset(origins)
        self._reliability: dict[int, Callable[[str, str], float]] = {}
        peers = peers_among(tx, self._origins)
        self._of = {origin: belief_in(node, origin, peers.get(origin)) for origin in self._origins}
        self.has_scopes = any(belief.scopes for belief in self._of.values())

    def __getitem__(self, origin: str) -> Belief:
        return self._of[origin]

    def reliability_at(self, label: int) -> Callable[[str, str], float]:
        """Return how reliable origins are, by type of object, as far as a label shows it."""
        known = self._reliability.get(label)
        if known is None:
            trusts = {origin: belief.trust for origin, belief in self._of.items()}
            found = reliability_of(self._tx, trusts, label, self._now)
            # A batch asks for the same few origins over and over.
            known = self._reliability[label] = lru_cache(maxsize=1024)(found)
        return known


def belief_in(node: Node, origin: str, peer: PeerRow | None) -> Belief:
    """Tell what an origin's word can lend; ``peer`` is None where it is none."""
    if origin == node.node_id:
        return Belief("this node", TrustLevel.PARTNER, OWN_CAP, True, (), None)
    if peer is None:
        known = TrustLevel.KNOWN
        return Belief(origin[:12], known, PRESETS[known].cap, False, (), None)
    trust = standing_of(peer).effective_trust
    return Belief(
        name=peer.name,
        trust=trust,
        cap=_cap_of(peer, trust),
        trusted=trust >= TrustLevel.TRUSTED,
        scopes=read_scopes(peer.authority) if trust >= TrustLevel.MEMBER else (),
        known_since=peer.added_at,
    )


def _cap_of(peer: PeerRow, trust: TrustLevel) -> int:
    if not is_reading(peer):
        return 0
    # A dial that was turned for a trust that is not in effect yet does not count yet either.
    if peer.cap is None or trust < TrustLevel(peer.trust):
        return PRESETS[trust].cap
    return peer.cap
