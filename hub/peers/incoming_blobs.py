"""Bytes of blobs that come in, by whichever way: what room there is, and whether they are right.

Three ways bring them: fetched by their digest (``fetch_blobs``), posted by an origin that nobody
can reach (``posted_blobs``), carried in a file (``carried_blobs``).

Invariants (THREATS 31, 36):
* a blob counts against the daily limit of its origin as if it were objects (4 KiB each), and one
  whose origin is no peer against its sender's too; wrong bytes count against who sent them alone,
  so that nobody uses up an honest origin's limit;
* all blobs together have at most ``blob_store_mib``, those of one other origin a quarter of it, so
  that none fills it for all; beyond it nothing more is fetched, and an alarm says so;
* what was given counts for the sets of the origin for which it was asked, and for no other's;
* bytes that are not what their name says are dropped whole. Whoever gave all of them is charged
  with it as with a signature that does not hold (PROTOCOL 4.3); of a mixture nobody is, and it is
  never mixed again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from federation.errors import SignatureRejected
from hub.errors import Conflict, RateLimited
from hub.node import Node
from hub.peers.budgets import BYTES_AN_OBJECT, Budget, budget_of_sender, budgets_of, spend
from hub.peers.conduct import charge_for_blob
from hub.storage.queries.blob_gifts import bytes_of, note_given
from hub.storage.queries.blobs import (
    BlobRow,
    bytes_stored,
    find_blob,
    finish_blob,
    note_sets_held,
    take_posted,
    update_blob,
)
from hub.storage.queries.peers import PeerRow, count_objects_today, find_peer
from hub.storage.transaction import Transaction
from hub.verdicts.marks import ask_for_sets
from schemas.dns.domain_sets import MAX_BYTES
from schemas.identifiers import NodeId
from schemas.timestamps import read_wire_time, write_wire_time

MIXED: Final = ""
"""In the place of one who was wrong: several gave the bytes, and none of them is accused."""
WRONG_FOR: Final = timedelta(days=1)
"""How long whoever gave wrong bytes is not asked for the same blob again."""
_MIB: Final = 1024 * 1024
SHARES: Final = 4
"""One other origin has one of so many equal parts of the store."""


class End(Enum):
    """What the bytes of a blob turned out to be."""

    HELD = "held"
    WRONG = "wrong"
    MIXED = "mixed"


def room_for(tx: Transaction, node: Node, origin: NodeId, sender: PeerRow, now: datetime) -> int:
    """Return how many bytes of a blob are still taken today.

    Args:
        origin: whose set names it.
        sender: who hands it over.
    """
    left = min(
        (max(0, each.limit - each.used) for each in _budgets(tx, node, origin, sender, now)),
        default=MAX_BYTES,
    )
    return min(MAX_BYTES, left * BYTES_AN_OBJECT)


def charge(
    tx: Transaction, node: Node, origin: NodeId, sender: PeerRow, size: int, now: datetime
) -> None:
    """Count bytes that were taken against the limits of the day."""
    for each in _budgets(tx, node, origin, sender, now):
        spend(tx, each, objects_in(size))


def charge_origin(tx: Transaction, node: Node, origin: NodeId, size: int, now: datetime) -> None:
    """Count against an origin alone what its own words made this node do for nothing."""
    if origin != node.node_id:
        count_objects_today(tx, origin, now.date().isoformat(), objects_in(size))


def objects_in(size: int) -> int:
    """Return as how many objects so many bytes count."""
    return -(-size // BYTES_AN_OBJECT)


def require_room(
    tx: Transaction, node: Node, origin: NodeId, size: int, room: int, now: datetime
) -> None:
    """Refuse a blob for which there is no room, today or at all.

    Args:
        origin: for whose sets it comes.
        size: how many more bytes there will be.
        room: how many are taken today.

    Raises:
        RateLimited: ``E_QUOTA`` with ``retry_after``: its origin has had its day's worth.
        Conflict: ``E_BLOB_STORE``: all blobs, or those of its origin, have what the setting
            allows.
    """
    if size > room:
        tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        raise RateLimited(
            "E_QUOTA",
            "the blob is more than its origin may bring today",
            "It is asked for again tomorrow; `daily_limit` of the peer is the limit.",
            retry_after=max(1, int((tomorrow - now).total_seconds())),
        )
    if is_full(tx, node, size):
        raise Conflict(
            "E_BLOB_STORE",
            f"all blobs together would have more than {node.settings.blob_store_mib} MiB",
            "Raise blob_store_mib, or let domain sets end that nobody needs.",
        )
    share = node.settings.blob_store_mib * _MIB // SHARES
    if origin != node.node_id and bytes_of(tx, origin) + size > share:
        raise Conflict(
            "E_BLOB_STORE",
            f"the blobs of {origin} would have more than a quarter of blob_store_mib",
            "Raise blob_store_mib, or ask that origin to let domain sets end.",
        )


def is_full(tx: Transaction, node: Node, more: int = 1) -> bool:
    """Tell whether so many more bytes would be more than all blobs may have."""
    return bytes_stored(tx) + more > node.settings.blob_store_mib * _MIB


def end_blob(
    tx: Transaction,
    node: Node,
    sha256: str,
    origin: NodeId,
    sender: PeerRow,
    *,
    place: str | None = None,
) -> End:
    """Compare what came with the digest, when the last byte is here.

    Args:
        place: under which name the bytes lie, where that is not the digest.
    """
    now = node.now()
    place = sha256 if place is None else place
    blob = find_blob(tx, place)
    if blob is None:
        return End.WRONG
    is_it = finish_blob(tx, sha256, now) if place == sha256 else take_posted(tx, place, sha256, now)
    if is_it:
        charge(tx, node, origin, sender, blob.held, now)
        credit(tx, sha256, origin, sender.node_id, now)
        return End.HELD
    if blob.sender != sender.node_id:
        _note_wrong(tx, blob, MIXED, now)
        return End.MIXED
    reject_blob(tx, sha256, sender, blob.held, now, place=place)
    return End.WRONG


def credit(tx: Transaction, sha256: str, origin: NodeId, giver: str, now: datetime) -> None:
    """Let a blob that is here count for the sets of an origin: its bytes were given for them."""
    note_given(tx, sha256, origin, giver, now)
    note_sets_held(tx)
    # Its names become claims in that job; there is one for the whole node.
    ask_for_sets(tx, now)


def reject_blob(
    tx: Transaction,
    sha256: str,
    sender: PeerRow,
    size: int,
    now: datetime,
    *,
    place: str | None = None,
) -> None:
    """Note that a peer gave other bytes than a digest names, and count them against it.

    Args:
        size: bytes that were not counted while they came.
        place: under which name they lay, where that is not the digest.
    """
    blob = find_blob(tx, place or sha256)
    if blob is not None:
        _note_wrong(tx, blob, sender.node_id, now)
    spend(tx, budget_of_sender(tx, sender, now), objects_in(size))
    charge_for_blob(tx, sender, sha256, now)


def _note_wrong(tx: Transaction, blob: BlobRow, who: str, now: datetime) -> None:
    wrong = dict(blob.wrong or {}) | {who: write_wire_time(now)}
    update_blob(tx, blob.sha256, wrong=wrong, code="E_BLOB_DIGEST")


def is_wrong(blob: BlobRow, who: str, now: datetime) -> bool:
    """Tell whether somebody gave wrong bytes of a blob lately."""
    said = (blob.wrong or {}).get(who)
    return said is not None and now - read_wire_time(said) < WRONG_FOR


def wrong_bytes(name: str) -> SignatureRejected:
    """Build the refusal of bytes that are not what their name says."""
    return SignatureRejected(
        "E_BLOB_DIGEST",
        f"{name} gave other bytes than the digest names; they were dropped",
        "Others are asked. If it lasts, telephone its administrator.",
    )


def _budgets(
    tx: Transaction, node: Node, origin: NodeId, sender: PeerRow, now: datetime
) -> tuple[Budget, ...]:
    if origin == node.node_id:
        return ()  # our own, which a peer kept for us
    return budgets_of(tx, origin, find_peer(tx, origin), sender, now)
