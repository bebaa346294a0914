"""Newer documents of nodes: ours told to peers, theirs taken in (PROTOCOL 2.6 ``POST …/node``).

Invariants:
* a request is its sender's if an ``http`` key signed it that the sender's pinned documents list, or
  the last of the posted ones, once the root key's signature under these was verified. So a node
  whose http key was turned, or stolen, is heard under its new one;
* whoever is no peer, and whoever posts documents that do not hold under a key of their own, is the
  same stranger;
* under a known key nothing of the body is read before the request's signature was verified. Under
  a new one the key stands in the body itself: so no more is read of it than could be stored, and
  than documents have values; a door may slow who comes so (``admit_stranger``); the request has to
  be signed by the key before any document of the chain is verified;
* documents that are held pass silently, so that a repetition after a lost answer does no harm;
* where rule (c) applies the outcome is stored, and the answer is ``E_NODE_VERSION`` all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from federation.errors import PeerState, SignatureRejected
from federation.identity.node_document import PinnedNode, read_node_document
from federation.identity.rotation import MOST_POSTED, decide_update
from federation.signing.keys import USE_HTTP, KeyRecord
from federation.signing.request_auth import verify_request
from federation.transport.guarded_http import GuardedHttp
from hub.errors import Conflict
from hub.node import Node
from hub.peers.authenticate import (
    ArrivedRequest,
    find_key_owner,
    require_fresh_nonce,
    signed_request,
)
from hub.peers.known_nodes import find_pinned, pinned
from hub.peers.node_documents import LARGEST_CHAIN, own_documents, take_update
from hub.peers.outbound import http_or_own, reach
from hub.peers.standing import is_reading
from hub.storage.queries.node_updates import note_told, told_version
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.transaction import Transaction
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import KeyId, NodeId
from schemas.members import read_list, read_object
from schemas.strict_json import strict_loads

MOST_UNPROVEN: Final = LARGEST_CHAIN + 1_024
"""Bytes of a body that are read before it is known who sent it: a longer chain is not stored."""
_VALUES_A_DOCUMENT: Final = 32
"""An envelope with four signatures has fifteen; this bounds the work of reading what is none."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """Whose a request says that it is, by the last document in it, which nobody has verified."""

    node_id: NodeId
    key: KeyRecord


def tell_documents(node: Node, peer: PeerRow, *, http: GuardedHttp | None = None) -> int:
    """Post our documents that a peer is not known to hold; return the version that it holds now.

    Raises:
        PeerUnreachable, PeerState, WireFormatError: it could not be told.
    """
    with node.database.read() as tx:
        documents = own_documents(tx, node)
        told = told_version(tx, peer.node_id)
    if told >= len(documents):
        return told
    with http_or_own(node, http) as way:
        seam = reach(node, peer.base, peer.node_id, way)
        try:
            seam.post_documents(documents[told:])
        except PeerState as refused:
            if refused.code != "E_NODE_VERSION":
                raise
            # It holds less than was thought, or another branch that rule (c) has just ended.
            seam.post_documents(documents)
    with node.database.write(durable=False) as tx:
        note_told(tx, peer.node_id, len(documents), node.now())
    return len(documents)


def accept_documents(
    node: Node, arrived: ArrivedRequest, *, admit_stranger: Callable[[], None] = lambda: None
) -> int:
    """Take in the newer documents of the peer that posted them; return the version held now.

    Args:
        admit_stranger: asked before a body is read that no known key has signed; it may refuse.

    Raises:
        SignatureRejected: ``E_HTTP_*`` for the request; ``E_NODE_VERSION``, ``E_KEY_UNKNOWN``,
            ``E_SIG_*`` for the documents.
        Conflict: ``E_NODE_VERSION``, also where rule (c) applied; ``E_ID_CONFLICT``.
        WireFormatError: ``E_JSON_*``, ``E_TOO_BIG``, or ``E_SCHEMA``, also for a demo's documents.
    """
    now = node.now()
    known: list[NodeId] = []
    claimed: list[_Claim] = []

    def find_key(kid: KeyId) -> bytes | None:
        with node.database.read() as tx:
            owner = find_key_owner(tx, kid, now)
        if owner is not None:
            known.append(owner[0])
            return owner[1]
        claim = _read_claim(node, arrived.body or b"", kid, admit_stranger)
        if claim is None:
            return None
        claimed.append(claim)
        return claim.key.pub

    with node.database.read() as tx:
        request = signed_request(tx, node, arrived)
    # 1. The request: by a key that is known, or by the one that it brings.
    verified = verify_request(request, recipient=node.node_id, now=now, find_key=find_key)
    # 2. The documents: what brings its own key is its sender's only if they hold.
    posted = _read_posted(arrived.body or b"")
    if claimed:
        _require_proven(node, claimed[0], posted)
        known.append(claimed[0].node_id)
    with node.database.write() as tx:
        require_fresh_nonce(tx, verified, now)
        held = pinned(tx, known[0])
        update = decide_update(held, posted, allow_demo=node.own.demo)
        _require_own_keys(tx, node, update.pinned)
        _require_room(update.pinned)
        take_update(tx, node, held, update)
    if update.conflict is not None:
        raise Conflict(
            "E_NODE_VERSION",
            "two documents of one version exist; the one of the committed root set stands",
            "The operators of both nodes should speak: a root key is in other hands.",
            version=update.pinned.newest.version,
        )
    return update.pinned.newest.version


def _read_claim(
    node: Node, body: bytes, kid: KeyId, admit_stranger: Callable[[], None]
) -> _Claim | None:
    """Find the key that the last posted document lists; nothing of it is proven.

    Nothing of what is wrong with the documents is told: who asks is not known yet.
    """
    # Every value but one has a comma before it, or a bracket, of which ``strict_loads`` takes few.
    if len(body) > MOST_UNPROVEN or body.count(b",") > _VALUES_A_DOCUMENT * MOST_POSTED:
        return None
    admit_stranger()
    try:
        document = read_node_document(_read_posted(body)[-1])
    except TocsinError:
        return None
    with node.database.read() as tx:
        peer = find_peer(tx, document.node_id)
    key = _http_key(document.keys, kid, node)
    if peer is None or key is None or not is_reading(peer):
        return None
    return _Claim(document.node_id, key)


def _require_proven(node: Node, claim: _Claim, posted: list[Any]) -> None:
    """Refuse a request under a key that its sender's root has not signed for, as any stranger's.

    Also a document that lost counts: who posts it has the root key that signed it, and what it
    proves is that this key is in two hands.
    """
    stranger = SignatureRejected("E_HTTP_SIG", "no peer has this http key")
    with node.database.read() as tx:
        held = find_pinned(tx, claim.node_id)
    if held is None:
        raise stranger
    try:
        update = decide_update(held, posted, allow_demo=node.own.demo)
    except TocsinError:
        raise stranger from None
    key = _http_key(update.offered.keys, claim.key.kid, node)
    if key is None or key.pub != claim.key.pub:
        raise stranger


def _http_key(keys: Iterable[KeyRecord], kid: KeyId, node: Node) -> KeyRecord | None:
    now = node.now()
    found = (k for k in keys if k.kid == kid and k.use == USE_HTTP and k.is_valid_at(now))
    return next(found, None)


def _read_posted(body: bytes) -> list[Any]:
    posted = read_list(read_object(strict_loads(body), "node documents"), "node")
    if not 1 <= len(posted) <= MOST_POSTED:
        raise WireFormatError("E_SCHEMA", f"not 1 to {MOST_POSTED} node documents")
    return posted


def _require_room(chain: PinnedNode) -> None:
    """Refuse a chain that nobody could learn from here any more (THREATS 36).

    Not counted against the day's limit as in a pull: a thief who has used that up must not hold up
    the owner's revocation.
    """
    size = sum(len(document.envelope.to_bytes()) for document in chain.documents)
    if size > LARGEST_CHAIN:
        raise WireFormatError("E_TOO_BIG", f"node documents of over {LARGEST_CHAIN} bytes")


def _require_own_keys(tx: Transaction, node: Node, chain: PinnedNode) -> None:
    """Refuse a document that lists another node's http key, whose requests it would claim."""
    for record in chain.newest.keys:
        owner = find_key_owner(tx, record.kid, node.now()) if record.use == USE_HTTP else None
        taken = owner is not None and owner[0] != chain.node_id
        if taken or record.kid == node.keys.http.kid:
            raise Conflict(
                "E_ID_CONFLICT",
                "the node's document lists an http key that belongs to another node",
                "Ask its operator for a document with keys of its own.",
            )
