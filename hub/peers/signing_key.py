"""May the online entry key sign for this node now: does the own document list it, and is it alive?

Peers would take nothing of what is signed otherwise, and the numbers that it takes would be gone.

What it does not do: ask what peers hold of our feeds (``may_sign``).
"""

from __future__ import annotations

from datetime import datetime

from federation.signing.keys import USE_ENTRY
from hub.errors import Conflict
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.storage.transaction import Transaction


def require_signing_key(tx: Transaction, node: Node, at: datetime) -> None:
    """Refuse to sign what no peer would take.

    Args:
        at: the time that the entry will state.

    Raises:
        Conflict: ``E_NODE_EXPIRED`` or ``E_SIGNING_KEY``.
    """
    own = pinned(tx, node.node_id)
    # 1. The document.
    if own.is_expired(at):
        raise Conflict(
            "E_NODE_EXPIRED",
            f"this node's document ended on {own.newest.expires:%Y-%m-%d}",
            "Run `tocsin keys renew` with the root key file.",
        )
    # 2. The key: listed for this purpose, at its time, and not revoked.
    kid = node.keys.entry.kid
    record = next((r for r in own.newest.keys if r.kid == kid and r.use == USE_ENTRY), None)
    if record is None or own.revocation(kid) is not None:
        raise Conflict(
            "E_SIGNING_KEY",
            "this node's document does not list the entry key of this home",
            "Restore the key files that belong to this database; `tocsin doctor` names them.",
        )
    if not record.is_valid_at(at):
        raise Conflict(
            "E_SIGNING_KEY",
            f"the entry key is good from {record.nbf:%Y-%m-%d} to {record.naf:%Y-%m-%d}",
            "Run `tocsin keys rotate-entry`, or `tocsin keys renew`, with the root key file.",
        )
    # 3. A hybrid period that our one key cannot meet fails closed (THREATS 6).
    if own.newest.required_algs - {node.keys.entry.alg}:
        raise Conflict(
            "E_SIGNING_KEY",
            "this node's document requires signatures that this release cannot make",
            "Update Tocsin.",
        )
