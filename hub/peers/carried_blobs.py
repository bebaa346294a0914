"""Blobs that travel in a carried file, for entries in it that name them (issue 6 "domain sets").

Invariants:
* a file carries the blobs of the entries that it carries and no others, so whoever may read it may
  read them;
* a blob is taken when a set that is here by then names it, accepted or waiting: the file will not
  come again. It counts like one that was fetched, and its digest is compared; wrong bytes are
  dropped, counted against the file's maker, and the blob is asked of peers like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from federation.delivery.carried_file import blob_line
from hub.node import Node
from hub.peers.carried import CarriedFile, CarriedWriter
from hub.peers.incoming_blobs import End, end_blob, require_room, room_for, wrong_bytes
from hub.storage.queries.blobs import (
    HELD,
    PART,
    add_bytes,
    blob_range,
    find_blob,
    restart_blob,
    want_blob,
)
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.named_blobs import blobs_named_in, origin_of
from hub.storage.queries.peers import PeerRow
from schemas.dns.domain_sets import MAX_BYTES
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import FeedName, NodeId


@dataclass(frozen=True, slots=True)
class ListsTaken:
    """What became of the blobs of a file.

    Args:
        taken: how many came in whole and right.
        refused: how many did not; ``error`` is the code of the first.
    """

    taken: int = 0
    refused: int = 0
    error: str | None = None


def write_blobs(node: Node, writer: CarriedWriter, carried: Sequence[tuple[str, int, int]]) -> None:
    """Write the blobs that entries name.

    Args:
        carried: feeds, each with the places after and up to which its entries are in the file.
    """
    named: dict[str, None] = {}
    with node.database.read() as tx:
        for feed, after, last in carried:
            row = find_feed(tx, FeedName.read(feed))
            if row is not None:
                named |= dict.fromkeys(blobs_named_in(tx, row.feed_row, after, last))
    for sha256 in named:
        part = 0
        while True:
            with node.database.read() as tx:
                data = blob_range(tx, sha256, part * PART, PART)
            if not data:
                break
            writer.write(blob_line(sha256, part, data))
            part += 1


def take_blobs(node: Node, sender: PeerRow, file: CarriedFile) -> ListsTaken:
    """Take in the blobs of a file that are wanted and not here; what goes wrong stops no other."""
    taken, errors = 0, []
    for sha256 in file.blobs:
        with node.database.read() as tx:
            blob, origin = find_blob(tx, sha256), origin_of(tx, sha256)
        if origin is None or (blob is not None and blob.state == HELD):
            continue
        try:
            _take(node, sender, file, sha256, origin)
            taken += 1
        except TocsinError as error:
            errors.append(error.code)
    return ListsTaken(taken, len(errors), errors[0] if errors else None)


def _take(node: Node, sender: PeerRow, file: CarriedFile, sha256: str, origin: NodeId) -> None:
    """Take in one blob.

    Raises:
        SignatureRejected: ``E_BLOB_DIGEST``.
        RateLimited, Conflict, WireFormatError: there is no room for it.
    """
    now, at = node.now(), 0
    with node.database.write(durable=False) as tx:
        want_blob(tx, sha256, now)
        restart_blob(tx, sha256)  # what a line brought of it is in the file too
        room = room_for(tx, node, origin, sender, now)
    for data in file.parts_of(sha256):
        if at + len(data) > MAX_BYTES:
            raise WireFormatError("E_TOO_BIG", f"a blob has at most {MAX_BYTES} bytes")
        with node.database.write(durable=False) as tx:
            require_room(tx, node, at + len(data), room, now)
            if not add_bytes(tx, sha256, at, data, sender=sender.node_id):
                return  # it came over the wire meanwhile
        at += len(data)
    with node.database.write() as tx:
        end = end_blob(tx, node, sha256, origin, sender, charged=False)
    if end is not End.HELD:
        raise wrong_bytes(sender.name)
