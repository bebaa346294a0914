"""Add Objects on the fed root: what an origin that nobody can reach posts (PROTOCOL 2.6 "Push")."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from hub.api.dependencies import CurrentNode, require_taxii_accept
from hub.api.federation.arrived_requests import Arrived, SigningPeer
from hub.api.taxii.responses import taxii_response
from hub.exchange import pushed_entries
from schemas.errors import WireFormatError
from schemas.taxii.media_types import TAXII, is_taxii_content

router = APIRouter(prefix="/taxii2/fed", dependencies=[Depends(require_taxii_accept)])


@router.post("/collections/{collection_id}/objects/")
def post_objects(
    node: CurrentNode, peer: SigningPeer, collection_id: str, arrived: Arrived
) -> Response:
    """Take in entries of a feed from its origin (TAXII 2.1 §5.5)."""
    if not is_taxii_content(arrived.headers.get("content-type")):
        raise WireFormatError("E_CONTENT_TYPE", f"bodies come as {TAXII}")
    body = pushed_entries.accept_push(node, peer, collection_id, arrived.body or b"")
    return taxii_response(body, 202)


@router.get("/status/{status_id}/")
def get_status(node: CurrentNode, peer: SigningPeer, status_id: str) -> Response:
    """Get the status of an own push (TAXII 2.1 §4.3)."""
    return taxii_response(pushed_entries.read_push_status(node, peer, status_id))
