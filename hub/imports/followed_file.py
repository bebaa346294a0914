"""Read a log that grows, is rotated and is cut, from where one stopped.

Invariants:
* a line is given once it has its end: what a server is still writing waits;
* a position follows the file and not its name: after a rotation the rest of the old file is read
  first, and then the new one from its beginning;
* where lines were lost, because a file was cut or has gone, that is said;
* no more than one piece is in memory; a longer line is passed over to its end, and nothing within
  it is ever taken for a line.

What it does not do: keep the position, or unpack a rotated file: rotate with ``delaycompress``.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

PIECE: Final = 256 * 1024
MOST_LINE: Final = 1024 * 1024
_HEAD: Final = 256

CUT: Final = "cut"
GONE: Final = "gone"


@dataclass(frozen=True, slots=True)
class Position:
    """Where in which file one stopped.

    Args:
        file_id: its device and inode.
        head: digest of its first octets as far as they were read: one that was cut and has grown
            again past the offset has another.
        in_line: the offset is within a line that is too long.
    """

    file_id: str
    offset: int = 0
    head: str = hashlib.sha256(b"").hexdigest()
    in_line: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """What was read.

    Args:
        lines: without their ends.
        position: after them; None while there has never been a file.
        too_long: lines that were passed over.
        note: ``CUT`` or ``GONE`` where lines before these may be lost.
        more: there is more to read now.
    """

    lines: tuple[bytes, ...]
    position: Position | None
    too_long: int = 0
    note: str | None = None
    more: bool = False


def read_piece(path: Path, position: Position | None, size: int = PIECE) -> Piece:
    """Read the next lines of a log.

    Raises:
        OSError: it cannot be read; a log that is not there yet is no error.
    """
    current = _opened(path)
    if current is None:
        # Between a rotation and the server's next line there may be no file of that name.
        rotated = None if position is None else _rotated(path, position)
        if rotated is None or position is None:
            return Piece((), position)
        with rotated:
            return _read(rotated, position, size)
    with current:
        return _read_current(path, current, position, size)


def _read_current(path: Path, current: BinaryIO, position: Position | None, size: int) -> Piece:
    anew = Position(_file_id(current))
    if position is None:
        return _read(current, anew, size)
    if anew.file_id == position.file_id:
        if _is_same(current, position):
            return _read(current, position, size)
        return replace(_read(current, anew, size), note=CUT)
    rotated = _rotated(path, position)
    if rotated is None:
        return replace(_read(current, anew, size), note=GONE)
    with rotated:
        rest = _read(rotated, position, size)
    if rest.position != position:
        return replace(rest, more=True)
    if _size(current) == 0:
        return rest  # its writer may not have noticed yet, and write on to the old one
    return _read(current, anew, size)


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _file_id(file: BinaryIO) -> str:
    found = os.fstat(file.fileno())
    return f"{found.st_dev}:{found.st_ino}"


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _head(file: BinaryIO, offset: int) -> str:
    file.seek(0)
    return hashlib.sha256(file.read(min(offset, _HEAD))).hexdigest()


def _is_same(file: BinaryIO, position: Position) -> bool:
    """Tell whether a file still begins as it did: an inode is soon given to another file."""
    return _size(file) >= position.offset and _head(file, position.offset) == position.head


def _rotated(path: Path, position: Position) -> BinaryIO | None:
    """Find what the log was renamed to: a file beside it that begins with its name."""
    device, _, inode = position.file_id.partition(":")
    try:
        beside = [entry for entry in os.scandir(path.parent) if entry.name.startswith(path.stem)]
    except OSError:
        return None
    for entry in beside:
        if str(entry.inode()) != inode or entry.name == path.name:
            continue
        file = _opened(Path(entry.path))
        if file is None:
            continue
        if _file_id(file) == f"{device}:{inode}" and _is_same(file, position):
            return file
        file.close()
    return None


def _read(file: BinaryIO, position: Position, size: int) -> Piece:
    file.seek(position.offset)
    data = file.read(size)
    end = data.rfind(b"\n") + 1
    if not end:
        if len(data) < size:
            return Piece((), position)  # the rest of the last line is still to come
        if position.in_line or size >= MOST_LINE:
            after = _after(file, position.offset + len(data), in_line=True)
            return Piece((), after, more=True)
        return _read(file, position, MOST_LINE)
    lines = data[:end].split(b"\n")[:-1]
    too_long = 0
    if position.in_line:
        lines, too_long = lines[1:], 1
    after = _after(file, position.offset + end, in_line=False)
    return Piece(tuple(lines), after, too_long, more=_size(file) > after.offset)


def _after(file: BinaryIO, offset: int, *, in_line: bool) -> Position:
    return Position(_file_id(file), offset, _head(file, offset), in_line)
