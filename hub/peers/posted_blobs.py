"""Take in bytes of a blob from an origin that nobody can fetch it from (PROTOCOL 2.6 "Push").

For nodes that nobody can reach: what their entries name would never come. So they post it, in
pieces, to the peers that hold these entries.

Invariants:
* only what a set of the poster itself names here is taken; whether that set waits in quarantine
  makes no difference and is not told. All else is the one 404, by the same statements;
* bytes go on where those that are held end, or they are refused with that place (``E_GAP``);
* every byte counts against the poster's limit of the day when it comes, whole or not: nobody fills
  this node's disk with beginnings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from federation.errors import ChainBroken
from hub.errors import NotFound
from hub.node import Node
from hub.peers.incoming_blobs import (
    End,
    charge,
    end_blob,
    require_room,
    room_for,
    wrong_bytes,
)
from hub.storage.queries.blobs import (
    HELD,
    BlobRow,
    add_bytes,
    find_blob,
    restart_blob,
    update_blob,
    want_blob,
)
from hub.storage.queries.named_blobs import is_named_by
from hub.storage.queries.peers import PeerRow, update_peer
from hub.storage.transaction import Transaction
from schemas.dns.domain_sets import MAX_BYTES
from schemas.errors import WireFormatError

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_NO_BLOB: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Place:
    """Where posted bytes belong: from ``start`` on, in a blob of ``size``."""

    start: int
    size: int


def read_place(parameters: Iterable[tuple[str, str]]) -> Place:
    """Read ``start`` and ``size``, once each and no other.

    Raises:
        WireFormatError: ``E_SCHEMA``; ``E_TOO_BIG`` for a blob over 16 MiB.
    """
    given = list(parameters)
    values = dict(given)
    if len(given) != len(values) or values.keys() != {"start", "size"}:
        raise WireFormatError("E_SCHEMA", "a blob is posted with start and size, once each")
    if not all(_NUMBER.fullmatch(text) for text in values.values()):
        raise WireFormatError("E_SCHEMA", "start and size are numbers of bytes")
    place = Place(int(values["start"]), int(values["size"]))
    if place.size > MAX_BYTES:
        raise WireFormatError("E_TOO_BIG", f"a blob has at most {MAX_BYTES} bytes")
    return place


def accept_bytes(node: Node, sender: PeerRow, sha256: str, place: Place, body: bytes) -> int:
    """Take in bytes of a blob; return how many of it are here now.

    Raises:
        NotFound: ``E_NOT_FOUND``: no set of the sender names it here.
        ChainBroken: ``E_GAP`` with ``expected``, where the bytes that are here end.
        SignatureRejected: ``E_BLOB_DIGEST``: all bytes came, and they are not it.
        RateLimited, Conflict: ``E_QUOTA`` and ``E_BLOB_STORE``.
        WireFormatError: ``E_SCHEMA`` for no bytes, or for more than the blob has.
    """
    name = sha256 if _DIGEST.fullmatch(sha256) else _NO_BLOB
    with node.database.read() as tx:
        blob = find_blob(tx, name)
        is_named = is_named_by(tx, name, sender.node_id)
    if not is_named:
        raise NotFound("E_NOT_FOUND", "no set of this peer names such a blob")
    if blob is not None and blob.state == HELD:
        return blob.held
    if not body or place.start + len(body) > place.size:
        raise WireFormatError("E_SCHEMA", "no bytes, or more than the blob has")
    now = node.now()
    with node.database.write() as tx:
        want_blob(tx, name, now)
        held = _begin(tx, name, place)
        if held != place.start:
            raise _gap(held)
        left = place.size - place.start
        require_room(tx, node, left, room_for(tx, node, sender.node_id, sender, now), now)
        add_bytes(tx, name, place.start, body, sender=sender.node_id)
        charge(tx, node, sender.node_id, sender, len(body), now)
        update_blob(tx, name, size=place.size)
        update_peer(tx, sender.node_id, pushed_at=now)
        whole = place.start + len(body) == place.size
        end = _end(tx, node, name, sender) if whole else None
    if end is End.MIXED:
        raise _gap(0)
    if end is End.WRONG:
        raise wrong_bytes(sender.name)
    return place.start + len(body)


def _begin(tx: Transaction, sha256: str, place: Place) -> int:
    """Find where the bytes that are here end; of another size they are no part of this blob."""
    blob: BlobRow | None = find_blob(tx, sha256)
    if blob is None:
        return 0
    if blob.held and blob.size not in (None, place.size):
        restart_blob(tx, sha256)
        return 0
    return blob.held


def _end(tx: Transaction, node: Node, sha256: str, sender: PeerRow) -> End:
    return end_blob(tx, node, sha256, sender.node_id, sender, charged=True)


def _gap(expected: int) -> ChainBroken:
    return ChainBroken(
        "E_GAP",
        f"the bytes that are held end at {expected}",
        "Post the bytes from there on.",
        expected=expected,
    )
