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

from federation.delivery.plan import ROUTINE
from federation.feeds.heads import head_payload
from federation.feeds.records import entry_record
from federation.feeds.writing import entry_payload
from federation.policy.sharing import decide_feed_read
from federation.signing.signer import seal
from hub.errors import Conflict
from hub.exchange.entry_source import source_of_members
from hub.node import Node
from hub.peers.audiences import members_named
from hub.peers.may_sign import find_hold, require_may_sign
from hub.peers.signing_key import require_signing_key
from hub.peers.standing import standing_of
from hub.storage.queries.feeds import (
    EntryRow,
    FeedRow,
    create_feed,
    entry_hashes,
    feeds_of_audience,
    find_feed,
    store_entries,
    update_feed,
)
from hub.storage.queries.jobs import request_job
from hub.storage.queries.peers import PeerRow
from hub.storage.queries.urgency import note_urgencies
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, FeedName
from schemas.markings import Tlp
from schemas.signed_envelope import ENTRY_TYPE, HEAD_TYPE
from schemas.timestamps import read_wire_time, write_wire_time

NONCE_BYTES = 16
ENDED = "ended"
"""The state of an own feed that goes on in its next epoch."""


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
        Conflict: ``E_FROZEN`` or ``E_FEED`` when the feed takes no more entries;
            ``E_SELF_CHECK`` while peers may hold more of it than we do; ``E_NODE_EXPIRED`` or
            ``E_SIGNING_KEY`` when no peer would take it.
        WireFormatError: ``E_TOO_BIG``.
    """
    feed = goes_on_in(tx, feed)
    require_may_sign(tx, node, feed)
    held = find_feed(tx, feed) or create_feed(tx, feed, own=True)
    if held.state != "open":
        code = "E_FROZEN" if held.state == "frozen" else "E_FEED"
        raise Conflict(code, f"feed {feed} is {held.state}", "Run `tocsin doctor`.")
    # The clock may have gone back; the chain may not (PROTOCOL 2.4, `ts`).
    ts = read_wire_time(write_wire_time(max(now, held.last_ts or now)))
    require_signing_key(tx, node, ts)
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
                **source_of_members(policy, (members or {}).get("src")),
            )
        ],
    )
    _store_head(tx, node, held, seq, envelope.hash, ts, tlp, str(policy.get("relay", "none")))
    if policy.get("urgency", ROUTINE) != ROUTINE and not policy.get("exercise"):
        note_urgencies(tx, held.feed_row, {str(policy["urgency"]): seq})
    return AppendedEntry(held.feed_row, feed, seq, envelope.hash)


def goes_on_in(tx: Transaction, feed: FeedName) -> FeedName:
    """Name the epoch in which an own feed goes on: the feed itself unless it has ended."""
    held = find_feed(tx, feed)
    if held is None or held.state != ENDED:
        return feed
    return feeds_of_audience(tx, feed.node_id, feed.audience)[-1].name


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
    """Sign the head of an own feed anew without an entry (PROTOCOL 2.5: at least every 6 h).

    Not while peers may hold more of the feed: it would look alive where it is behind.
    """
    if find_hold(tx, node, held.name) is not None:
        return
    ts = max(now, held.head_ts or now)
    head = seal(
        node.keys.entry, HEAD_TYPE, head_payload(held.name, held.last_seq, held.last_hash, ts)
    )
    update_feed(tx, held.feed_row, head=head.to_bytes(), head_seq=held.last_seq, head_ts=ts)


def write_anchor(tx: Transaction, node: Node, held: FeedRow, seq: int, now: datetime) -> bytes:
    """Sign where the chain of a reader begins that joined after ``seq`` (PROTOCOL 2.6).

    Signed whenever it is asked for, so that it never stands under a key that has ended.
    """
    payload = head_payload(held.name, seq, entry_hashes(tx, held.feed_row, [seq])[seq], now)
    return seal(node.keys.entry, HEAD_TYPE, payload).to_bytes()


def wake_readers(
    tx: Transaction, feeds: Sequence[FeedName], peers: Sequence[PeerRow], now: datetime
) -> list[PeerRow]:
    """Ask for a wake-up of every peer that may read one of these own feeds; return those peers."""
    grown = [held for held in (find_feed(tx, feed) for feed in feeds) if held is not None]
    named = {h.audience: members_named(tx, h.audience) for h in grown if h.name.kind == "group"}
    readers = [
        peer
        for peer in peers
        if any(
            decide_feed_read(
                held.name,
                highest=Tlp(held.highest_tlp),
                peer=standing_of(peer),
                named=held.name.kind != "group" or peer.node_id in named[held.audience],
            ).allowed
            for held in grown
        )
    ]
    for peer in readers:
        request_job(tx, "wake", peer.node_id, now)
    return readers
