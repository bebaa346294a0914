"""Read what an operator hands over: a file or standard input, gzip or not."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path
from typing import Final

from schemas.errors import WireFormatError

MAX_BYTES: Final = 64 * 1024 * 1024
"""What the readers of name lists and bundles take."""
_GZIP: Final = b"\x1f\x8b"


def read_input(file: Path) -> bytes:
    """Read a file, or standard input for ``-``; gzip is told by its content.

    Raises:
        WireFormatError: ``E_TOO_BIG`` beyond 64 MiB, before or after unpacking; ``E_GZIP``.
        OSError: it cannot be read.
    """
    if str(file) == "-":
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    _require_size(data)
    return _unpack(data) if data.startswith(_GZIP) else data


def _unpack(data: bytes) -> bytes:
    """Unpack every member of a gzip file, and no more than the limit: it may be a bomb."""
    unpacked = bytearray()
    while data:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            unpacked += member.decompress(data, MAX_BYTES + 1 - len(unpacked))
        except zlib.error as error:
            raise WireFormatError("E_GZIP", str(error), "Unpack the file and look at it.") from None
        _require_size(unpacked)
        if not member.eof:
            raise WireFormatError("E_GZIP", "the file is cut off", "Fetch it again.")
        data = member.unused_data
    return bytes(unpacked)


def _require_size(data: bytes | bytearray) -> None:
    if len(data) > MAX_BYTES:
        raise WireFormatError(
            "E_TOO_BIG", f"longer than {MAX_BYTES:,} bytes", "Split it into several files."
        )
