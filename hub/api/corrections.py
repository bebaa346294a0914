"""The one address for people without an account: whoever a claim affects asks for a correction."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from hub.api.dependencies import CurrentNode, StrangerGate
from hub.verdicts.corrections import ask_for_correction
from schemas.strict_json import write_json

ADDRESS = "/corrections"
router = APIRouter(tags=["corrections"])
_SAID = write_json({"received": True})


@router.post(ADDRESS, status_code=202)
async def post_correction(node: CurrentNode, gate: StrangerGate, request: Request) -> Response:
    """Ask for a correction: ``name``, ``contact`` and ``reason`` as JSON.

    No authentication: whom it affects has no account. Limited by address and size instead.
    """
    gate()
    body = b"".join([chunk async for chunk in request.stream()])
    await run_in_threadpool(ask_for_correction, node, body)
    return Response(_SAID, status_code=202, media_type="application/json")
