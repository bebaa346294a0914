"""A stored peer as the rules see it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from federation.policy.sharing import READING_STATES, PeerStanding
from federation.trust.presets import PRESETS, Inbound, TrustLevel
from hub.node import Node
from hub.storage.queries.peers import PeerRow
from schemas.markings import Tlp


def standing_of(peer: PeerRow) -> PeerStanding:
    """Return the standing of a peer, with its preset where no dial was turned."""
    trust = TrustLevel(peer.trust)
    outbound = PRESETS[trust].outbound if peer.outbound is None else Tlp(peer.outbound)
    return PeerStanding(
        peer.node_id, peer.name, trust, peer.verified, peer.state, outbound, peer.introduced
    )


SUSPENDED: Final = "suspended"
"""The state of a peer whose relation is suspended, and of what it wrote."""


def trust_when_resumed(peer: PeerRow) -> TrustLevel:
    """Return the trust that counts, of a suspended peer that which it had and will have again."""
    return standing_of(replace(peer, state="active")).effective_trust


def is_reading(peer: PeerRow) -> bool:
    """Tell whether a relation is one at all: neither suspended nor blocked."""
    return peer.state in READING_STATES and peer.trust > TrustLevel.BLOCKED


def daily_limit_of(peer: PeerRow) -> int:
    """Return how many objects a day are taken from a peer, by the trust that counts."""
    if peer.daily_limit is not None:
        return peer.daily_limit
    return PRESETS[trust_when_resumed(peer)].limit


def itself(node: Node) -> PeerRow:
    """Return this node as a peer that it trusts wholly: for its own entries, fetched back."""
    return PeerRow(
        node_id=node.node_id,
        name="this node",
        base="",
        trust=TrustLevel.PARTNER,
        verified=True,
        state="active",
        added_at=node.own.created_at,
        inbound=Inbound.ACCEPT.value,
    )
