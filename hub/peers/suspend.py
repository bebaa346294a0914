"""Suspend a peer at once, and resume the relation.

A suspended peer is a stranger: its requests are refused like those of a node that nobody knows,
nothing is pulled from it, and nothing that it wrote is relayed or shown (``exchange.suspending``).
Its trust and dials stay as they are, so that resuming gives back what there was.
"""

from __future__ import annotations

from datetime import datetime

from hub.exchange.readmission import readmit
from hub.exchange.suspending import SuspendedSince, put_back, take_out
from hub.node import Node
from hub.peers.admit import ACTIVE
from hub.peers.standing import SUSPENDED
from hub.peers.trust import require_peer
from hub.storage.queries.audit import store_event
from hub.storage.queries.claims import last_object_row
from hub.storage.queries.jobs import drop_jobs, request_job
from hub.storage.queries.peers import PeerRow, find_peer, update_peer
from hub.storage.transaction import Transaction

__all__ = ["SUSPENDED", "resume_peer", "suspend_peer"]


def suspend_peer(
    node: Node, peer: PeerRow, *, actor: str = "operator", reason: str | None = None
) -> PeerRow:
    """Suspend a peer, and take what it wrote out of every view; a suspended one stays so.

    Raises:
        NotFound: ``E_PEER_UNKNOWN``.
    """
    now = node.now()
    with node.database.write() as tx:
        held = require_peer(find_peer(tx, peer.node_id))
        if held.suspended_at is None:
            update_peer(
                tx,
                peer.node_id,
                state=SUSPENDED,
                suspended_at=now,
                suspended_row=last_object_row(tx),
            )
        drop_jobs(tx, peer.node_id)
        # Of one that an earlier release suspended, or that was being resumed, something is left.
        hidden = take_out(tx, peer.node_id, now)
        if hidden or held.suspended_at is None:
            store_event(
                tx, now, actor, "PEER_SUSPENDED", peer=peer.node_id, objects=hidden, **_why(reason)
            )
        return require_peer(find_peer(tx, peer.node_id))


def resume_peer(
    node: Node, peer: PeerRow, *, actor: str = "operator", reason: str | None = None
) -> PeerRow:
    """Show again what a suspended peer wrote, then resume the relation, and pull at once.

    In several writes; until the last one the peer is suspended, and what is suspended anew in the
    middle leaves the views again.

    Raises:
        NotFound: ``E_PEER_UNKNOWN``.
    """
    shown = 0
    while True:
        now = node.now()
        with node.database.write() as tx:
            held = require_peer(find_peer(tx, peer.node_id))
            since = SuspendedSince(held.suspended_at or now, held.suspended_row or 0)
            part = put_back(tx, peer.node_id, since, node.node_id, now)
            if part is None:
                return _resume(tx, held, now, actor, shown, reason)
            shown += part


def _resume(
    tx: Transaction, peer: PeerRow, now: datetime, actor: str, shown: int, reason: str | None
) -> PeerRow:
    update_peer(tx, peer.node_id, state=ACTIVE, failures=0, suspended_at=None, suspended_row=None)
    after = require_peer(find_peer(tx, peer.node_id))
    readmit(tx, after, now)
    request_job(tx, "pull", peer.node_id, now, hurry=True)
    store_event(tx, now, actor, "PEER_RESUMED", peer=peer.node_id, objects=shown, **_why(reason))
    return after


def _why(reason: str | None) -> dict[str, str]:
    return {} if reason is None else {"reason": reason}
