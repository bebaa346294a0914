"""Blobs by their digest: what domain sets name, too large for an entry (PROTOCOL 2.6)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from federation.transport.blob_answers import BLOB_TYPE
from hub.api.dependencies import CurrentNode
from hub.api.federation.arrived_requests import Arrived, SigningPeer
from hub.exchange import serve_blobs
from hub.peers import posted_blobs
from schemas.strict_json import write_json

router = APIRouter()


@router.get("/federation/v1/blobs/{sha256}")
def get_blob(node: CurrentNode, peer: SigningPeer, sha256: str, request: Request) -> Response:
    """Get a blob, or the bytes of it that a ``Range`` names (RFC 9110 §14)."""
    asked, if_range = request.headers.get("range"), request.headers.get("if-range")
    served = serve_blobs.serve_blob(node, peer, sha256, asked=asked, if_range=if_range)
    headers = {
        "ETag": served.etag,
        "Accept-Ranges": "bytes",
        "Content-Length": str(served.end - served.start),
    }
    if not served.whole:
        headers["Content-Range"] = f"bytes {served.start}-{served.end - 1}/{served.size}"
    parts = serve_blobs.read_parts(node, served)
    return StreamingResponse(parts, 200 if served.whole else 206, headers, BLOB_TYPE)


@router.post("/federation/v1/blobs/{sha256}")
def post_blob(
    node: CurrentNode, peer: SigningPeer, sha256: str, arrived: Arrived, request: Request
) -> Response:
    """Take in bytes of a blob from a peer that nobody can fetch it from."""
    place = posted_blobs.read_place(request.query_params.multi_items())
    held = posted_blobs.accept_bytes(node, peer, sha256, place, arrived.body or b"")
    return Response(write_json({"held": held}), 202, media_type="application/json")
