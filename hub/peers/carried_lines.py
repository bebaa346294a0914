"""The lines of a carried file, each a gzip member of its own: found, unpacked, and found again.

Invariants:
* a line unpacks to at most one page, and grows at most 20 times (PROTOCOL 4.7);
* no more than one line is in memory; of the others their place and digest, 40 bytes each;
* a line that is read again is the one that was compared, or the file is refused.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from typing import IO, Final

from federation.delivery.carried_file import MAX_LINE, not_carried
from schemas.errors import WireFormatError

MAX_RATIO: Final = 20
GRACE: Final = 65_536
"""Bytes that a line may have whatever its ratio: the first of them pack best."""
GZIP: Final = 31
"""zlib's ``wbits`` for one gzip member; its header names no time and no file."""
_CHUNK: Final = 65_536
_DIGEST_BYTES: Final = 32


class LinePlaces:
    """Where the lines of a file begin, and the SHA-256 of each."""

    def __init__(self) -> None:
        self._offsets = array("Q")
        self._digests = bytearray()

    def __len__(self) -> int:
        return len(self._offsets)

    def add(self, offset: int, line: bytes) -> None:
        """Note where the next line begins."""
        self._offsets.append(offset)
        self._digests += hashlib.sha256(line).digest()

    def read(self, stream: IO[bytes], number: int) -> bytes:
        """Read a line again, which must be what it was."""
        line, _ = next_line(stream, self._offsets[number])
        begin = number * _DIGEST_BYTES
        if hashlib.sha256(line).digest() != self._digests[begin : begin + _DIGEST_BYTES]:
            raise not_carried("it changed while it was read")
        return line


def next_line(stream: IO[bytes], offset: int) -> tuple[bytes, int]:
    """Unpack the member at an offset; return its line with the line feed, and what is behind."""
    stream.seek(offset)
    unpacking = zlib.decompressobj(wbits=GZIP)
    line, taken = bytearray(), 0
    while not unpacking.eof:
        chunk = stream.read(_CHUNK)
        if not chunk:
            raise not_carried("it is cut off")
        taken += len(chunk)
        waiting = chunk
        try:
            while not unpacking.eof:
                piece = unpacking.decompress(waiting, _CHUNK)
                waiting = unpacking.unconsumed_tail
                line += piece
                _check_size(len(line), taken)
                if not waiting and not piece:
                    break
        except zlib.error:
            raise not_carried("its gzip data is broken") from None
    taken -= len(unpacking.unused_data)
    _check_size(len(line), taken)
    if not line.endswith(b"\n") or line.count(b"\n") != 1:
        raise not_carried("a part of it is not one line")
    return bytes(line), offset + taken


def _check_size(unpacked: int, packed: int) -> None:
    if unpacked > MAX_LINE or unpacked > max(GRACE, MAX_RATIO * packed):
        raise WireFormatError(
            "E_TOO_BIG", f"a line is over {MAX_LINE} bytes, or grows over {MAX_RATIO} times"
        )
