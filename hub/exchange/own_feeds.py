"""Append to one of this node's own feeds, and keep its signed head.

Invariants:
* sign, insert and commit happen in one serialised write, so seqs are dense and never forked
  (PROTOCOL 4.6);
* an entry and the head that names it are stored together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from federation.feeds.heads import head_payload
from federation.feeds.records import entry_record
from federation.feeds.writing import entry_payload
from federation.policy.sharing import decide_feed_read
from federation.signing.signer import seal
from hub.errors import Conflict
from hub.node import Node
from hub.peers.standing import standing_of
from hub.storage.queries.feeds import (
    EntryRow,
    FeedRow,
    create_feed,
    find_feed,
    store_entries,
    update_feed,
)
from hub.storage.queries.jobs import request_job
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, FeedName
from schemas.markings import Tlp
from schemas.signed_envelope import ENTRY_TYPE, HEAD_TYPE
from schemas.timestamps import read_wire_time, write_wire_time

NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class AppendedEntry:
    """Where an own entry came to stand."""

    feed_row: int
    feed: FeedName
    seq: int
    hash: EntryHash


def append_entry(
    tx: Transaction,
    node: Node,
    feed: FeedName,
    *,
    kind: str,
    policy: Mapping[str, object],
    now: datetime,
    objects: Sequence[bytes] = (),
    members: Mapping[str, object] | None = None,
) -> AppendedEntry:
    """Seal and store the next entry of an own feed, with the head that names it.

    Args:
        objects: the objects' bytes, spliced into the payload unchanged.
        members: further members of the payload, such as ``idn`` or ``reason``.

    Raises:
        Conflict: ``E_FROZEN`` or ``E_FEED`` when the feed takes no more entries.
        WireFormatError: ``E_TOO_BIG``.
    """
    held = find_feed(tx, feed) or create_feed(tx, feed, own=True)
    if held.state != "open":
        code = "E_FROZEN" if held.state == "frozen" else "E_FEED"
        raise Conflict(code, f"feed {feed} is {held.state}", "Run `tocsin doctor`.")
    # The clock may have gone back; the chain may not (PROTOCOL 2.4, `ts`).
    ts = read_wire_time(write_wire_time(max(now, held.last_ts or now)))
    seq = held.last_seq + 1
    payload = entry_payload(
        feed=feed,
        seq=seq,
        prev=held.last_hash,
        ts=ts,
        nonce=node.entropy(NONCE_BYTES),
        kind=kind,
        policy=policy,
        objects=objects,
        **(members or {}),
    )
    envelope = seal(node.keys.entry, ENTRY_TYPE, payload)
    tlp = Tlp.read(policy["tlp"])
    store_entries(
        tx,
        [
            EntryRow(
                feed_row=held.feed_row,
                seq=seq,
                hash=envelope.hash,
                kind=kind,
                tlp=tlp,
                state="stored",
                code=None,
                exercise=bool(policy.get("exercise", False)),
                ts=ts,
                record=entry_record(feed, seq, ts, envelope),
                sender=None,
                received_at=now,
            )
        ],
    )
    _store_head(tx, node, held, seq, envelope.hash, ts, tlp, str(policy.get("relay", "none")))
    return AppendedEntry(held.feed_row, feed, seq, envelope.hash)


def _store_head(
    tx: Transaction,
    node: Node,
    held: FeedRow,
    seq: int,
    entry_hash: EntryHash,
    ts: datetime,
    tlp: Tlp,
    relay: str,
) -> None:
    head = seal(node.keys.entry, HEAD_TYPE, head_payload(held.name, seq, entry_hash, ts))
    update_feed(
        tx,
        held.feed_row,
        last_seq=seq,
        last_hash=entry_hash,
        last_ts=ts,
        relay=held.relay or relay,
        highest_tlp=max(held.highest_tlp, tlp),
        head=head.to_bytes(),
        head_seq=seq,
        head_ts=ts,
    )


def refresh_head(tx: Transaction, node: Node, held: FeedRow, now: datetime) -> None:
    """Sign the head of an own feed anew without an entry (PROTOCOL 2.5: at least every 6 h)."""
    ts = max(now, held.head_ts or now)
    head = seal(
        node.keys.entry, HEAD_TYPE, head_payload(held.name, held.last_seq, held.last_hash, ts)
    )
    update_feed(tx, held.feed_row, head=head.to_bytes(), head_ts=ts)


def wake_readers(
    tx: Transaction, feeds: Sequence[FeedName], peers: Sequence[PeerRow], now: datetime
) -> list[PeerRow]:
    """Ask for a wake-up of every peer that may read one of these own feeds; return those peers."""
    grown = [held for held in (find_feed(tx, feed) for feed in feeds) if held is not None]
    readers = [
        peer
        for peer in peers
        if any(
            decide_feed_read(
                held.name, highest=Tlp(held.highest_tlp), peer=standing_of(peer), named=True
            ).allowed
            for held in grown
        )
    ]
    for peer in readers:
        request_job(tx, "wake", peer.node_id, now)
    return readers
