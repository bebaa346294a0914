"""Sightings over HTTP: a SIEM or a resolver says which names it saw.

For ``own`` and ``writer`` tokens, which stand for this organisation's systems; to all others the
address is not there. The answer says how many were read, and never which names are claimed.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends, Request

from hub.api.dependencies import CurrentNode, CurrentReader
from hub.errors import NotFound
from hub.operators.readers import Reader
from hub.verdicts.sightings import add_sightings, read_sightings_json

ADDRESS: Final = "/api/v1/sightings"
_KINDS: Final = frozenset({"own", "writer"})


def seeing_reader(reader: CurrentReader) -> Reader:
    """Refuse every kind of token that does not stand for this organisation.

    Raises:
        NotFound: ``E_NOT_FOUND``.
    """
    if reader.standing.kind not in _KINDS:
        raise NotFound("E_NOT_FOUND", "no such address")
    return reader


async def sightings_body(request: Request) -> bytes:
    """Read the body whole; its size is ``body_limit``'s matter."""
    return b"".join([chunk async for chunk in request.stream()])


router = APIRouter(tags=["management"])


@router.post(ADDRESS, status_code=202, dependencies=[Depends(seeing_reader)])
def post_sightings(
    node: CurrentNode, reader: CurrentReader, body: bytes = Depends(sightings_body)
) -> dict[str, int]:
    """Take sightings of names: ``name``, ``count``, ``first``, ``last`` and nothing else."""
    seen = read_sightings_json(body)
    added = add_sightings(node, seen, source=reader.name, actor=f"token {reader.name}")
    return {"taken": added.taken}
