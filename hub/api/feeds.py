"""Files that resolvers and SIEMs fetch (INTERFACE, ``/feeds/…``).

Every address asks for a token, Basic or Bearer. Answers carry a strong ``ETag`` and the date of the
last change, both of what this reader sees alone, and honour conditional requests (RFC 9110 §13).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from hub.api.compression import takes_gzip
from hub.api.dependencies import CurrentNode, CurrentReader
from hub.exports.serving import ServedFile, open_feed

router = APIRouter(prefix="/feeds", tags=["feeds"])

_NOT_MODIFIED = 304


@router.head("/{address:path}", include_in_schema=False)
@router.get("/{address:path}", response_class=Response)
def get_feed(node: CurrentNode, reader: CurrentReader, request: Request, address: str) -> Response:
    """Get a file of an export, as this reader may have it."""
    packed = takes_gzip(request.headers.get("accept-encoding", ""))
    served = open_feed(node, reader, address, packed=packed)
    headers = _headers(served)
    if is_unchanged(request.headers, served):
        served.close()
        return Response(status_code=_NOT_MODIFIED, headers=headers)
    headers["Content-Length"] = str(served.size)
    if request.method == "HEAD":
        served.close()
        return Response(headers=headers, media_type=served.media_type)
    return StreamingResponse(served.chunks(), headers=headers, media_type=served.media_type)


def _headers(served: ServedFile) -> dict[str, str]:
    headers = {
        "ETag": f'"{served.tag}"',
        "Last-Modified": format_datetime(served.changed_at.astimezone(UTC), usegmt=True),
        "Vary": "Accept-Encoding, Authorization",
    }
    if served.packed:
        headers["Content-Encoding"] = "gzip"
    return headers


def is_unchanged(asked: Mapping[str, str], served: ServedFile) -> bool:
    """Tell whether a reader has this very content already (RFC 9110 §13.2.2).

    A date counts only where no tag was sent.
    """
    tags = asked.get("if-none-match")
    if tags is not None:
        held = {tag.strip().removeprefix("W/").strip('"') for tag in tags.split(",")}
        return "*" in held or served.tag in held
    since = _read_date(asked.get("if-modified-since"))
    return since is not None and served.changed_at.replace(microsecond=0) <= since


def _read_date(text: str | None) -> datetime | None:
    try:
        read = None if text is None else parsedate_to_datetime(text)
    except ValueError:
        return None
    return None if read is None or read.tzinfo is None else read
