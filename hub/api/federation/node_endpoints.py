"""What nodes ask and tell each other beside the feeds (PROTOCOL 2.6, 4.5)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from hub.api.dependencies import CurrentNode, StrangerGate
from hub.api.federation.arrived_requests import Arrived, SigningPeer, signing_peer
from hub.exchange import serve_feeds
from hub.peers import node_documents
from hub.peers.acknowledge import accept_acks
from hub.peers.admit import admit_joiner
from hub.peers.admit_evidence import admit_evidence
from hub.peers.node_updates import accept_documents
from hub.peers.wake import accept_wake
from schemas.strict_json import write_json

router = APIRouter()
_JSON = "application/json"


@router.get("/.well-known/tocsin")
def get_hint(node: CurrentNode) -> Response:
    """Say who answers here; a hint only."""
    return _json(write_json(node_documents.read_hint(node)))


@router.get("/federation/v1/node")
def get_node(node: CurrentNode, arrived: Arrived, request: Request) -> Response:
    """Get a node document: ours for everybody, another's for a peer that may know of it."""
    asked = node_documents.read_document_request(request.query_params.multi_items())
    if asked.node_id is None:
        return _json(node_documents.find_own_document(node, asked.version))
    peer = signing_peer(node, arrived)
    return _json(serve_feeds.find_document_of_other(node, peer, asked.node_id, asked.version))


@router.post("/federation/v1/node")
def post_node(node: CurrentNode, arrived: Arrived, gate: StrangerGate) -> Response:
    """Take in newer documents of the peer that posts them, signed also by a key they name."""
    version = accept_documents(node, arrived, admit_stranger=gate)
    return _json(write_json({"version": version}))


@router.get("/federation/v1/heads")
def get_heads(node: CurrentNode, peer: SigningPeer, feed: str | None = None) -> Response:
    """Get the newest heads held, of all that this peer may know of or of one feed."""
    return _json(serve_feeds.heads_for(node, peer, feed))


@router.post("/federation/v1/wake")
def post_wake(node: CurrentNode, peer: SigningPeer, arrived: Arrived) -> Response:
    """Take in a wake-up: signed heads, and never a URL."""
    accept_wake(node, peer, arrived.body or b"")
    return _json(b"{}", status=202)


@router.post("/federation/v1/evidence")
def post_evidence(node: CurrentNode, peer: SigningPeer, arrived: Arrived) -> Response:
    """Take in proofs of misbehaviour; one that does not hold is 422 and nothing is stored."""
    admit_evidence(node, peer, arrived.body or b"")
    return _json(b"{}", status=202)


@router.post("/federation/v1/acks")
def post_acks(node: CurrentNode, peer: SigningPeer, arrived: Arrived) -> Response:
    """Take in what this peer confirms of entries that it reads here."""
    accept_acks(node, peer, arrived.body or b"")
    return _json(b"{}", status=202)


@router.post("/federation/v1/pair")
def post_pair(node: CurrentNode, arrived: Arrived) -> Response:
    """Admit the node that answers an invitation, signed by the joiner."""
    admit_joiner(node, arrived)
    return _json(write_json({"v": 1, "node_id": node.node_id}), status=201)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status_code=status, media_type=_JSON)
