"""Files of carried feeds on the disk: written line by line, and read like a peer.

Each line is a gzip member of its own, so that a file is gzip to every tool, a page can be found
again without unpacking those before it, and no more than one line is ever in memory.

Invariants:
* a file appears under its name when it is whole, and is for its owner's eyes alone (0600);
* a line unpacks to at most one page, and grows at most 20 times (PROTOCOL 4.7): what packs better
  is stored unpacked by the writer and refused from others;
* the whole file is read and its signed end checked before anything of it is taken, and a line
  that reads otherwise the second time is refused;
* a page is read as if it had been answered just now (``read_page``), with the day on which the
  sender signed the file in the place of our clock for the relay heads in it.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

from federation.delivery.carried_file import (
    MAX_LINE,
    Carriage,
    CarriedAcks,
    CarriedDocument,
    CarriedEnd,
    CarriedPage,
    not_carried,
    read_begin,
    read_line,
)
from federation.errors import PeerState
from federation.identity.node_document import read_node_document
from federation.transport.peer_answers import FeedPage, read_objects, read_page
from federation.transport.peer_client import MAX_PAGE
from hub.errors import Conflict
from hub.exchange.serve_feeds import MOST_LISTED
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, NodeId
from schemas.strict_json import MAX_BODY_BYTES, write_json

MOST_LINES: Final = 200_000
MOST_BYTES: Final = 32 * 1024**3
"""Of all lines unpacked: some hundred million objects."""
MAX_RATIO: Final = 20
_GRACE: Final = 65_536
"""Bytes that a line may have whatever its ratio: the first of them pack best."""
_LEVEL: Final = 6
_GZIP: Final = 31
"""zlib's ``wbits`` for one gzip member; its header names no time and no file."""
_CHUNK: Final = 65_536


class CarriedWriter:
    """Writes the lines of one file."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.lines = 0

    @property
    def digest(self) -> str:
        """SHA-256 in hex of the lines so far."""
        return self._digest.hexdigest()

    def write(self, line: bytes) -> None:
        """Write one line; it must hold no line feed."""
        whole = line + b"\n"
        self._digest.update(whole)
        self.lines += 1
        packed = _pack(whole, _LEVEL)
        if len(whole) > max(_GRACE, MAX_RATIO * len(packed)):
            packed = _pack(whole, 0)  # its reader would take it for a bomb
        self._stream.write(packed)


@contextmanager
def new_file(path: Path) -> Iterator[CarriedWriter]:
    """Open a file that appears under its name when the block ends without an error.

    Raises:
        Conflict: ``E_FILE_EXISTS``.
        OSError: it cannot be written.
    """
    if path.exists():
        raise Conflict("E_FILE_EXISTS", f"{path} is there already", "Give the name of a new file.")
    # Beside it, since a rename does not cross devices; sticks have no hard links.
    partial = path.with_name(f".{path.name}.part")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield CarriedWriter(stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a line stands, and what it is."""

    offset: int
    digest: bytes


@dataclass(slots=True)
class CarriedFile:
    """A file whose lines were read once; a ``FeedSource`` as long as it is open.

    Attributes:
        carriage: who made it for whom, as the first line says.
        end: its signed end, which the caller checks.
        lines: how many lines stand before the end.
        digest: SHA-256 in hex of them.
    """

    stream: IO[bytes]
    carriage: Carriage
    end: CarriedEnd
    lines: int
    digest: str
    _documents: dict[NodeId, list[_Place]] = field(default_factory=dict)
    _pages: dict[FeedName, list[_Place]] = field(default_factory=dict)
    _last_seqs: dict[FeedName, list[int]] = field(default_factory=dict)
    _acks: list[_Place] = field(default_factory=list)

    @property
    def feeds(self) -> tuple[FeedName, ...]:
        """The feeds of which the file has a page."""
        return tuple(self._pages)

    def collections(self) -> list[dict[str, Any]]:
        """List the feeds as the sender's listing would."""
        return [
            {"id": feed.collection_id, "can_read": True, "x_tocsin_feed": str(feed)}
            for feed in self._pages
        ]

    def heads(self, feed: FeedName | None = None) -> list[dict[str, Any]]:
        """Name no heads: every feed has its own beside its last page, which is read anyway."""
        del feed
        return []

    def node_documents_chain(
        self,
        node_id: NodeId | None = None,
        *,
        max_bytes: int = MAX_BODY_BYTES,
        is_late: Callable[[], bool] = lambda: False,
    ) -> list[dict[str, Any]]:
        """Read all documents of a node that the file has; nothing of them is verified."""
        del is_late
        documents, size = [], 0
        for place in self._documents.get(node_id or self.carriage.sender, ()):
            found = self._read_again(place)
            if isinstance(found, CarriedDocument):
                documents.append(found.dsse)
                size += len(write_json(found.dsse))
            if size > max_bytes:
                raise WireFormatError("E_TOO_BIG", f"node documents of over {max_bytes} bytes")
        if not documents:
            raise PeerState("E_NOT_FOUND", "the file has no documents of that node")
        return documents

    def page(self, feed: FeedName, after_seq: int, limit: int = MAX_PAGE) -> FeedPage:
        """Read the page that goes on after ``after_seq``; the last one when none does."""
        del limit
        places = self._pages.get(feed)
        if not places:
            raise PeerState("E_NOT_FOUND", "the file has nothing of this feed")
        number = min(bisect_right(self._last_seqs[feed], after_seq), len(places) - 1)
        found = self._read_again(places[number])
        if not isinstance(found, CarriedPage):
            raise not_carried("it changed while it was read")
        rest = [o for o in read_objects(found.page, "objects") if not _is_passed(o, after_seq)]
        page = {**found.page, "objects": rest}
        read = read_page(page, feed=feed, after_seq=after_seq, limit=MAX_PAGE)
        return replace(read, made_at=self.carriage.made_at)

    def acks(self) -> Iterator[list[object]]:
        """Read what the sender confirms, list by list; nothing of it is verified."""
        for place in self._acks:
            found = self._read_again(place)
            if isinstance(found, CarriedAcks):
                yield found.values

    def _read_again(self, place: _Place) -> object:
        self.stream.seek(place.offset)
        line, _, _ = _next_line(self.stream)
        if hashlib.sha256(line).digest() != place.digest:
            raise not_carried("it changed while it was read")
        return read_line(line)


