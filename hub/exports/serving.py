"""What a token fetches below ``/feeds/``: which export, and whether it may (PROTOCOL 3.2).

Decides by the decision table which audience's exports a reader may have.

Invariants:
* a reader gets an audience's export when the table lets it read that audience's strictest label;
  whatever else it asks for is not there, with the same 404;
* a constituent with zones gets, as one of the constituents, the AMBER that touches them beside;
* a content is rendered when it is asked for the first time, and kept current by the worker from
  then on: a request renders nothing that is there already.

What it does not do: HTTP (``hub.api.feeds``).
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

from federation.errors import SharingRefused
from federation.policy.sharing import decide_reader
from hub.errors import NotFound
from hub.exports.export_key import ExportKey
from hub.exports.formats import FORMATS, Format
from hub.exports.keep_current import KEPT
from hub.exports.kept_files import PACKED, locked, write_whole
from hub.exports.publication import current_files, folder_of, render_export
from hub.exports.rendered import Content
from hub.exports.rpz_policy import PASSTHRU
from hub.node import Node
from hub.operators.readers import Reader
from hub.storage.queries import exports as stored
from hub.verdicts.blocklist import AUDIENCES
from schemas.errors import WireFormatError
from schemas.markings import Tlp

CONSTITUENTS: Final = "constituents"
_ASKED_EVERY: Final = timedelta(hours=1)
_BEHIND: Final = timedelta(minutes=5)
"""What changed and is older than this is rendered in the request: the worker would have."""
_MEDIA_TYPES: Final = {".json": "application/json", ".rules": "text/plain; charset=utf-8"}
_AT_ONCE: Final = 1 << 18
_GZIP: Final = 31
_LEVEL: Final = 6


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file as it is served.

    Args:
        stream: the open file, so that it is read to its end whatever takes its place meanwhile;
            who has it closes it.
        tag: equal as long as its bytes are.
        changed_at: when the content of the whole export last changed.
        packed: whether the file is there with gzip.
    """

    stream: BinaryIO
    tag: str
    changed_at: datetime
    media_type: str
    packed: bool

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return os.fstat(self.stream.fileno()).st_size

    def close(self) -> None:
        """Close the file unread."""
        self.stream.close()

    def chunks(self) -> Iterator[bytes]:
        """Read the file, and close it."""
        with self.stream as stream:
            while chunk := stream.read(_AT_ONCE):
                yield chunk


def open_feed(node: Node, reader: Reader, address: str, *, packed: bool = False) -> ServedFile:
    """Find the file of an address below ``/feeds/``.

    Args:
        address: ``rpz/organisation.zone``, ``rpz/organisation/dga.zone``,
            ``misp/organisation/manifest.json``.
        packed: with gzip.

    Raises:
        NotFound: ``E_NOT_FOUND`` for whatever is not there, or not for this reader.
    """
    try:
        return _opened(node, reader, address, packed=packed)
    except FileNotFoundError:
        # Two renderings came between looking and opening; the newest content is there by now.
        return _opened(node, reader, address, packed=packed)


def _opened(node: Node, reader: Reader, address: str, *, packed: bool) -> ServedFile:
    # (1) What is asked for, and (2) whether it is for this reader: no look at the store yet, so
    #     that what is not there and what is not for the reader cost the same.
    key, file = _read_address(address)
    key = _for_reader(reader, key)
    # (3) The content, as it is kept.
    content = _current(node, key)
    made_format = FORMATS[key.format]
    file = file or next(iter(content.files), "")
    if file not in content.files:
        raise _absent()
    place = content.folder / file
    media_type = made_format.media_type
    if made_format.is_tree:
        media_type = _MEDIA_TYPES.get(place.suffix, "application/octet-stream")
    if packed:
        place = _packed(node, key, content, file)
    tag = f"{content.content}-gzip" if packed else content.content
    return ServedFile(place.open("rb"), tag, content.changed_at, media_type, packed)


def _read_address(address: str) -> tuple[ExportKey, str]:
    """Read which export and which of its files; "" for the one of a format of one file."""
    format_name, _, rest = address.partition("/")
    made_format = FORMATS.get(format_name)
    if made_format is None:
        raise _absent()
    audience, slash, file = rest.partition("/")
    feed = ""
    if not made_format.is_tree:
        if slash:
            feed = _without_suffix(file, made_format)
            if not feed:
                raise _absent()
        else:
            audience = _without_suffix(audience, made_format)
        file = ""
    elif not file:
        raise _absent()
    key = ExportKey(format_name, audience, feed=feed)
    try:
        key.check()
    except WireFormatError:
        raise _absent() from None
    return key, file


def _without_suffix(text: str, made_format: Format) -> str:
    if not text.endswith(f".{made_format.suffix}"):
        raise _absent()
    return text.removesuffix(f".{made_format.suffix}")


def _for_reader(reader: Reader, key: ExportKey) -> ExportKey:
    """Narrow an export to what this reader may have of it.

    Raises:
        NotFound: ``E_NOT_FOUND`` where that is nothing.
    """
    label = AUDIENCES.get(key.audience)
    standing = reader.standing
    if label is None or not _may_read(reader, label):
        raise _absent()
    if key.feed == PASSTHRU and standing.kind != "own":
        raise _absent()
    touches = standing.kind == "constituent" and standing.zones and standing.max_tlp >= Tlp.AMBER
    if key.audience == CONSTITUENTS and touches:
        return replace(key, constituent=reader.name)
    return key


def _may_read(reader: Reader, label: Tlp) -> bool:
    # An audience's export holds everything up to its label: whoever may not read a verdict of that
    # label may not have it. RED is in none, so `machine` decides nothing here.
    return decide_reader(
        label, reader=reader.standing, machine=False, touches=False, collection="verdicts"
    ).allowed


def _current(node: Node, key: ExportKey) -> Content:
    now = node.now()
    with node.database.read() as tx:
        row = stored.find_rendering(tx, key.format, key.audience, key.constituent, key.variant)
    asked_at = None if row is None else row.asked_at
    # What somebody fetched of late is the worker's to keep; what nobody did may be old. Where the
    # worker is behind for minutes, what was withdrawn meanwhile is not served on.
    is_kept = (
        row is not None
        and row.asked_at is not None
        and now - row.asked_at < KEPT
        and now - row.exported_at < _BEHIND
    )
    content = current_files(node, key, whatever=is_kept)
    if content is None:
        # Where it jumps the alarm is raised, and the last good one is served.
        with contextlib.suppress(SharingRefused):
            render_export(node, key, actor="feeds")
        content = current_files(node, key, whatever=True)
    if content is None:
        raise _absent()
    if asked_at is None or now - asked_at >= _ASKED_EVERY:
        with node.database.write(durable=False) as tx:
            stored.note_asked(tx, key.format, key.audience, key.constituent, key.variant, now)
    return content


def _packed(node: Node, key: ExportKey, content: Content, file: str) -> Path:
    """Find a file with gzip; made once, by whoever asks first."""
    place = content.folder.parent / PACKED / f"{file}.gz"
    if place.exists():
        return place
    with locked(folder_of(node, key)):
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, _gzip(content.folder / file))
    return place


def _gzip(file: Path) -> Iterator[bytes]:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    with file.open("rb") as stream:
        while chunk := stream.read(_AT_ONCE):
            yield packer.compress(chunk)
    yield packer.flush()


def _absent() -> NotFound:
    return NotFound("E_NOT_FOUND", "no such address")
