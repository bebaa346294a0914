"""Discovery: each who asks is shown the one API root that is theirs (PROTOCOL 2.6).

A token holder sees the intel root and a peer the fed root, each alone: STIX without its signed
envelope would walk around policy and relay heads.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response

from hub.api.dependencies import CurrentNode, current_reader, require_taxii_accept
from hub.api.federation.arrived_requests import Arrived, signing_peer
from hub.api.taxii.responses import taxii_response
from hub.exchange.reading import read_discovery

router = APIRouter(tags=["discovery"])


def api_root_of(
    request: Request, node: CurrentNode, arrived: Arrived, after: BackgroundTasks
) -> str:
    """Find out who asks, and name the API root that is theirs."""
    if "signature-input" in request.headers:
        signing_peer(node, arrived)
        return "fed"
    current_reader(request, node, after)
    return "intel"


@router.get("/taxii2/", dependencies=[Depends(api_root_of), Depends(require_taxii_accept)])
def get_discovery(node: CurrentNode, api_root: Annotated[str, Depends(api_root_of)]) -> Response:
    """Get the API root of who asks (TAXII 2.1 §4.1)."""
    return taxii_response(read_discovery(node, api_root))
