"""Passing on what another node wrote (PROTOCOL 3.2 "relay in clear", 2.4 ``relay``).

Decides whether this node serves a foreign feed to a peer.

Invariants:
* only ``clear`` and ``green`` feeds are ever relayed in clear, and only with the origin's leave in
  its signed policy: a relay is a recipient, so AMBER and above never pass it (THREATS 24);
* whoever gets a relayed feed would get it from the origin at the same trust;
* the operator's relay dial only tightens; an unknown ``relay`` word refuses.

What it does not do: sign relay heads (``feeds.heads``), relay sealed feeds (a later release), or
decide about this node's own feeds (``sharing.decide_feed_read``).

>>> from schemas.identifiers import NodeId
>>> feed = FeedName(NodeId("a" * 52), "green", 1)
>>> peer = PeerStanding(NodeId("c" * 52), "oarc", TrustLevel.MEMBER, True, "active", Tlp.GREEN)
>>> decide_relay(feed, relay="community", peer=peer, relay_on=True).code
'ALLOWED_RELAY'
>>> decide_relay(feed, relay="none", peer=peer, relay_on=True).code
'REFUSED_RELAY_POLICY'
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from federation.policy.decision import Decision
from federation.policy.sharing import SHARING_TABLE, PeerStanding, decide_standing, tlp_words
from federation.trust.presets import TrustLevel
from schemas.identifiers import FeedName
from schemas.markings import Tlp

_LABEL_OF_AUDIENCE: Final = MappingProxyType({"clear": Tlp.CLEAR, "green": Tlp.GREEN})


def decide_relay(feed: FeedName, *, relay: str, peer: PeerStanding, relay_on: bool) -> Decision:
    """Decide whether this node serves another node's feed to a peer.

    Args:
        feed: the foreign feed.
        relay: ``policy.relay`` of the feed's entries, ``none`` where absent.
        peer: who asks.
        relay_on: the operator's dial; False keeps what this origin wrote from going further.
    """
    label = _LABEL_OF_AUDIENCE.get(feed.kind)
    rule = f"PROTOCOL 3.2, relay of a {feed.kind} feed in clear"
    facts = {"peer": peer.name, "feed": str(feed), "relay": relay, "audience": feed.kind}

    # 1. The origin gets back what it wrote, of every feed: that is not relaying (PROTOCOL 2.5).
    if peer.node_id == feed.node_id:
        refused = decide_standing(TrustLevel.KNOWN, label=Tlp.CLEAR, peer=peer, rule=rule)
        return refused or Decision.of("ALLOWED_TO_ORIGIN", "PROTOCOL 2.5", **facts)
    # 2. Group and direct feeds are the origin's alone; sealed ones come with a later release.
    if label is None:
        return Decision.of("REFUSED_RELAY_NEVER", rule, **facts)
    # 3. The origin's signed leave, from the table.
    needed = SHARING_TABLE[label].relay_clear.get(relay)
    if needed is None:
        return Decision.of("REFUSED_RELAY_POLICY", rule, label=tlp_words(label), **facts)
    # 4. The operator's dial.
    if not relay_on:
        return Decision.of("REFUSED_RELAY_OFF", rule, label=tlp_words(label), **facts)
    # 5. The receiver's standing.
    refused = decide_standing(needed, label=label, peer=peer, rule=rule)
    return refused or Decision.of("ALLOWED_RELAY", rule, label=tlp_words(label), **facts)
