"""Admit a node that answers an invitation of ours (PROTOCOL 4.5).

Invariants:
* an unknown, a used and an expired token are one and the same answer, found by the same work;
* the token is spent only by a request that passes every check, in the transaction that makes the
  node a peer;
* whoever comes in this way may read CLEAR and nothing more until people compared the eight words;
* nobody lifts a block or a suspension by an invitation.

The order is that of PROTOCOL 2.7 with the keys taken from the body, since there is no other place
yet: shape, recipient, time, token, documents, digest and signature, nonce. The token is looked at
before the documents are verified, so that only an invited node can make this one work.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from federation.errors import SignatureRejected
from federation.identity.fingerprint import voice_code
from federation.identity.invitation import read_pairing_request, token_digest
from federation.identity.node_document import PinnedNode, pin_chain
from federation.identity.wire_version import require_common
from federation.signing.keys import USE_HTTP
from federation.signing.request_auth import VerifiedRequest, verify_request
from federation.trust.presets import TrustLevel
from hub.errors import Conflict, NotFound
from hub.node import Node
from hub.peers.authenticate import (
    ArrivedRequest,
    find_key_owner,
    require_fresh_nonce,
    signed_request,
)
from hub.peers.node_documents import shown_name, store_chain
from hub.peers.standing import is_reading
from hub.storage.queries.audit import store_event
from hub.storage.queries.jobs import request_job
from hub.storage.queries.pairing import is_invitation_open
from hub.storage.queries.peers import PeerRow, claim_invitation, find_peer, store_peer, update_peer
from hub.storage.transaction import Transaction
from schemas.identifiers import KeyId
from schemas.strict_json import strict_loads

__all__ = [
    "ACTIVE",
    "PeerAdmitted",
    "admit_joiner",
    "is_reading",
    "require_living",
    "shown_name",
    "store_relation",
]

ACTIVE = "active"
FIRST_PULL_WAIT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class PeerAdmitted:
    """A new relation, and the eight words that two people compare by telephone."""

    peer: PeerRow
    voice_code: str


@dataclass(frozen=True, slots=True)
class _Joiner:
    """What the body of ``POST /pair`` held, verified but for the request's signature."""

    digest: str
    chain: PinnedNode


def admit_joiner(node: Node, arrived: ArrivedRequest) -> PeerAdmitted:
    """Admit the sender of a pairing request.

    Raises:
        NotFound: ``E_NOT_FOUND`` for a token that cannot be spent, whatever the reason.
        SignatureRejected: ``E_HTTP_*`` for the request, ``E_SIG_*``, ``E_KEY_*``,
            ``E_NODE_*`` for the documents.
        WireFormatError: ``E_JSON_*`` or ``E_SCHEMA``; the latter also for a demo's documents.
        Conflict: ``E_NODE_VERSION`` or ``E_ID_CONFLICT``.
        PeerState: ``E_WIRE_VERSION``.
    """
    now = node.now()
    read: list[_Joiner] = []

    def find_key(kid: KeyId) -> bytes | None:
        joiner = _read_joiner(node, arrived, now)
        read.append(joiner)
        return joiner.chain.http_key(kid, now)

    with node.database.read() as tx:
        request = signed_request(tx, node, arrived)
    verified = verify_request(request, recipient=node.node_id, now=now, find_key=find_key)
    require_living(read[0].chain, now)
    require_common(shown_name(read[0].chain.newest.name), read[0].chain.newest.wire)
    return _store(node, read[0], verified, now)


def _read_joiner(node: Node, arrived: ArrivedRequest, now: datetime) -> _Joiner:
    body = read_pairing_request(strict_loads(arrived.body or b""))
    digest = token_digest(body.token)
    with node.database.read() as tx:
        if not is_invitation_open(tx, digest, now):
            raise _no_invitation()
    chain = pin_chain(body.documents, expected=None, allow_demo=node.own.demo)
    return _Joiner(digest, chain)


def _store(node: Node, joiner: _Joiner, verified: VerifiedRequest, now: datetime) -> PeerAdmitted:
    with node.database.write() as tx:
        require_fresh_nonce(tx, verified, now)
        if not claim_invitation(tx, joiner.digest, now, joiner.chain.node_id):
            raise _no_invitation()
        held = find_peer(tx, joiner.chain.node_id)
        if held is not None and not is_reading(held):
            raise _no_invitation()
        return PeerAdmitted(
            # The joiner has us only after it read our answer, hence the wait before we pull.
            store_relation(
                tx, node, joiner.chain, actor=joiner.chain.node_id, pull_at=now + FIRST_PULL_WAIT
            ),
            voice_code(node.node_id, joiner.chain.node_id),
        )


def store_relation(
    tx: Transaction, node: Node, chain: PinnedNode, *, actor: str, pull_at: datetime
) -> PeerRow:
    """Make a node with a verified chain a peer at trust ``known``, in the caller's transaction.

    A relation that stands keeps its trust: the id is the same, and so are its keys' owners.

    Args:
        actor: for the audit.
        pull_at: when to pull for the first time.

    Raises:
        Conflict: ``E_NODE_VERSION``; ``E_ID_CONFLICT`` for this node itself, and for one that
            lists an http key of another peer, which would be taken for it from then on.
    """
    now = node.now()
    _require_own_keys(tx, node, chain, now)
    store_chain(tx, node, chain)
    document = chain.newest
    if find_peer(tx, chain.node_id) is None:
        peer = PeerRow(
            node_id=chain.node_id,
            name=shown_name(document.name),
            base=document.base,
            trust=TrustLevel.KNOWN,
            verified=False,
            state=ACTIVE,
            added_at=now,
        )
        store_peer(tx, peer)
    else:
        update_peer(tx, chain.node_id, name=shown_name(document.name), base=document.base)
    store_event(tx, now, actor, "PEER_PAIRED", peer=chain.node_id)
    request_job(tx, "pull", chain.node_id, pull_at, hurry=True)
    stored = find_peer(tx, chain.node_id)
    assert stored is not None  # noqa: S101 - narrowed for mypy; it was stored above
    return stored


def require_living(chain: PinnedNode, now: datetime) -> None:
    """Refuse to begin a relation with a node whose document has ended.

    Raises:
        SignatureRejected: ``E_NODE_EXPIRED``.
    """
    if chain.is_expired(now):
        raise SignatureRejected(
            "E_NODE_EXPIRED",
            "the node's newest document has expired",
            "Its operator has to sign a new node document first.",
        )


def _require_own_keys(tx: Transaction, node: Node, chain: PinnedNode, now: datetime) -> None:
    if chain.node_id == node.node_id:
        raise Conflict("E_ID_CONFLICT", "this is the node itself", "Pair with another node.")
    for record in chain.newest.keys:
        owner = find_key_owner(tx, record.kid, now) if record.use == USE_HTTP else None
        if record.kid == node.keys.http.kid or owner not in (None, (chain.node_id, record.pub)):
            raise Conflict(
                "E_ID_CONFLICT",
                "the node's document lists an http key that belongs to another node",
                "Ask its operator for a document with keys of its own.",
            )


def _no_invitation() -> NotFound:
    return NotFound("E_NOT_FOUND", "no open invitation has this token")
