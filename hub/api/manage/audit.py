"""The audit over HTTP, for admin tokens alone."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from hub.api.dependencies import AdminReader, CurrentNode, current_admin
from hub.audit.listing import LARGEST_PAGE, read_events_as
from schemas.strict_json import MAX_INTEGER

router = APIRouter(prefix="/api/v1", tags=["management"], dependencies=[Depends(current_admin)])


@router.get("/audit")
def get_audit(
    node: CurrentNode,
    reader: AdminReader,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100,
    before: Annotated[int | None, Query(ge=1, le=MAX_INTEGER)] = None,
    code: Annotated[str | None, Query(max_length=64)] = None,
) -> dict[str, Any]:
    """List events of the audit, the newest first; ``before`` goes on from a page's last."""
    events = read_events_as(node, reader.name, limit=limit, before=before, code=code)
    return {"events": events}
