"""Is this process alive, and can it serve? Without credentials, and saying nothing more."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from hub.api.dependencies import CurrentNode
from hub.storage.migrate import revision_of
from hub.storage.queries.nodes import find_own_node

router = APIRouter(tags=["health"])


@router.get("/healthz")
def get_health() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def get_readiness(request: Request, node: CurrentNode) -> Response:
    """Say whether the database answers and has this release's tables."""
    with node.database.read() as tx:
        known = find_own_node(tx) is not None
    ready = known and revision_of(node.database) == request.app.state.revision
    body = b'{"status":"ready"}' if ready else b'{"status":"not ready"}'
    return Response(body, 200 if ready else 503, media_type="application/json")
