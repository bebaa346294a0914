"""Carry feeds to a peer in a file, and take in such a file (issue 4 "carry by file").

Export writes what the peer would be answered, page by page through the same use-case that serves
it; import reads the file through the same pull that asks a peer. So a stick is one more wire:
nothing of policy, relay heads, chains, quotas or quarantine is decided here.

Invariants:
* a file is for one recipient and says so before anything else: another node takes nothing of it;
* it is made by a peer of the recipient, which signed it whole; what is taken in is proved entry by
  entry all the same, so the file needs no safer way than the wire has;
* what stops one feed stops no other; what came before is committed, and importing the same file
  again goes on there and changes nothing that is held.

The content of a file is open to whoever holds it: its entries are signed and not encrypted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from federation.delivery.carried_file import (
    Carriage,
    SignedExtent,
    acks_line,
    begin_line,
    document_line,
    end_line,
    end_payload,
    open_end,
    page_line,
)
from federation.delivery.plan import FeedWanted, pull_order
from federation.errors import ChainBroken, PeerState, SignatureRejected
from federation.signing.signer import seal
from hub.errors import Conflict, NotFound
from hub.exchange.serve_feeds import (
    MAX_PAGE,
    MOST_LISTED,
    PageRequest,
    feeds_shown_to,
    read_feed_page,
)
from hub.node import Node
from hub.peers.admit import is_reading
from hub.peers.carried import CarriedFile, CarriedWriter, new_file, open_carried
from hub.peers.carried_acks import acks_to_carry, take_acks
from hub.peers.carried_blobs import ListsTaken, take_blobs, write_blobs
from hub.peers.known_nodes import pinned
from hub.peers.learned_origins import MOST_NEW_ORIGINS
from hub.peers.node_documents import learn_node
from hub.peers.pull import pull_through
from hub.peers.pull_feed import FeedPulled
from hub.storage.queries.audit import store_event
from hub.storage.queries.carrying import last_seq_before
from hub.storage.queries.feeds import FeedRow
from hub.storage.queries.nodes import documents_of
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.queries.positions import positions_of
from hub.storage.transaction import Transaction
from schemas.errors import TocsinError
from schemas.identifiers import FeedName, NodeId
from schemas.markings import Tlp
from schemas.signed_envelope import CARRIED_TYPE
from schemas.strict_json import strict_loads
from schemas.timestamps import read_wire_time, write_wire_time

CLOCK_TOLERANCE: Final = timedelta(hours=24)
"""A file that is dated further ahead was made under a wrong clock, or is read under one."""


@dataclass(frozen=True, slots=True)
class FeedCarried:
    """What a file holds of one feed: the entries after ``after``, up to ``last``."""

    feed: str
    after: int
    last: int
    entries: int


@dataclass(frozen=True, slots=True)
class BundleExported:
    """A file that was written.

    Args:
        label: the strictest label that a feed in it has ever carried.
    """

    file: str
    peer: str
    name: str
    size: int
    label: str
    feeds: tuple[FeedCarried, ...]


@dataclass(frozen=True, slots=True)
class FeedTaken:
    """What importing one feed brought."""

    feed: str
    origin: str
    entries: int
    accepted: int
    quarantined: int
    rejected: int
    error: TocsinError | None


@dataclass(frozen=True, slots=True)
class BundleImported:
    """What a file brought.

    Args:
        lists: the lists of domain sets that came with it.
    """

    peer: NodeId
    name: str
    made_at: datetime
    feeds: tuple[FeedTaken, ...]
    lists: ListsTaken


def export_bundle(
    node: Node,
    peer: PeerRow,
    path: Path,
    *,
    since: datetime | None = None,
    everything: bool = False,
    actor: str = "operator",
) -> BundleExported:
    """Write a file with what a peer may read here and is not known to hold.

    Args:
        since: begin at this instant in every feed; the peer has to hold what came before.
        everything: begin every feed at its first entry.

    Raises:
        PeerState: ``E_PEER_BLOCKED``.
        Conflict: ``E_FILE_EXISTS``.
        OSError: the file cannot be written.
    """
    # To the millisecond that the wire has, so that the file and its end say one thing.
    now = read_wire_time(write_wire_time(node.now()))
    with node.database.read() as tx:
        recipient = _require_reading(tx, peer.node_id)
        shown = [row for row in feeds_shown_to(tx, recipient) if row.node_id != recipient.node_id]
        rows = _in_order(shown[:MOST_LISTED], node.node_id)
        begins = {
            row.name: _begin(tx, row, recipient, since, everything=everything) for row in rows
        }
        documents = _documents(tx, node.node_id, rows)
        acks = acks_to_carry(tx, node, recipient.node_id)
    carriage = Carriage(node.node_id, recipient.node_id, now)
    carried = []
    with new_file(path) as writer:
        writer.write(begin_line(carriage))
        for dsse in documents:
            writer.write(document_line(dsse))
        for row in rows:
            done = _write_feed(node, recipient, writer, row.name, begins[row.name])
            if done is not None:
                carried.append(done)
        write_blobs(node, writer, [(one.feed, one.after, one.last) for one in carried])
        for values in acks:
            writer.write(acks_line(values))
        payload = end_payload(carriage, lines=writer.lines, digest=writer.digest)
        writer.write(end_line(seal(node.keys.entry, CARRIED_TYPE, payload)))
    label = max((Tlp(row.highest_tlp) for row in rows), default=Tlp.CLEAR)
    with node.database.write() as tx:
        store_event(
            tx, now, actor, "BUNDLE_EXPORTED", peer=recipient.node_id, file=path.name,
            label=label.wire, feeds=[[one.feed, one.after, one.last] for one in carried],
        )  # fmt: skip
    size = path.stat().st_size
    return BundleExported(
        str(path), recipient.node_id, recipient.name, size, label.wire, tuple(carried)
    )


def _require_reading(tx: Transaction, node_id: NodeId) -> PeerRow:
    found = find_peer(tx, node_id)
    if found is None or not is_reading(found):
        name = "the peer" if found is None else found.name
        raise PeerState(
            "E_PEER_BLOCKED",
            f"{name} is blocked or suspended here, so nothing is carried to it or from it",
            "Lift that with `tocsin peer set PEER --trust …` or `tocsin peer resume PEER`.",
        )
    return found


def _in_order(rows: Sequence[FeedRow], sender: NodeId) -> list[FeedRow]:
    by_name = {row.name: row for row in rows}
    plan = pull_order([FeedWanted(name) for name in by_name], sender=sender)
    return [by_name[wanted.feed] for wanted in plan]


def _begin(
    tx: Transaction, row: FeedRow, peer: PeerRow, since: datetime | None, *, everything: bool
) -> int:
    """Choose the entry after which a feed begins in the file."""
    if everything:
        return 0
    if since is not None:
        return last_seq_before(tx, row.feed_row, since)
    # Of others' feeds nobody told us how far the peer holds them.
    held = positions_of(tx, row.feed_row).get(peer.node_id) if row.own else None
    return 0 if held is None else min(held.seq, row.last_seq)


def _documents(tx: Transaction, own: NodeId, rows: Sequence[FeedRow]) -> list[bytes]:
    """List the documents of all whose signatures are in the file, each node's in their order."""
    nodes = dict.fromkeys([own, *(row.node_id for row in rows)])
    return [document.dsse for node_id in nodes for document in documents_of(tx, node_id)]


