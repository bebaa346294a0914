"""Which public keys this node's document lists, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from federation.signing.keys import ED25519, USE_ROOT, key_id
from hub.node import Node
from hub.peers.known_nodes import pinned
from schemas.identifiers import KeyId


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A public key of this node.

    Args:
        in_use: whether this node signs with it now; the root keys are kept elsewhere.
    """

    kid: KeyId
    use: str
    alg: str
    not_before: datetime
    not_after: datetime
    in_use: bool


def list_own_keys(node: Node) -> tuple[OwnKey, ...]:
    """List the keys of this node's newest document, the root keys first."""
    with node.database.read() as tx:
        document = pinned(tx, node.node_id).newest
    held = {node.keys.entry.kid, node.keys.http.kid}
    roots = (
        OwnKey(key_id(ED25519, pub), USE_ROOT, ED25519, document.issued, document.expires, False)
        for pub in document.root_keys
    )
    online = (
        OwnKey(key.kid, key.use, key.alg, key.nbf, key.naf, key.kid in held)
        for key in document.keys
    )
    return (*roots, *online)
