"""Suspend a peer at once, and resume the relation.

A suspended peer is a stranger: its requests are refused like those of a node that nobody knows,
nothing is pulled from it, and nothing that it wrote is relayed. Its trust and dials stay as they
are, so that resuming gives back what there was.
"""

from __future__ import annotations

from hub.node import Node
from hub.peers.admit import ACTIVE
from hub.peers.trust import require_peer
from hub.storage.queries.audit import store_event
from hub.storage.queries.jobs import drop_jobs, request_job
from hub.storage.queries.peers import PeerRow, find_peer, update_peer

SUSPENDED = "suspended"


def suspend_peer(node: Node, peer: PeerRow, *, actor: str = "operator") -> PeerRow:
    """Suspend a peer; a suspended one stays so.

    Raises:
        NotFound: ``E_PEER_UNKNOWN``.
    """
    now = node.now()
    with node.database.write() as tx:
        require_peer(find_peer(tx, peer.node_id))
        update_peer(tx, peer.node_id, state=SUSPENDED)
        drop_jobs(tx, peer.node_id)
        store_event(tx, now, actor, "PEER_SUSPENDED", peer=peer.node_id)
        return require_peer(find_peer(tx, peer.node_id))


def resume_peer(node: Node, peer: PeerRow, *, actor: str = "operator") -> PeerRow:
    """Resume the relation with a suspended peer, and pull from it at once.

    Raises:
        NotFound: ``E_PEER_UNKNOWN``.
    """
    now = node.now()
    with node.database.write() as tx:
        require_peer(find_peer(tx, peer.node_id))
        update_peer(tx, peer.node_id, state=ACTIVE, failures=0)
        request_job(tx, "pull", peer.node_id, now, hurry=True)
        store_event(tx, now, actor, "PEER_RESUMED", peer=peer.node_id)
        return require_peer(find_peer(tx, peer.node_id))
