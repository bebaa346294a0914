"""Files of carried feeds on the disk: written line by line, and read like a peer.

Each line is a gzip member of its own, so that a file is gzip to every tool, a page can be found
again without unpacking those before it, and no more than one line is ever in memory.

Invariants:
* a file appears under its name when it is whole, and is for its owner's eyes alone (0600);
* a line unpacks to at most one page, and grows at most 20 times (PROTOCOL 4.7): what packs better
  is stored unpacked by the writer and refused from others;
* the end is read first, from the end of the file: a file that is cut off, or that the peer did not
  sign, is refused before anything between is looked at, however large it is;
* then all lines are unpacked once to compare their digest with the signed one, and only what is
  whole is parsed, line by line; nothing is taken before. A line that reads otherwise the second
  time is refused. What is kept of a line meanwhile is its place and digest, 40 bytes;
* the one exception is an end under a key that the file itself brings: then the documents of its
  sender are read before, which prove themselves, and no further than documents stand in a row;
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
    Carriage,
    CarriedAcks,
    CarriedBlob,
    CarriedDocument,
    CarriedEnd,
    CarriedPage,
    Line,
    SignedExtent,
    not_carried,
    read_begin,
    read_line,
    require_whole,
)
from federation.errors import PeerState
from federation.identity.node_document import read_node_document
from federation.transport.peer_answers import FeedPage, read_objects, read_page
from federation.transport.peer_client import MAX_CHAIN, MAX_PAGE
from hub.errors import Conflict
from hub.exchange.serve_feeds import MOST_LISTED
from hub.peers.carried_lines import GRACE, GZIP, MAX_RATIO, LinePlaces, next_line
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, NodeId
from schemas.strict_json import MAX_BODY_BYTES, write_json

MOST_LINES: Final = 200_000
MOST_BYTES: Final = 32 * 1024**3
"""Of all lines unpacked: some hundred million objects."""
_LEVEL: Final = 6
_MEMBER: Final = b"\x1f\x8b\x08"
"""How a gzip member begins."""
_LONGEST_END: Final = 16_384
_MOST_TRIED: Final = 256


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
        if len(whole) > max(GRACE, MAX_RATIO * len(packed)):
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


@dataclass(slots=True)
class CarriedFile:
    """A file whose first and last lines were read; once surveyed, a ``FeedSource``.

    Attributes:
        carriage: who made it for whom, as the first line says.
        end: its signed end, which the caller verifies before the survey.
    """

    stream: IO[bytes]
    carriage: Carriage
    end: CarriedEnd
    _end_at: int
    _places: LinePlaces = field(default_factory=LinePlaces)
    _documents: dict[NodeId, list[int]] = field(default_factory=lambda: defaultdict(list))
    _pages: dict[FeedName, list[int]] = field(default_factory=lambda: defaultdict(list))
    _last_seqs: dict[FeedName, list[int]] = field(default_factory=lambda: defaultdict(list))
    _acks: list[int] = field(default_factory=list)
    _blobs: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def survey(self, signed: SignedExtent) -> None:
        """Compare all lines with what the sender signed, then find what is in which.

        Raises:
            WireFormatError: ``E_CARRIED_FILE``, ``E_TOO_BIG``, or what is wrong with a line.
        """
        self._compare(signed)
        for number in range(1, len(self._places)):
            self._enter(number, read_line(self._places.read(self.stream, number)))

    def _compare(self, signed: SignedExtent) -> None:
        whole, size, offset = hashlib.sha256(), 0, 0
        while offset < self._end_at:
            # Whatever comes, no more is unpacked than was signed, and than one file may carry.
            if len(self._places) >= signed.lines:
                raise not_carried("lines were added to it")
            if len(self._places) >= MOST_LINES or size > MOST_BYTES:
                raise WireFormatError("E_TOO_BIG", "more lines than one file may carry")
            line, following = next_line(self.stream, offset)
            whole.update(line)
            size += len(line)
            self._places.add(offset, line)
            offset = following
        if offset != self._end_at:
            raise not_carried("its lines do not meet its end")
        require_whole(signed, lines=len(self._places), digest=whole.hexdigest())

    def _enter(self, number: int, found: Line) -> None:
        if isinstance(found, CarriedEnd):
            raise not_carried("lines follow its end")
        if isinstance(found, CarriedAcks):
            self._acks.append(number)
        elif isinstance(found, CarriedBlob):
            if found.part != len(self._blobs[found.sha256]):
                raise not_carried("the parts of a blob are not in their order")
            self._blobs[found.sha256].append(number)
        elif isinstance(found, CarriedDocument):
            self._documents[read_node_document(found.dsse).node_id].append(number)
        elif isinstance(found, CarriedPage):
            if len(self._pages) >= MOST_LISTED and found.feed not in self._pages:
                raise WireFormatError("E_TOO_BIG", "more feeds than one file may carry")
            seqs = self._last_seqs[found.feed]
            seqs.append(_last_seq(found, seqs[-1] if seqs else 0))
            self._pages[found.feed].append(number)

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
        wanted = node_id or self.carriage.sender
        every = self._documents_of(wanted) if self._places else self._documents_ahead(wanted)
        documents, size = [], 0
        for dsse in every:
            documents.append(dsse)
            size += len(write_json(dsse))
            if size > max_bytes:
                raise WireFormatError("E_TOO_BIG", f"node documents of over {max_bytes} bytes")
        if not documents:
            raise PeerState("E_NOT_FOUND", "the file has no documents of that node")
        return documents

    def _documents_of(self, node_id: NodeId) -> Iterator[dict[str, Any]]:
        for number in self._documents.get(node_id, ()):
            found = self._read_again(number)
            if isinstance(found, CarriedDocument):
                yield found.dsse

    def _documents_ahead(self, node_id: NodeId) -> Iterator[dict[str, Any]]:
        """Read the documents behind the first line, before it is known that the file is whole."""
        _, offset = next_line(self.stream, 0)
        for _ in range(MAX_CHAIN):
            if offset >= self._end_at:
                return
            line, offset = next_line(self.stream, offset)
            # A line that is no document may have four megabytes; it is told by how it begins.
            found = read_line(line) if line.startswith(b'{"node":') else None
            if not isinstance(found, CarriedDocument):
                return
            if read_node_document(found.dsse).node_id == node_id:
                yield found.dsse

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
        for number in self._acks:
            found = self._read_again(number)
            if isinstance(found, CarriedAcks):
                yield found.values

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of the blobs of which the file has bytes."""
        return tuple(self._blobs)

    def parts_of(self, sha256: str) -> Iterator[bytes]:
        """Read the bytes of a blob, part by part; nothing of them is compared."""
        for number in self._blobs.get(sha256, ()):
            found = self._read_again(number)
            if isinstance(found, CarriedBlob):
                yield found.data

    def _read_again(self, number: int) -> Line:
        return read_line(self._places.read(self.stream, number))


