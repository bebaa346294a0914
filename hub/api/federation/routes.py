"""All addresses between nodes in one router."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hub.api.federation import blobs, fed_root, node_endpoints, pushes
from hub.errors import NotFound

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

_elsewhere_router = APIRouter()


# Manifests, versions, single objects and DELETE do not exist in the fed root, nor does any other
# method or address: 404 for everybody, never 405, which would say what exists (PROTOCOL 2.6).
@_elsewhere_router.api_route("/taxii2/fed/{rest:path}", methods=_METHODS)
@_elsewhere_router.api_route("/taxii2/fed", methods=_METHODS)
@_elsewhere_router.api_route("/federation/{rest:path}", methods=_METHODS)
def get_nothing(rest: str = "") -> Response:
    """Answer that there is nothing."""
    raise NotFound("E_NOT_FOUND", f"no address {rest}")


router = APIRouter(include_in_schema=False)
router.include_router(fed_root.router)
router.include_router(pushes.router)
router.include_router(node_endpoints.router)
router.include_router(blobs.router)
router.include_router(_elsewhere_router)