def _write_feed(
    node: Node, peer: PeerRow, writer: CarriedWriter, feed: FeedName, after: int
) -> FeedCarried | None:
    """Write the pages of one feed, each with what stands in the database then."""
    last, entries = after, 0
    while True:
        try:
            page = read_feed_page(node, peer, feed.collection_id, PageRequest(last, MAX_PAGE))
        except NotFound:
            # It was closed to this peer, or erased, since we looked. What is in the file already
            # stays there, as on the wire.
            return FeedCarried(str(feed), after, last, entries) if entries else None
        writer.write(page_line(feed, page))
        stated = strict_loads(page)
        objects = stated.get("objects", [])
        entries += len(objects)
        last = objects[-1]["seq"] if objects else last
        if not stated["more"]:
            return FeedCarried(str(feed), after, last, entries)


def import_bundle(
    node: Node,
    path: Path,
    *,
    is_stopping: Callable[[], bool] = lambda: False,
    actor: str = "operator",
) -> BundleImported:
    """Take in a file that a peer made for this node.

    Raises:
        WireFormatError: ``E_CARRIED_FILE``, ``E_TOO_BIG``, or what is wrong with a line.
        Conflict: ``E_CARRIED_TO``: made for another node, or by this one.
        NotFound: ``E_PEER_UNKNOWN``: made by a node that is no peer.
        PeerState: ``E_PEER_BLOCKED``.
        ChainBroken: ``E_FUTURE``: made ahead of our clock.
        SignatureRejected: its end is not signed by the peer that it names.
        OSError: it cannot be read.
    """

    def check_begin(carriage: Carriage) -> None:
        _require_for_us(node, carriage)
        _find_sender(node, carriage)

    with open_carried(path, check_begin) as file:
        sender = _find_sender(node, file.carriage)
        file.survey(_open_end(node, sender, file))
        feeds = _take(node, sender, file, is_stopping)
        lists = take_blobs(node, sender, file)
        for values in file.acks():
            take_acks(node, sender, values)
        with node.database.write() as tx:
            store_event(
                tx, node.now(), actor, "BUNDLE_IMPORTED", peer=sender.node_id, file=path.name,
                made_at=write_wire_time(file.carriage.made_at),
                entries=sum(pulled.entries for pulled in feeds.values()),
            )  # fmt: skip
    rows = tuple(_taken(feed, pulled) for feed, pulled in feeds.items())
    return BundleImported(sender.node_id, sender.name, file.carriage.made_at, rows, lists)