@contextmanager
def open_carried(
    path: Path, check_begin: Callable[[Carriage], None] = lambda _carriage: None
) -> Iterator[CarriedFile]:
    """Read the first and the last line of a file, and keep it open to be read like a peer.

    Args:
        check_begin: sees who made the file for whom before the rest is read; it may refuse.

    Raises:
        WireFormatError: ``E_CARRIED_FILE``, ``E_TOO_BIG``, or what is wrong with a line.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        carriage = read_begin(next_line(stream, 0)[0])
        check_begin(carriage)
        end, end_at = _find_end(stream)
        yield CarriedFile(stream, carriage, end, end_at)


def _find_end(stream: IO[bytes]) -> tuple[CarriedEnd, int]:
    """Read the last line from the end of the file, and where it begins.

    A gzip member does not say where it begins, so it is looked for: it is one that unpacks to the
    very end of the file. Should packed data hold bytes that look so, the lines before do not meet
    it and the file is refused, which nobody but its maker can bring about.
    """
    size = stream.seek(0, os.SEEK_END)
    begin = max(0, size - _LONGEST_END)
    stream.seek(begin)
    tail = stream.read(_LONGEST_END)
    at = len(tail)
    for _ in range(_MOST_TRIED):
        at = tail.rfind(_MEMBER, 0, at)
        if at < 0:
            break
        unpacking = zlib.decompressobj(wbits=GZIP)
        try:
            line = unpacking.decompress(tail[at:], _LONGEST_END)
        except zlib.error:
            continue
        if unpacking.eof and not unpacking.unused_data and line.count(b"\n") == 1:
            found = read_line(line)
            if isinstance(found, CarriedEnd):
                return found, begin + at
            break
    raise not_carried("it is cut off")


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
    packer = zlib.compressobj(level, wbits=GZIP)
    return packer.compress(data) + packer.flush()
