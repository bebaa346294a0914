"""Ask an ASGI application in the test's own thread.

Starlette's test client hands each request seven times from one thread to another and back, which
is most of what a request costs where a test asks thousands of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx2


class InProcess:
    """A client of an application, on an event loop of its own; for one thread."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | Iterable[bytes] | None = None,
    ) -> httpx2.Response:
        """Ask; the answer is there when the application has ended, its tasks after it included.

        What the application does not catch is a 500, as on the wire. No redirect is followed.

        Args:
            content: the body; in pieces it is sent without its length, as far as it is read.
        """
        lines = {"host": "testserver", "accept": "*/*", "user-agent": "testclient"}
        if content is None or isinstance(content, bytes):
            content = content or b""
            if content or method in {"POST", "PUT", "PATCH"}:
                lines["content-length"] = str(len(content))
            content = [content]
        else:
            lines["transfer-encoding"] = "chunked"
        lines |= {name.lower(): value for name, value in (headers or {}).items()}
        return self._loop.run_until_complete(self._ask(method, url, lines, iter(content)))

    def close(self) -> None:
        """Leave the loop, and the threads in which the application worked."""
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _ask(
        self, method: str, url: str, lines: Mapping[str, str], pieces: Iterator[bytes]
    ) -> httpx2.Response:
        address = httpx2.URL(url)
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": address.path, "raw_path": address.raw_path.split(b"?")[0],
            "query_string": address.query, "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in lines.items()],
            "server": ("testserver", 80), "client": ("testclient", 50_000),
        }  # fmt: skip
        said: list[dict[str, Any]] = []

        ended = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if ended.is_set():
                await asyncio.Event().wait()  # nobody hangs up; who waits for it is cancelled
            piece = next(pieces, None)
            if piece is None:
                ended.set()
            return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        try:
            await self._app(scope, receive, send)
        except Exception:  # noqa: BLE001 - it was answered as it is on the wire, or not at all
            if not said:
                return httpx2.Response(500)
        parts = b"".join(message.get("body", b"") for message in said[1:])
        return httpx2.Response(
            said[0]["status"],
            headers=said[0]["headers"],
            content=b"" if method == "HEAD" else parts,
        )
