"""Decides what a peer's answer to a blob's name means, and how much of it is read (PROTOCOL 2.6).

Invariants (THREATS 31, 36):
* never more bytes are given on than the answer says there are, and never more than one list may
  have, however long the peer sends and whatever it said of the length;
* what is given on begins exactly where it was asked to begin, whether or not the peer honoured
  ``Range``;
* a compressed answer is none: the digest is of the bytes as they are served.

It compares no digest: the last bytes may come in another request, or from another peer.

>>> read_stretch({"content-range": "bytes 5-9/10"}, status=206, start=5)
Stretch(total=10, skip=0, length=5)
>>> read_stretch({"content-length": "10"}, status=200, start=5)
Stretch(total=10, skip=5, length=5)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from federation.errors import PeerUnreachable
from schemas.dns.domain_sets import MAX_BYTES
from schemas.errors import WireFormatError

BLOB_TYPE: Final = "application/octet-stream"
_OK, _PARTIAL = 200, 206
GOOD: Final = frozenset({_OK, _PARTIAL})
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,8})-([0-9]{1,8})/([0-9]{1,8})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which bytes of a blob an answer holds.

    Args:
        total: the blob's size as the peer says; None where it does not.
        skip: bytes of the answer that come before the place that was asked for.
        length: at most so many bytes behind these.
    """

    total: int | None
    skip: int
    length: int


@dataclass(frozen=True, slots=True)
class BlobStream:
    """A stretch of a blob that is on its way; ``chunks`` ends with it or raises."""

    total: int | None
    chunks: Iterator[bytes]


def read_stretch(headers: Mapping[str, str], *, status: int, start: int) -> Stretch:
    """Read from the head of an answer which bytes follow.

    Args:
        headers: names in lower case.
        status: 200 or 206.
        start: the first byte that was asked for.

    Raises:
        WireFormatError: ``E_SCHEMA`` for an answer that begins elsewhere or ends beyond its own
            size, ``E_TOO_BIG`` for one of a blob over 16 MiB.
    """
    if status == _PARTIAL:
        found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        if found is None:
            raise WireFormatError("E_SCHEMA", "the answer does not say which bytes it holds")
        first, last, total = map(int, found.groups())
        _require_small(total)
        if first != start or not first <= last < total:
            raise WireFormatError("E_SCHEMA", "the answer holds other bytes than were asked for")
        return Stretch(total, 0, last - first + 1)
    announced = headers.get("content-length", "")
    if not announced.isdecimal():
        return Stretch(None, start, MAX_BYTES - start)
    total = int(announced[:20])
    _require_small(total)
    if total <= start:
        raise WireFormatError("E_SCHEMA", "the blob ends before the byte that was asked for")
    return Stretch(total, start, total - start)


def bounded(chunks: Iterable[bytes], stretch: Stretch) -> Iterator[bytes]:
    """Give on the bytes of a stretch, and no byte more.

    Raises:
        PeerUnreachable: ``E_HTTP_TOO_BIG`` when more come than were said.
    """
    skip, left = stretch.skip, stretch.length
    for chunk in chunks:
        piece = chunk[skip:]
        skip = max(0, skip - len(chunk))
        if len(piece) > left:
            raise PeerUnreachable(
                "E_HTTP_TOO_BIG",
                "more bytes come than the peer said the blob has",
                "Tell the peer; what came is not kept.",
            )
        left -= len(piece)
        if piece:
            yield piece


def _require_small(total: int) -> None:
    if not 0 < total <= MAX_BYTES:
        raise WireFormatError("E_TOO_BIG", f"the blob would have more than {MAX_BYTES} bytes")
