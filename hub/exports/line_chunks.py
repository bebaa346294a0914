"""Lines of an export as chunks of bytes, so that a million of them are never one string."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

LINES: Final = 2_000
"""Of one chunk, some hundred kilobytes."""


def write_lines(lines: Iterable[str]) -> Iterator[bytes]:
    r"""Write lines as UTF-8, each ended by LF.

    >>> list(write_lines(["a", "b"]))
    [b'a\nb\n']
    """
    waiting = iter(lines)
    while taken := list(islice(waiting, LINES)):
        yield ("\n".join(taken) + "\n").encode()


def join_items(items: Iterable[bytes], separator: bytes) -> Iterator[bytes]:
    """Join JSON texts by a separator, in chunks.

    >>> b"".join(join_items([b"1", b"2", b"3"], b","))
    b'1,2,3'
    """
    waiting = iter(items)
    before = b""
    while taken := list(islice(waiting, LINES)):
        yield before + separator.join(taken)
        before = separator
