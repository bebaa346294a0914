"""What importers send beside the letter: HEAD, and addresses without their last slash.

Both are answered in place: a redirect would name a host that we cannot know behind a proxy, and
careful readers follow none. Signed addresses of peers are left alone, a signature covers both.
"""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SIGNED: Final = ("/federation", "/taxii2/fed", "/.well-known")
_TAXII: Final = "/taxii2"


class RequestForms:
    """Bring a request into the form that the routes know."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the last slash of a TAXII address; answer HEAD as GET without the body."""
        path = scope.get("path", "")
        if scope["type"] != "http" or path.startswith(_SIGNED):
            await self.app(scope, receive, send)
            return
        if path == _TAXII or (path.startswith(_TAXII + "/") and not path.endswith("/")):
            scope = {**scope, "path": path + "/"}
        if scope["method"] == "HEAD":
            await self.app({**scope, "method": "GET"}, receive, _without_body(send))
            return
        await self.app(scope, receive, send)


def _without_body(send: Send) -> Send:
    async def head_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return head_only
