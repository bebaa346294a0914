"""The TAXII root that peers pull from: one collection a feed (PROTOCOL 2.6)."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from hub.api.dependencies import CurrentNode, require_taxii_accept
from hub.api.federation.arrived_requests import SigningPeer
from hub.api.taxii.responses import taxii_response
from hub.exchange import serve_feeds
from schemas.strict_json import write_json

router = APIRouter(prefix="/taxii2/fed", dependencies=[Depends(require_taxii_accept)])


@router.get("/")
def get_api_root(peer: SigningPeer) -> Response:
    """Describe the fed root to a peer (TAXII 2.1 §4.2)."""
    del peer
    return taxii_response(write_json(serve_feeds.fed_api_root()))


@router.get("/collections/")
def get_collections(node: CurrentNode, peer: SigningPeer) -> Response:
    """List the feeds that this peer may read here (TAXII 2.1 §5.1)."""
    return taxii_response(write_json(serve_feeds.list_collections_for(node, peer)))


@router.get("/collections/{collection_id}/")
def get_collection(node: CurrentNode, peer: SigningPeer, collection_id: str) -> Response:
    """Describe one feed (TAXII 2.1 §5.2)."""
    return taxii_response(write_json(serve_feeds.find_collection_for(node, peer, collection_id)))


@router.get("/collections/{collection_id}/objects/")
def get_objects(
    node: CurrentNode, peer: SigningPeer, collection_id: str, request: Request
) -> Response:
    """Get a page of a feed: entries in signed envelopes, with the heads (TAXII 2.1 §5.4)."""
    wanted = serve_feeds.read_page_request(request.query_params.multi_items())
    return taxii_response(serve_feeds.read_feed_page(node, peer, collection_id, wanted))
