"""A stored peer as the rules see it."""

from __future__ import annotations

from federation.policy.sharing import PeerStanding
from federation.trust.presets import PRESETS, TrustLevel
from hub.storage.queries.peers import PeerRow
from schemas.markings import Tlp


def standing_of(peer: PeerRow) -> PeerStanding:
    """Return the standing of a peer, with its preset where no dial was turned."""
    trust = TrustLevel(peer.trust)
    outbound = PRESETS[trust].outbound if peer.outbound is None else Tlp(peer.outbound)
    return PeerStanding(peer.node_id, peer.name, trust, peer.verified, peer.state, outbound)


def daily_limit_of(peer: PeerRow) -> int:
    """Return how many objects a day are taken from a peer, by the trust that counts."""
    if peer.daily_limit is not None:
        return peer.daily_limit
    return PRESETS[standing_of(peer).effective_trust].limit
