"""Take in bytes of a blob from an origin that nobody can fetch it from (PROTOCOL 2.6 "Push").

For nodes that nobody can reach: what their entries name would never come. So they post it, in
pieces, to the peers that hold these entries.

Invariants:
* only what a set of the poster itself names here is taken; whether that set waits in quarantine
  makes no difference and is not told. All else is the one 404, by the same statements;
* bytes go on where those that this poster gave end, or they are refused with that place
  (``E_GAP``). Until they are whole they lie apart from what others give of the same blob: so nobody
  spoils a list by posting into it, and nobody learns that another brought it (THREATS 46);
* every byte counts against the poster's limit of the day when it comes, whole or not: nobody fills
  this node's disk with beginnings.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from federation.errors import ChainBroken
from hub.errors import NotFound
from hub.node import Node
from hub.peers.incoming_blobs import (
    charge,
    credit,
    reject_blob,
    require_room,
    room_for,
    wrong_bytes,
)
from hub.storage.queries.blob_gifts import is_given, note_asked
from hub.storage.queries.blobs import (
    HELD,
    BlobRow,
    add_bytes,
    find_blob,
    restart_blob,
    take_posted,
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
        gave = is_given(tx, name, sender.node_id)
    if not is_named:
        raise NotFound("E_NOT_FOUND", "no set of this peer names such a blob")
    if blob is not None and blob.state == HELD and gave:
        return blob.held  # it did not hear that it gave it
    if not body or place.start + len(body) > place.size:
        raise WireFormatError("E_SCHEMA", "no bytes, or more than the blob has")
    now, apart = node.now(), _apart(name, sender)
    with node.database.write() as tx:
        want_blob(tx, apart, now)
        note_asked(tx, apart, sender.node_id, now)
        held = _begin(tx, apart, place)
        if held != place.start:
            raise _gap(held)
        left = place.size - place.start
        room = room_for(tx, node, sender.node_id, sender, now)
        require_room(tx, node, sender.node_id, left, room, now)
        add_bytes(tx, apart, place.start, body, sender=sender.node_id)
        charge(tx, node, sender.node_id, sender, len(body), now)
        # What nothing names is let go after an hour; this is named by its poster's next piece.
        update_blob(tx, apart, size=place.size, wanted_at=now)
        update_peer(tx, sender.node_id, pushed_at=now)
        whole = place.start + len(body) == place.size
        is_right = not whole or _judge(tx, apart, name, sender, now)
    if not is_right:
        raise wrong_bytes(sender.name)
    return place.start + len(body)


def _judge(tx: Transaction, apart: str, name: str, sender: PeerRow, now: datetime) -> bool:
    """Compare what was posted with the digest: it is the blob, or counts against its poster."""
    if take_posted(tx, apart, name, now):
        credit(tx, name, sender.node_id, sender.node_id, now)
        return True
    # Whether others look for it too makes no difference to what is noted.
    want_blob(tx, name, now)
    reject_blob(tx, name, sender, 0, now)
    return False


def _apart(sha256: str, sender: PeerRow) -> str:
    """Name the place where a poster's bytes lie until they are whole."""
    return hashlib.sha256(f"posted by {sender.node_id}: {sha256}".encode()).hexdigest()


def _begin(tx: Transaction, sha256: str, place: Place) -> int:
    """Find where the bytes that are here end; of another size they are no part of this blob."""
    blob: BlobRow | None = find_blob(tx, sha256)
    if blob is None:
        return 0
    if blob.held and blob.size not in (None, place.size):
        restart_blob(tx, sha256)
        return 0
    return blob.held


def _gap(expected: int) -> ChainBroken:
    return ChainBroken(
        "E_GAP",
        f"the bytes that are held end at {expected}",
        "Post the bytes from there on.",
        expected=expected,
    )
