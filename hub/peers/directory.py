"""Which peers there are, and which one an operator means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from federation.identity.fingerprint import fingerprint, voice_code
from federation.trust.presets import TrustLevel
from hub.errors import Conflict, NotFound
from hub.monitoring.exchange_state import PeerExchange, peer_exchanges
from hub.node import Node
from hub.peers.standing import standing_of
from hub.peers.trust import Dials, dials_of
from hub.storage.queries.node_updates import frozen_since
from hub.storage.queries.peers import PeerRow, list_peers
from schemas.identifiers import NodeId

SHORTEST_PREFIX = 6
"""Characters of an id from which on they are taken for one though a peer has them as its name; what
hints print has 12."""


@dataclass(frozen=True, slots=True)
class PeerState:
    """A peer as an operator sees it.

    Args:
        trust: the word of the level that was given.
        effective_trust: the word of the level that counts, which is at most ``known`` before the
            voice code was compared and ``blocked`` while suspended.
        lag_seconds: since the last pull that worked; None when there was none.
        last_error: the code of the last failure, None after a pull that worked.
        push: our own entries are pushed to it.
        pushed_at: when it last pushed entries of its own here.
        voice_code: the eight words of this pair.
        pairing: ``pending`` until the words were compared here, then ``verified``; ``introduced``
            when others' word stands in for them.
        exchange: lag, silence and divergence, from both sides.
        frozen_at: since then nothing of it is taken, because two documents of one version exist;
            `tocsin peer thaw` lifts that.
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
    push: bool
    pushed_at: datetime | None
    base: str
    fingerprint: str
    voice_code: str
    pairing: str
    exchange: PeerExchange
    frozen_at: datetime | None


def list_peer_states(node: Node) -> tuple[PeerState, ...]:
    """List all peers by name, with how the exchange with each stands."""
    with node.database.read() as tx:
        peers = list_peers(tx)
    exchanges = peer_exchanges(node)
    return tuple(peer_state(node, peer, exchanges.get(peer.node_id)) for peer in peers)


def peer_state(node: Node, peer: PeerRow, exchange: PeerExchange | None = None) -> PeerState:
    """Describe one peer.

    Args:
        exchange: what was recorded of it, where that is known already.
    """
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
        push=peer.push_on,
        pushed_at=peer.pushed_at,
        base=peer.base,
        fingerprint=fingerprint(peer.node_id),
        voice_code=voice_code(node.node_id, peer.node_id),
        pairing=_pairing(peer),
        exchange=exchange or peer_exchanges(node)[peer.node_id],
        frozen_at=_frozen_at(node, peer),
    )


def _frozen_at(node: Node, peer: PeerRow) -> datetime | None:
    with node.database.read() as tx:
        return frozen_since(tx, peer.node_id)


def _pairing(peer: PeerRow) -> str:
    if peer.verified:
        return "verified"
    return "introduced" if peer.introduced else "pending"


def resolve_peer(node: Node, text: str) -> PeerRow:
    """Find the one peer that is meant by a node id, a unique prefix of it, or a name.

    A full id wins. A name wins over no prefix that could be meant for an id, for a peer chooses
    its name: it could else call itself like the beginning of another's id and be given what is
    meant for that one. Of a few letters nobody means an id where they are a name.

    Raises:
        NotFound: ``E_PEER_UNKNOWN``.
        Conflict: ``E_PEER_AMBIGUOUS``; ``params["candidates"]`` are the node ids.
    """
    with node.database.read() as tx:
        peers = list_peers(tx)
    for found in (
        [peer for peer in peers if peer.node_id == text],
        [peer for peer in peers if peer.name == text] if len(text) < SHORTEST_PREFIX else [],
        [p for p in peers if text and (p.name == text or p.node_id.startswith(text))],
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