def _require_for_us(node: Node, carriage: Carriage) -> None:
    """Refuse a file that is not for us, before a second line of it is read."""
    if carriage.recipient != node.node_id:
        raise Conflict(
            "E_CARRIED_TO",
            "the file was made for another node"
            if carriage.sender != node.node_id
            else "this node made the file for another one",
            "Give it to the node that it was made for, or have one made for this node.",
            to=carriage.recipient,
        )
    if carriage.made_at > node.now() + CLOCK_TOLERANCE:
        raise ChainBroken(
            "E_FUTURE",
            f"the file says it was made at {write_wire_time(carriage.made_at)}",
            "Compare the clocks of both nodes.",
        )


def _find_sender(node: Node, carriage: Carriage) -> PeerRow:
    with node.database.read() as tx:
        if find_peer(tx, carriage.sender) is None:
            raise NotFound(
                "E_PEER_UNKNOWN",
                f"the file was made by {carriage.sender[:12]}, which is no peer of this node",
                "Pair with it first; what others wrote and it relays is in the file too.",
            )
        return _require_reading(tx, carriage.sender)


def _open_end(node: Node, sender: PeerRow, file: CarriedFile) -> SignedExtent:
    """Verify the signed end, with newer documents of the sender where the file brings them."""
    try:
        return _open_end_as_held(node, sender, file)
    except SignatureRejected as unknown:
        if unknown.code not in {"E_KEY_UNKNOWN", "E_KEY_REVOKED", "E_NODE_EXPIRED"}:
            raise
        try:
            learn_node(node, sender.node_id, file, sender=sender)
        except PeerState:
            raise unknown from None  # the file brings no documents of its sender
        return _open_end_as_held(node, sender, file)


def _open_end_as_held(node: Node, sender: PeerRow, file: CarriedFile) -> SignedExtent:
    with node.database.read() as tx:
        chain = pinned(tx, sender.node_id)
    return open_end(file.end, file.carriage, sender=chain)


def _take(
    node: Node, sender: PeerRow, file: CarriedFile, is_stopping: Callable[[], bool]
) -> dict[FeedName, FeedPulled]:
    """Pull from the file; again while it has origins left that one pull may not all learn."""
    total: dict[FeedName, FeedPulled] = {}
    origins = {feed.node_id for feed in file.feeds}
    known = _count_known(node, origins)
    for _ in range(len(origins) // MOST_NEW_ORIGINS + 1):
        pulled = pull_through(node, sender, file, is_stopping=is_stopping)
        for feed, found in pulled.feeds.items():
            before = total.get(feed, FeedPulled())
            total[feed] = replace(
                found,
                entries=before.entries + found.entries,
                accepted=before.accepted + found.accepted,
                quarantined=before.quarantined + found.quarantined,
                rejected=before.rejected + found.rejected,
            )
        known_before, known = known, _count_known(node, origins)
        # Where a round learned nobody, the next would fail with the same origins again.
        if not pulled.unfinished or is_stopping() or known == known_before:
            break
    return total


def _count_known(node: Node, origins: Collection[NodeId]) -> int:
    with node.database.read() as tx:
        return sum(bool(documents_of(tx, node_id)) for node_id in origins)


def _taken(feed: FeedName, pulled: FeedPulled) -> FeedTaken:
    return FeedTaken(
        str(feed), feed.node_id, pulled.entries, pulled.accepted, pulled.quarantined,
        pulled.rejected, _explained(pulled.error),
    )  # fmt: skip


def _explained(error: TocsinError | None) -> TocsinError | None:
    """Say what to do about a file that begins behind the end of what is held."""
    if isinstance(error, ChainBroken) and error.code == "E_GAP" and not error.remedy:
        expected = error.params.get("expected")
        return ChainBroken(
            "E_GAP",
            f"the file goes on behind what this node holds, which lacks entry {expected}",
            "Ask for a file made with `tocsin bundle export --all`.",
            **error.params,
        )
    return error