@contextmanager
def open_carried(
    path: Path, check_begin: Callable[[Carriage], None] = lambda _carriage: None
) -> Iterator[CarriedFile]:
    """Read a whole file once, and keep it open to be read like a peer.

    Args:
        check_begin: sees who made the file for whom before the rest is read; it may refuse.

    Raises:
        WireFormatError: ``E_CARRIED_FILE``, ``E_TOO_BIG``, or what is wrong with a line.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        yield _survey(stream, check_begin)


def _survey(stream: IO[bytes], check_begin: Callable[[Carriage], None]) -> CarriedFile:
    whole, count, size, offset = hashlib.sha256(), 0, 0, 0
    documents: dict[NodeId, list[_Place]] = defaultdict(list)
    pages: dict[FeedName, list[_Place]] = defaultdict(list)
    last_seqs: dict[FeedName, list[int]] = defaultdict(list)
    acks: list[_Place] = []
    carriage: Carriage | None = None
    while True:
        line, following, at_end = _next_line(stream, offset)
        size += len(line)
        if count >= MOST_LINES or size > MOST_BYTES:
            raise WireFormatError("E_TOO_BIG", "more lines than one file may carry")
        if carriage is None:
            carriage = read_begin(line)
            check_begin(carriage)
        else:
            found = read_line(line)
            place = _Place(offset, hashlib.sha256(line).digest())
            if isinstance(found, CarriedEnd):
                if not at_end:
                    raise not_carried("lines follow its end")
                return CarriedFile(
                    stream, carriage, found, count, whole.hexdigest(), dict(documents),
                    dict(pages), dict(last_seqs), acks,
                )  # fmt: skip
            if isinstance(found, CarriedAcks):
                acks.append(place)
            elif isinstance(found, CarriedDocument):
                documents[read_node_document(found.dsse).node_id].append(place)
            elif isinstance(found, CarriedPage):
                if len(pages) >= MOST_LISTED and found.feed not in pages:
                    raise WireFormatError("E_TOO_BIG", "more feeds than one file may carry")
                before = last_seqs[found.feed][-1] if last_seqs[found.feed] else 0
                last_seqs[found.feed].append(_last_seq(found, before))
                pages[found.feed].append(place)
        if at_end:
            raise not_carried("it is cut off")
        whole.update(line)
        count += 1
        offset = following


def _next_line(stream: IO[bytes], offset: int | None = None) -> tuple[bytes, int, bool]:
    """Unpack the member at an offset.

    Returns:
        The line with its line feed, the offset behind it, and whether the file ends there.
    """
    start = stream.tell() if offset is None else offset
    stream.seek(start)
    unpacking = zlib.decompressobj(wbits=_GZIP)
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
    following = start + taken
    stream.seek(following)
    return bytes(line), following, not stream.read(1)


def _check_size(unpacked: int, packed: int) -> None:
    if unpacked > MAX_LINE or unpacked > max(_GRACE, MAX_RATIO * packed):
        raise WireFormatError(
            "E_TOO_BIG", f"a line is over {MAX_LINE} bytes, or grows over {MAX_RATIO} times"
        )


def _last_seq(carried: CarriedPage, before: int) -> int:
    """Read a page's last seq as it says itself; the reader of the chain recomputes it."""
    objects = read_objects(carried.page, "objects")
    stated = objects[-1].get("seq") if objects else before
    if isinstance(stated, bool) or not isinstance(stated, int) or stated < before:
        raise not_carried("the pages of a feed are not in their order")
    return stated


def _is_passed(value: dict[str, Any], after_seq: int) -> bool:
    seq = value.get("seq")
    return isinstance(seq, int) and seq <= after_seq


def _pack(data: bytes, level: int) -> bytes:
    packer = zlib.compressobj(level, wbits=_GZIP)
    return packer.compress(data) + packer.flush()
