"""Bodies are measured before they are read whole, for every route (issue 2 "Bad input").

Invariants:
* a ``Content-Length`` over the limit is answered 413 before one byte of the body is taken;
* a body without one is counted while it comes, and given up at the limit;
* what is over the limit is never held in memory.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.error_responses import error_response
from schemas.errors import WireFormatError


class BodyLimit:
    """Limit the bodies of requests.

    Args:
        app: what is behind.
        limit_of: the limit of a path, in bytes.
    """

    def __init__(self, app: ASGIApp, limit_of: Callable[[str], int]) -> None:
        self.app = app
        self.limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it when it says itself that it is too big."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limit_of(scope["path"])
        if _stated_length(scope) > limit:
            await error_response(_too_big(limit))(scope, receive, send)
            return
        await self.app(scope, _counting(receive, limit), send)


def _stated_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _counting(receive: Receive, limit: int) -> Receive:
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise _too_big(limit)
        return message

    return counted


def _too_big(limit: int) -> WireFormatError:
    return WireFormatError("E_TOO_BIG", f"at most {limit} bytes are taken", limit=limit)
