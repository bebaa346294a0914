"""Peers and readers as the policy tests need them: everything in order, unless said otherwise."""

from __future__ import annotations

from federation.policy.sharing import PeerStanding, ReaderStanding
from federation.trust.presets import TrustLevel
from schemas.identifiers import FeedName, NodeId, direct_audience
from schemas.markings import Tlp

OWN_NODE = NodeId("a" * 52)
PEER_NODE = NodeId("b" * 52)
OTHER_NODE = NodeId("c" * 52)


def peer(
    trust: TrustLevel = TrustLevel.PARTNER,
    *,
    node_id: NodeId = PEER_NODE,
    verified: bool = True,
    state: str = "active",
    outbound: Tlp = Tlp.RED,
) -> PeerStanding:
    return PeerStanding(node_id, "registry.example", trust, verified, state, outbound)


def reader(
    kind: str,
    *,
    max_tlp: Tlp = Tlp.RED,
    originals: bool = True,
    groups: tuple[str, ...] = (),
) -> ReaderStanding:
    return ReaderStanding(f"the-{kind}", kind, max_tlp, groups=groups, originals=originals)


def feed(audience: str, origin: NodeId = OWN_NODE) -> FeedName:
    return FeedName(origin, audience)


DIRECT_TO_PEER = direct_audience(PEER_NODE)
DIRECT_TO_OTHER = direct_audience(OTHER_NODE)
GROUP = "g-" + "q" * 26
SEALED = "s-" + "q" * 26
