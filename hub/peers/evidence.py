"""Proofs of misbehaviour: found here, brought by a peer, kept and acted upon (PROTOCOL 2.5).

Invariants:
* what freezes a feed was signed by its own origin: nobody can freeze somebody else's;
* a proof is checked before anything is stored, and of one thing one proof is kept;
* the branch that is held stays, the other one's entries are kept as evidence and never as objects;
* what proofs may fill is bounded (``evidence_room``, THREATS 36).

A fork proof goes to the peers that may read the feed, a relay proof to the origin alone; sending
is ``gossip``'s matter, asked for here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.entry import OpenedEntry
from federation.feeds.forks import (
    FORK,
    ForkProof,
    HashAt,
    Statement,
    build_fork_proof,
    read_statement,
)
from federation.feeds.relay_proofs import RELAY, RelayProof
from federation.identity.node_document import PinnedNode
from hub.monitoring.alarms import EVIDENCE_RECEIVED, raise_alarm
from hub.node import Node
from hub.peers.evidence_room import keep_branch_entry, make_room
from hub.peers.freeze import ACTOR, demote_for_fork, freeze_feed, is_settled
from hub.peers.known_nodes import find_pinned
from hub.peers.tell import request_gossip
from hub.storage.queries.audit import store_event
from hub.storage.queries.evidence import (
    BranchEntry,
    EvidenceRow,
    holds_evidence,
    store_evidence,
)
from hub.storage.queries.feeds import FeedRow, entry_hashes, find_entry, find_feed
from hub.storage.queries.pending import find_pending
from hub.storage.queries.stated_heads import StatedHead, heads_stated_of
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, NodeId
from schemas.strict_json import strict_loads, write_json

CONTRADICTING: Final = frozenset({"E_FORK", "E_FROZEN"})
"""What stops a page that may hold another branch than ours."""


def note_statement(
    tx: Transaction, node: Node, feed: FeedName, value: object, *, sender: NodeId
) -> ForkProof | None:
    """Compare what an origin signed with all that is held of its feed, and act on a contradiction.

    Args:
        feed: the feed that the statement is of.
        value: a head or an entry as ``strict_loads`` gave it.
        sender: who handed it over.

    Returns:
        The proof, or None when there is no contradiction, or only void statements show one.
    """
    origin = find_pinned(tx, feed.node_id)
    if origin is None:
        return None
    try:
        theirs = read_statement(value, pinned=origin, feed=feed)
    except (WireFormatError, SignatureRejected, ChainBroken):
        return None
    held = find_feed(tx, feed)
    ours = list(_contradicting(tx, held, theirs, origin))
    proof = build_fork_proof(ours, [theirs], pinned=origin, chain_hash_at=chain_of(tx, held))
    if proof is not None:
        store_fork(tx, node, proof, sender=sender, found_here=True)
    return proof


def note_branch(
    tx: Transaction,
    node: Node,
    feed: FeedName,
    entries: Sequence[OpenedEntry],
    *,
    sender: NodeId,
) -> None:
    """Keep what a page held of another branch than ours, and act on the contradiction.

    Args:
        entries: opened for this feed, in the order of their seqs; those of our branch are passed
            over.
    """
    held = find_feed(tx, feed)
    if held is None:
        return
    hash_at = chain_of(tx, held)
    other: set[str] = set()
    first: OpenedEntry | None = None
    for entry in entries:
        header = entry.header
        before = hash_at(header.seq - 1) if header.seq > 1 else None
        differs = hash_at(header.seq) not in (None, entry.hash)
        follows = before not in (None, header.prev) or header.prev in other
        if not differs and not follows:
            continue
        other.add(entry.hash)
        # Of a revoked key's entries none is kept: most likely they are void, and void is nothing.
        if _is_revoked(tx, feed, entry):
            continue
        first = first or entry
        _keep_branch(tx, entry, sender, node.now())
    if first is not None:
        note_statement(tx, node, feed, first.envelope.to_json(), sender=sender)


def store_fork(
    tx: Transaction, node: Node, proof: ForkProof, *, sender: NodeId, found_here: bool
) -> EvidenceRow | None:
    """Keep a fork proof that holds, freeze the feed, demote its origin and ask for gossip.

    Returns:
        What was stored; None for what is held already, or settled by a person, or too much.
    """
    now, feed = node.now(), proof.feed
    if _is_settled(tx, proof) or holds_evidence(tx, proof.digest):
        return None
    row = _store(tx, proof, FORK, feed.node_id, None if found_here else sender, now)
    if row is None and find_feed(tx, feed) is None:
        # Names of feeds cost a liar nothing, and it may accuse itself (THREATS 36).
        return None
    if freeze_feed(tx, feed, "E_FORK", now, own=feed.node_id == node.node_id):
        demote_for_fork(tx, feed, now)
    if row is not None:
        _keep_statements(tx, proof, sender, now)
        request_gossip(tx, [feed], now, but=None if found_here else sender)
    return row


def store_relay_breach(
    tx: Transaction, node: Node, proof: RelayProof, *, sender: NodeId | None
) -> EvidenceRow | None:
    """Keep the proof that a relay served what it must not; None when it is held already.

    Args:
        sender: the peer that told this node, which is the origin then; None when it was found.
    """
    if holds_evidence(tx, proof.digest):
        return None
    now = node.now()
    row = _store(tx, proof, RELAY, proof.relay, sender, now)
    if row is None:
        return None
    if proof.feed.node_id != node.node_id:
        request_gossip(tx, [], now, and_with=proof.feed.node_id)
    return row


def contradicted_heads(tx: Transaction, feed: FeedName) -> tuple[StatedHead, ...]:
    """List the heads that peers stated of a feed and our chain has reached with another hash."""
    held = find_feed(tx, feed)
    hash_at = chain_of(tx, held)
    return tuple(
        stated
        for stated in heads_stated_of(tx, str(feed))
        if hash_at(stated.seq) not in (None, stated.hash)
    )


def chain_of(tx: Transaction, held: FeedRow | None) -> HashAt:
    """Return what we hold of a feed as a function from seq to hash."""

    def hash_at(seq: int) -> EntryHash | None:
        if held is None:
            return None
        if seq == held.last_seq:
            return held.last_hash
        taken = entry_hashes(tx, held.feed_row, [seq]).get(seq)
        if taken is not None or not held.pending_seq:
            return taken
        waiting = find_pending(tx, held.feed_row, seq)
        return None if waiting is None or waiting.stub is not None else waiting.hash

    return hash_at


def _store(
    tx: Transaction,
    proof: ForkProof | RelayProof,
    kind: str,
    accused: NodeId,
    sender: NodeId | None,
    now: datetime,
) -> EvidenceRow | None:
    """Keep a proof; None when there is no room for it."""
    body = write_json(proof.to_json())
    if not make_room(tx, accused=accused, sender=sender, size=len(body), at=now):
        return None
    seq = proof.seq if isinstance(proof, ForkProof) else proof.relay_head.seq
    row = store_evidence(
        tx,
        digest=proof.digest,
        kind=kind,
        accused=accused,
        feed=str(proof.feed),
        seq=seq,
        body=body,
        sender=sender,
        at=now,
    )
    facts: dict[str, Any] = {
        "evidence": row.evidence_id,
        "kind": kind,
        "accused": accused,
        "feed": str(proof.feed),
        "sender": sender,
    }
    store_event(tx, now, sender or ACTOR, "EVIDENCE_STORED", **facts)
    # A fork that was found here has its alarm already: the feed is frozen.
    if sender is not None or kind != FORK:
        raise_alarm(tx, EVIDENCE_RECEIVED, str(row.evidence_id), now, **facts)
    return row


def _contradicting(
    tx: Transaction, held: FeedRow | None, theirs: Statement, origin: PinnedNode
) -> Iterator[Statement]:
    """Find what is held and states another hash at a seq of theirs, heads first."""
    hash_at = chain_of(tx, held)
    stated = heads_stated_of(tx, str(theirs.feed))
    for seq, their_hash in theirs.hashes.items():
        for head in stated:
            if head.seq == seq and head.hash != their_hash:
                yield from _statements([head.dsse], theirs.feed, origin)
        if held is not None and hash_at(seq) not in (None, their_hash):
            yield from _statements(_held_at(tx, held, seq), theirs.feed, origin)


def _held_at(tx: Transaction, held: FeedRow, seq: int) -> Iterator[bytes]:
    """Give the signed envelopes held that say which hash stands at a seq of our branch."""
    if held.head is not None and held.head_seq == seq:
        yield held.head
    for place in (seq, seq + 1):  # the next entry states it as its ``prev``
        entry = find_entry(tx, held.feed_row, place) or find_pending(tx, held.feed_row, place)
        # Of an erased entry the bytes are gone, and of a stub there never were any.
        dsse = strict_loads(entry.record).get("dsse") if entry and entry.record else None
        if dsse is not None:
            yield write_json(dsse)


def _statements(
    envelopes: Iterator[bytes] | list[bytes], feed: FeedName, origin: PinnedNode
) -> Iterator[Statement]:
    for raw in envelopes:
        try:
            yield read_statement(strict_loads(raw), pinned=origin, feed=feed)
        except (WireFormatError, SignatureRejected, ChainBroken):
            continue  # signed under documents that say otherwise now: it proves nothing


def _is_settled(tx: Transaction, proof: ForkProof) -> bool:
    """Tell whether a person knew of the other branch when thawing the feed."""
    hash_at = chain_of(tx, find_feed(tx, proof.feed))
    others = [
        each
        for each in (proof.a, proof.b)
        if any(hash_at(seq) not in (None, found) for seq, found in each.hashes.items())
    ]
    newest = max(each.ts for each in others or (proof.a, proof.b))
    return is_settled(tx, proof.feed, newest)


def _is_revoked(tx: Transaction, feed: FeedName, entry: OpenedEntry) -> bool:
    origin = find_pinned(tx, feed.node_id)
    return origin is None or origin.revocation(entry.kid) is not None


def _keep_statements(tx: Transaction, proof: ForkProof, sender: NodeId, now: datetime) -> None:
    """Keep the entries of a proof that are not of our branch."""
    hash_at = chain_of(tx, find_feed(tx, proof.feed))
    for each in (proof.a, proof.b):
        if not each.is_head and hash_at(each.seq) != each.hashes[each.seq]:
            entry_hash, raw = each.envelope.hash, each.envelope.to_bytes()
            row = BranchEntry(entry_hash, str(proof.feed), each.seq, raw, sender, now)
            keep_branch_entry(tx, row)


def _keep_branch(tx: Transaction, entry: OpenedEntry, sender: NodeId, now: datetime) -> None:
    header = entry.header
    raw = entry.envelope.to_bytes()
    row = BranchEntry(entry.hash, str(header.feed), header.seq, raw, sender, now)
    keep_branch_entry(tx, row)
