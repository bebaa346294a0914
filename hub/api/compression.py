"""Answers between nodes are compressed for who takes gzip, and counted against the line.

Invariants:
* only below the addresses of peers: what token holders read is left to the proxy in front, and no
  answer that holds a secret beside text of the asker is ever compressed;
* what peers would refuse as a bomb (PROTOCOL 4.7: growing over 20 times) goes out as it is;
* an answer is one body in memory, at most 4 MiB, which is how all of these are made but blobs: what
  comes in pieces goes out as it is, because a blob is named by the digest of the bytes as served.

Requests are never compressed (PROTOCOL 2.7).
"""

from __future__ import annotations

import zlib
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from federation.transport.line import Direction

PREFIXES: Final = ("/taxii2/fed/", "/federation/")
LEAST_BYTES: Final = 1_024
"""Below that a packet is a packet."""
MAX_RATIO: Final = 20
FAST, SMALL = 4, 6
"""zlib's levels: a third faster, or a fortieth smaller; below 4 a page grows by a sixth."""
LARGE: Final = 262_144
"""Bytes from which a page is of a long catch-up, where time counts unless the line is thin."""
_GZIP: Final = 31
"""zlib's ``wbits`` for a gzip member, whose header names no time: the same bytes each time."""


class Compression:
    """Compress what peers read.

    Args:
        app: what is behind.
        line: this node's line out.
    """

    def __init__(self, app: ASGIApp, line: Direction) -> None:
        self.app = app
        self.line = line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back smaller."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIXES):
            await self.app(scope, receive, send)
            return
        await self.app(scope, receive, _Answer(self, scope, send))


class _Answer:
    """One answer on its way out; its head waits for the body."""

    def __init__(self, compression: Compression, scope: Scope, send: Send) -> None:
        self._line = compression.line
        self._takes_gzip = takes_gzip(Headers(scope=scope).get("accept-encoding", ""))
        self._send = send
        self._head: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._head = message
            return
        if message["type"] == "http.response.body" and self._head is not None:
            if not message.get("more_body"):
                message = self._compressed(self._head, message)
            head, self._head = self._head, None
            await self._send(head)
        self._line.spend(len(message.get("body", b"")))
        await self._send(message)

    def _compressed(self, head: Message, message: Message) -> Message:
        headers = MutableHeaders(raw=head["headers"])
        headers.add_vary_header("Accept-Encoding")
        body: bytes = message.get("body", b"")
        if not self._takes_gzip or len(body) < LEAST_BYTES or "content-encoding" in headers:
            return message
        in_haste = self._line.rate is None and len(body) > LARGE
        packed = gzip_bytes(body, FAST if in_haste else SMALL)
        if len(packed) >= len(body) or len(body) > MAX_RATIO * len(packed):
            return message
        headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(packed))
        return {**message, "body": packed}


def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether a reader takes gzip (RFC 9110 §12.5.3); only a plain yes is one."""
    for part in accept_encoding.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() == "gzip":
            return weight.strip() not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def gzip_bytes(data: bytes, level: int) -> bytes:
    """Compress as one gzip member."""
    packer = zlib.compressobj(level, wbits=_GZIP)
    return packer.compress(data) + packer.flush()
