"""Decides how much of an answer is read: byte caps before and after gunzip, and a ratio.

Invariants (PROTOCOL 4.7, THREATS 31):
* never more than ``max_bytes`` are taken from the wire, nor made from what was taken;
* a compressed answer grows at most ``max_ratio`` times, so that a few bytes cost us little;
* whatever the answer says about its own length only makes refusing earlier.

It does not open connections and does not parse.

>>> read_bounded([b"ab", b"c"], encoding="", limits=BodyLimits(max_bytes=3, max_ratio=20))
b'abc'
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from federation.errors import PeerUnreachable

_INFLATE_STEP = 65_536
_GZIP_ALONE = 31
"""zlib's ``wbits`` for a gzip member and nothing else."""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Caps of one answer: bytes before and after gunzip, and how many times it may grow."""

    max_bytes: int
    max_ratio: int


def read_bounded(chunks: Iterable[bytes], *, encoding: str, limits: BodyLimits) -> bytes:
    """Read a body to its end, or refuse it.

    Args:
        chunks: as they come from the wire.
        encoding: the Content-Encoding in lower case, empty when there is none.
        limits: the caps.

    Raises:
        PeerUnreachable: ``E_HTTP_TOO_BIG``; ``E_HTTP_ENCODING`` for another encoding than gzip, and
            for gzip that is broken, cut off or followed by more.
    """
    if encoding in ("", "identity"):
        body = bytearray()
        for chunk in chunks:
            body += chunk
            if len(body) > limits.max_bytes:
                raise too_big(limits)
        return bytes(body)
    if encoding == "gzip":
        try:
            return _gunzip(chunks, limits)
        except zlib.error:
            raise _bad_encoding("the gzip data is broken") from None
    raise _bad_encoding("the answer is compressed in a way that was not asked for")


def _gunzip(chunks: Iterable[bytes], limits: BodyLimits) -> bytes:
    inflater = zlib.decompressobj(wbits=_GZIP_ALONE)
    body = bytearray()
    received = 0
    for chunk in chunks:
        received += len(chunk)
        if received > limits.max_bytes:
            raise too_big(limits)
        waiting = chunk
        while True:
            # Bounded output of each step, and never ``flush()``, whose output has no bound.
            piece = inflater.decompress(waiting, _INFLATE_STEP)
            waiting = inflater.unconsumed_tail
            body += piece
            # The start of an honest text may pack better than its whole, hence one step's grace.
            allowed = max(_INFLATE_STEP, limits.max_ratio * received)
            if len(body) > min(allowed, limits.max_bytes):
                raise too_big(limits)
            if not waiting and not piece:
                break
        if inflater.unused_data:
            raise _bad_encoding("bytes follow the end of the gzip data")
    if received == 0:
        return b""
    if not inflater.eof:
        raise _bad_encoding("the gzip data is cut off")
    if len(body) > limits.max_ratio * received:
        raise too_big(limits)
    return bytes(body)


def too_big(limits: BodyLimits) -> PeerUnreachable:
    """Build the one refusal of an answer beyond the caps."""
    return PeerUnreachable(
        "E_HTTP_TOO_BIG",
        f"the answer is over {limits.max_bytes} bytes, or grows over {limits.max_ratio} times",
        "Tell the peer; an honest hub stays below 4 MiB (PROTOCOL 2.6).",
    )


def _bad_encoding(detail: str) -> PeerUnreachable:
    return PeerUnreachable(
        "E_HTTP_ENCODING", detail, "Check whether a proxy in front of the peer recodes answers."
    )
