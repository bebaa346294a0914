"""Which public keys this node's document lists, in what state, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from federation.identity.expiry import expiry_warnings
from federation.signing.keys import ED25519, USE_ROOT, key_id
from hub.node import Node
from hub.peers.key_custody import ONLINE_USES, kid_in, waiting_file
from hub.peers.known_nodes import pinned
from schemas.identifiers import KeyId

USED, WAITING, FORMER, KEPT_APART = "used", "waiting", "former", "kept apart"


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A public key of this node.

    Args:
        in_use: whether this node signs with it now; the root keys are kept elsewhere.
        state: ``used``; ``waiting`` until peers were told of it; ``former``, good for what it has
            signed and ending by itself; ``kept apart`` for the root keys.
        ends_soon: within thirty days, and no other key of its use lasts longer; of a root key, that
            the document does.
    """

    kid: KeyId
    use: str
    alg: str
    not_before: datetime
    not_after: datetime
    in_use: bool
    state: str
    ends_soon: bool


def list_own_keys(node: Node) -> tuple[OwnKey, ...]:
    """List the keys of this node's newest document, the root keys first."""
    with node.database.read() as tx:
        own = pinned(tx, node.node_id)
    document = own.newest
    warnings = expiry_warnings(own, node.now())
    ending = {warning.kid for warning in warnings}
    document_ends = any(warning.what == "document" for warning in warnings)
    used = {node.keys.entry.kid, node.keys.http.kid}
    waiting = {kid_in(waiting_file(node.settings.home, use)) for use in ONLINE_USES}
    roots = (
        OwnKey(
            key_id(ED25519, pub), USE_ROOT, ED25519, document.issued, document.expires,
            in_use=False, state=KEPT_APART, ends_soon=document_ends,
        )
        for pub in document.root_keys
    )  # fmt: skip
    online = (
        OwnKey(
            key.kid, key.use, key.alg, key.nbf, key.naf,
            in_use=key.kid in used,
            state=USED if key.kid in used else WAITING if key.kid in waiting else FORMER,
            ends_soon=key.kid in ending or (document_ends and key.kid in used),
        )
        for key in document.keys
    )  # fmt: skip
    return (*roots, *online)
