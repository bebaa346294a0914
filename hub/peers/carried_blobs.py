"""Blobs that travel in a carried file, for entries in it that name them (issue 6 "domain sets").

Invariants:
* a file carries the blobs of the entries that it carries and no others, so whoever may read it may
  read them;
* a blob is taken when a set that is here by then names it, accepted or waiting: the file will not
  come again. It counts for the sets of those origins for which the file's maker may give it, also
  where it is here for another's (``blob_givers``). It is charged like one that was fetched, and
  its digest is compared; wrong bytes are dropped, counted against the file's maker, and the blob
  is asked of peers like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from federation.delivery.carried_file import blob_line
from hub.node import Node
from hub.peers.blob_givers import apart, is_settled, may_give_for
from hub.peers.carried import CarriedFile, CarriedWriter
from hub.peers.incoming_blobs import End, credit, end_blob, require_room, room_for, wrong_bytes
from hub.storage.queries.blob_gifts import note_asked
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
from hub.storage.queries.named_blobs import blobs_named_in, origins_of
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
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
            origins = _given_to(tx, node, sender, sha256)
        if not origins:
            continue
        try:
            _take(node, sender, file, sha256, origins)
            taken += 1
        except TocsinError as error:
            errors.append(error.code)
    return ListsTaken(taken, len(errors), errors[0] if errors else None)


def _given_to(tx: Transaction, node: Node, sender: PeerRow, sha256: str) -> tuple[NodeId, ...]:
    """List for whose sets a file's maker gives a blob that they have not been given."""
    return tuple(
        origin
        for origin in origins_of(tx, sha256)
        if not is_settled(tx, node, sha256, origin)
        and (origin == node.node_id or sender.node_id in may_give_for(tx, sha256, origin))
    )


def _take(
    node: Node, sender: PeerRow, file: CarriedFile, sha256: str, origins: tuple[NodeId, ...]
) -> None:
    """Take in one blob.

    Raises:
        SignatureRejected: ``E_BLOB_DIGEST``.
        RateLimited, Conflict, WireFormatError: there is no room for it.
    """
    now, at, origin = node.now(), 0, origins[0]
    with node.database.write(durable=False) as tx:
        blob = find_blob(tx, sha256)
        is_here = blob is not None and blob.state == HELD
        place = apart(sha256, origin) if is_here else sha256
        want_blob(tx, place, now)
        note_asked(tx, place, origin, now)
        restart_blob(tx, place)  # what a line brought of it is in the file too
        room = room_for(tx, node, origin, sender, now)
    for data in file.parts_of(sha256):
        if at + len(data) > MAX_BYTES:
            raise WireFormatError("E_TOO_BIG", f"a blob has at most {MAX_BYTES} bytes")
        with node.database.write(durable=False) as tx:
            require_room(tx, node, origin, len(data), room - at, now)
            if not add_bytes(tx, place, at, data, sender=sender.node_id):
                return  # it came over the wire meanwhile
        at += len(data)
    with node.database.write() as tx:
        end = end_blob(tx, node, sha256, origin, sender, place=place)
        for other in origins[1:] if end is End.HELD else ():
            credit(tx, sha256, other, sender.node_id, now)
    if end is not End.HELD:
        raise wrong_bytes(sender.name)
