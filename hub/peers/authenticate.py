"""Which peer sent this request (PROTOCOL 2.7)?

Invariants:
* the target is rebuilt from this node's own document, never from ``Host`` or ``X-Forwarded-*``;
* keys are the ``http`` keys of the newest pinned documents of peers; a blocked or suspended peer
  is the same stranger as one that nobody knows;
* a nonce is remembered only after all else held, so nobody without a key can fill the memory.

The nonce memory lies in the database, because all processes of a node share it. It is written
without waiting for the disk: a request that is repeated within its five minutes after the machine
lost power reads the same page again or finds its invitation spent; no fsync a page buys more.

What it does not do: read the body. It is parsed only after this, by the use-case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from federation.errors import SignatureRejected
from federation.identity.node_document import read_node_document
from federation.policy.sharing import READING_STATES
from federation.signing.keys import USE_HTTP, KeyRecord
from federation.signing.request_auth import (
    SignedRequest,
    VerifiedRequest,
    target_uri,
    verify_request,
)
from hub.node import Node
from hub.peers.node_documents import own_base
from hub.storage.queries.contacts import note_contact
from hub.storage.queries.pairing import documents_as_stored, newest_documents_of_peers
from hub.storage.queries.peers import PeerRow, find_peer, remember_nonce
from hub.storage.transaction import Transaction
from schemas.identifiers import KeyId, NodeId
from schemas.strict_json import strict_loads

NONCE_MEMORY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class ArrivedRequest:
    """A request as it stood on the wire.

    Args:
        method: upper case.
        raw_target: path and query, not decoded.
        headers: names in lower case, repeated ones joined by commas.
        body: the bytes, None or empty when there were none.
    """

    method: str
    raw_target: str
    headers: Mapping[str, str]
    body: bytes | None = None


def authenticate_peer(node: Node, arrived: ArrivedRequest) -> PeerRow:
    """Find the peer whose http key signed this request.

    Raises:
        SignatureRejected: ``E_HTTP_SIG``, ``E_HTTP_TO``, ``E_HTTP_TIME`` or ``E_HTTP_REPLAY``.
    """
    now = node.now()
    found: list[NodeId] = []
    with node.database.read() as tx:

        def find_key(kid: KeyId) -> bytes | None:
            owner = find_key_owner(tx, kid, now)
            if owner is None:
                return None
            found.append(owner[0])
            return owner[1]

        verified = verify_request(
            signed_request(tx, node, arrived), recipient=node.node_id, now=now, find_key=find_key
        )
        peer = find_peer(tx, found[0])
    if peer is None:  # the relation ended between two statements of other processes
        raise SignatureRejected("E_HTTP_SIG", "no peer has this http key")
    with node.database.write(durable=False) as tx:
        require_fresh_nonce(tx, verified, now)
        offset = round((verified.created - now).total_seconds())
        note_contact(
            tx, peer.node_id, last_request_at=now, signed_offset=offset, signed_offset_at=now
        )
    return peer


def signed_request(tx: Transaction, node: Node, arrived: ArrivedRequest) -> SignedRequest:
    """Rebuild what the sender signed, under this node's own base."""
    return SignedRequest(
        method=arrived.method,
        target_uri=target_uri(own_base(tx, node), arrived.raw_target),
        headers=arrived.headers,
        body=arrived.body or None,
    )


def require_fresh_nonce(tx: Transaction, verified: VerifiedRequest, now: datetime) -> None:
    """Remember a request's nonce, or refuse the request as a repetition.

    Raises:
        SignatureRejected: ``E_HTTP_REPLAY``.
    """
    # Padding is optional in a nonce, but is no second nonce.
    nonce = verified.nonce.rstrip("=")
    if not remember_nonce(tx, verified.keyid, nonce, now, NONCE_MEMORY):
        raise SignatureRejected("E_HTTP_REPLAY", "this request was made before")


def find_key_owner(tx: Transaction, kid: KeyId, now: datetime) -> tuple[NodeId, bytes] | None:
    """Find the peer with this http key, and the key.

    Pairing refuses a node that lists a key of another peer. Should one list it later, by documents
    that come through a pull, whoever was known with it first keeps it: it would else be taken for
    the other.
    """
    owners = [
        (node_id, record.pub)
        for node_id, dsse in newest_documents_of_peers(tx, READING_STATES)
        for record in _http_records(dsse)
        if record.kid == kid and record.is_valid_at(now)
    ]
    if len(owners) > 1:
        owners.sort(key=lambda owner: _listed_since(tx, owner[0], kid))
    return owners[0] if owners else None


def _listed_since(tx: Transaction, node_id: NodeId, kid: KeyId) -> datetime:
    return min(
        stored_at
        for stored_at, dsse in documents_as_stored(tx, node_id)
        if any(record.kid == kid for record in _http_records(dsse))
    )


@lru_cache(maxsize=2048)
def _http_records(dsse: bytes) -> tuple[KeyRecord, ...]:
    # By the document's very bytes, so it cannot grow stale; it was verified when it was pinned.
    document = read_node_document(strict_loads(dsse))
    return tuple(record for record in document.keys if record.use == USE_HTTP)
