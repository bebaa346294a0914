"""Which peers there are, and which one an operator means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from federation.identity.fingerprint import fingerprint, voice_code
from federation.trust.presets import TrustLevel
from hub.errors import Conflict, NotFound
from hub.node import Node
from hub.peers.standing import standing_of
from hub.peers.trust import Dials, dials_of
from hub.storage.queries.peers import PeerRow, list_peers
from schemas.identifiers import NodeId


@dataclass(frozen=True, slots=True)
class PeerState:
    """A peer as an operator sees it.

    Args:
        trust: the word of the level that was given.
        effective_trust: the word of the level that counts, which is at most ``known`` before the
            voice code was compared and ``blocked`` while suspended.
        lag_seconds: since the last pull that worked; None when there was none.
        last_error: the code of the last failure, None after a pull that worked.
        voice_code: the eight words of this pair.
    """

    node_id: NodeId
    name: str
    trust: str
    verified: bool
    state: str
    lag_seconds: float | None
    last_error: str | None
    last_error_detail: str | None
    last_error_at: datetime | None
    last_pull_at: datetime | None
    last_success_at: datetime | None
    failures: int
    effective_trust: str
    dials: Dials
    authority: tuple[str, ...]
    relay: bool
    base: str
    fingerprint: str
    voice_code: str


def list_peer_states(node: Node) -> tuple[PeerState, ...]:
    """List all peers by name, with how the exchange with each stands."""
    with node.database.read() as tx:
        peers = list_peers(tx)
    return tuple(peer_state(node, peer) for peer in peers)


def peer_state(node: Node, peer: PeerRow) -> PeerState:
    """Describe one peer."""
    worked = peer.last_success_at
    return PeerState(
        node_id=peer.node_id,
        name=peer.name,
        trust=TrustLevel(peer.trust).word,
        verified=peer.verified,
        state=peer.state,
        lag_seconds=None if worked is None else max(0.0, (node.now() - worked).total_seconds()),
        last_error=peer.last_error_code,
        last_error_detail=peer.last_error_detail,
        last_error_at=peer.last_error_at,
        last_pull_at=peer.last_pull_at,
        last_success_at=worked,
        failures=peer.failures,
        effective_trust=standing_of(peer).effective_trust.word,
        dials=dials_of(peer),
        authority=peer.authority,
        relay=peer.relay_on,
        base=peer.base,
        fingerprint=fingerprint(peer.node_id),
        voice_code=voice_code(node.node_id, peer.node_id),
    )


def resolve_peer(node: Node, text: str) -> PeerRow:
    """Find the one peer that is meant by a node id, a unique prefix of it, or a name.

    A full id wins over a name, and a name over a prefix: nobody can call itself like another's
    id, and an operator who types a whole name means it.

    Raises:
        NotFound: ``E_PEER_UNKNOWN``.
        Conflict: ``E_PEER_AMBIGUOUS``; ``params["candidates"]`` are the node ids.
    """
    with node.database.read() as tx:
        peers = list_peers(tx)
    for found in (
        [peer for peer in peers if peer.node_id == text],
        [peer for peer in peers if peer.name == text],
        [peer for peer in peers if text and peer.node_id.startswith(text)],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise Conflict(
                "E_PEER_AMBIGUOUS",
                f"{len(found)} peers are meant by {text!r}",
                "Give more characters of the node id.",
                candidates=[peer.node_id for peer in found],
            )
    raise NotFound(
        "E_PEER_UNKNOWN",
        f"there is no peer {text!r}",
        "Run `tocsin peer list`; give a node id, a unique prefix of it, or the peer's name.",
    )
