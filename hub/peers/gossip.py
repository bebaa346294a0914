"""Gossip: compare the heads that two nodes hold, and tell a peer what concerns it (PROTOCOL 2.5).

With each pull both sides compare: the puller reads the sender's heads, and tells the sender what
it holds of feeds that both may read. A head travels as relayed feeds do, so ``clear`` and
``green`` alone; of a ``g-`` or ``d-`` feed none but its origin hears.

Invariants:
* nothing of a head counts before it was opened with the pinned keys of its origin;
* a head is told once: what brings the other side no news causes no answer and no round without end;
* of what one peer states only so much is kept (THREATS 36);
* who joined a group later gets no entry from before as part of a proof, only heads;
* proofs go first; what a peer does not take is not sent to it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from federation.errors import PeerState
from federation.feeds.forks import FORK, feed_stated
from federation.feeds.heads import Head
from federation.transport.guarded_http import GuardedHttp
from federation.transport.peer_client import MAX_HEADS, PeerTransport
from hub.exchange.serve_feeds import feeds_shown_to, may_read
from hub.node import Node
from hub.peers.admit import is_reading
from hub.peers.audiences import naming_of
from hub.peers.evidence import contradicted_heads, note_statement
from hub.peers.freeze import FROZEN
from hub.peers.outbound import http_or_own, note_answers, reach
from hub.peers.stated_heads import LARGEST_HEAD, Standing, compare, find_good_head
from hub.peers.tell import GOSSIP, request_gossip
from hub.peers.wire_version import require_common_version
from hub.storage.queries.evidence import (
    UntoldEvidence,
    evidence_untold,
    find_evidence,
    note_evidence_told,
)
from hub.storage.queries.feeds import FeedRow, find_feed
from hub.storage.queries.jobs import request_job
from hub.storage.queries.nodes import documents_of
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.queries.stated_heads import (
    StatedHead,
    heads_stated_by,
    heads_stated_of,
    heads_told_to,
    store_stated_head,
    store_told_head,
)
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, NodeId
from schemas.signed_envelope import HEAD_TYPE
from schemas.strict_json import strict_loads, write_json

MOST_STATED: Final = 1_000
"""Feeds of which one peer's word is kept."""
PROOFS_A_TURN: Final = 8
RELAY_WAIT: Final = timedelta(milliseconds=300)
"""So that what comes in several feeds at once is told at once."""
SENDER_WAIT: Final = timedelta(seconds=30)
"""Whoever gave it to us knows it; how far we hold it is no hurry."""


@dataclass(frozen=True, slots=True)
class HeadSeen:
    """A good head that a peer stated, beside what is held here."""

    head: Head
    standing: Standing


@dataclass(frozen=True, slots=True)
class Gossiped:
    """What a peer was told; ``unfinished`` when more proofs wait."""

    proofs: int = 0
    heads: int = 0
    unfinished: bool = False


def compare_heads(node: Node, sender: PeerRow, values: Iterable[Any]) -> None:
    """Compare the heads that a peer states in a pull with all that is held of their feeds.

    One that the peer stated before, to the last byte, is not looked at again.
    """
    with node.database.read() as tx:
        known = heads_stated_by(tx, NodeId(sender.node_id))
        seen = [
            found
            for value in values
            if not _is_known(known, value) and (found := see_head(tx, value)) is not None
        ]
    if seen:
        keep_seen(node, sender, seen)


def see_head(tx: Transaction, value: object) -> HeadSeen | None:
    """Open a head with its origin's keys and compare it with our chain; None for a bad one."""
    head = find_good_head(tx, value)
    return None if head is None else HeadSeen(head, compare(tx, head))


def keep_seen(node: Node, sender: PeerRow, seen: Sequence[HeadSeen]) -> None:
    """Keep what a peer stated, and act on what contradicts our chain or another peer's word."""
    sender_id = NodeId(sender.node_id)
    with node.database.read() as tx:
        known = heads_stated_by(tx, sender_id)
        news = [each for each in seen if _is_news(known, each.head)]
        doubtful = [each.head for each in seen if _is_doubtful(tx, each)]
    if doubtful:
        with node.database.write() as tx:
            for head in doubtful:
                note_statement(tx, node, head.feed, head.envelope.to_json(), sender=sender_id)
    if news:
        with node.database.write(durable=False) as tx:
            room = MOST_STATED - len(known)
            for each in news:
                is_new = str(each.head.feed) not in known
                if room > 0 or not is_new:
                    held = known.get(str(each.head.feed))
                    store_stated_head(tx, _stated(tx, node, sender_id, each.head, held))
                    room -= is_new


def note_head(node: Node, sender: PeerRow, head: Head) -> None:
    """Act on a head that contradicts our chain."""
    with node.database.write() as tx:
        value = head.envelope.to_json()
        note_statement(tx, node, head.feed, value, sender=NodeId(sender.node_id))


def announce_growth(node: Node, sender: PeerRow, feed: FeedName) -> None:
    """Ask for gossip after a feed has grown: with all that may read it, and with its sender.

    What other peers stated ahead of us, and our chain has reached now, is compared first.
    """
    sender_id = NodeId(sender.node_id)
    with node.database.read() as tx:
        lying = contradicted_heads(tx, feed)
    for stated in lying:
        with node.database.write() as tx:
            value = strict_loads(stated.dsse)
            note_statement(tx, node, feed, value, sender=stated.node_id)
    with node.database.write(durable=False) as tx:
        request_gossip(tx, [feed], node.now() + RELAY_WAIT, but=sender_id)
        request_job(tx, GOSSIP, sender_id, node.now() + SENDER_WAIT)


def plan_evidence(tx: Transaction, node: Node, peer: PeerRow) -> None:
    """Ask for gossip with a peer that may hear of a proof that it was not told."""
    if any(_concerns(tx, row, peer) for row in evidence_untold(tx, NodeId(peer.node_id))):
        request_job(tx, GOSSIP, peer.node_id, node.now())


def gossip_with(node: Node, peer: PeerRow, *, http: GuardedHttp | None = None) -> Gossiped:
    """Tell a peer the proofs that concern it, and the heads that it does not know.

    Raises:
        PeerUnreachable, PeerState, WireFormatError: it could not be told.
    """
    with node.database.read() as tx:
        found = find_peer(tx, peer.node_id)
        if found is None or not is_reading(found):
            return Gossiped()
        untold = evidence_untold(tx, NodeId(peer.node_id))
        concerned = [row for row in untold if _concerns(tx, row, found)]
        proofs = [(row, _body(tx, row)) for row in concerned[:PROOFS_A_TURN]]
        heads = _heads_to_tell(tx, found)
    if not proofs and not heads:
        return Gossiped()
    require_common_version(node, found)
    with http_or_own(node, http) as way:
        transport = reach(node, found.base, found.node_id, way)
        for row, body in proofs:
            _tell_proof(node, transport, found, row, body)
        if heads:
            transport.wake([strict_loads(feed.head) for feed in heads if feed.head is not None])
    note_answers(node, NodeId(peer.node_id), transport)
    with node.database.write(durable=False) as tx:
        for feed in heads:
            assert feed.head_ts is not None  # noqa: S101 - narrowed for mypy; a head has its time
            store_told_head(tx, NodeId(peer.node_id), feed.feed, feed.head_seq, feed.head_ts)
    return Gossiped(len(proofs), len(heads), unfinished=len(concerned) > len(proofs))


def _is_known(known: dict[str, StatedHead], value: object) -> bool:
    feed = feed_stated(value, (HEAD_TYPE,))
    stated = None if feed is None else known.get(str(feed))
    return stated is not None and stated.dsse == write_json(value)


def _is_news(known: dict[str, StatedHead], head: Head) -> bool:
    if len(head.envelope.payload) > LARGEST_HEAD:
        return False
    held = known.get(str(head.feed))
    return held is None or (head.seq, head.ts) > (held.seq, held.ts)


def _is_doubtful(tx: Transaction, seen: HeadSeen) -> bool:
    """Tell whether a head contradicts our chain, or another head that is ahead of it."""
    if seen.standing is Standing.CONTRADICTS:
        return True
    return seen.standing is Standing.AHEAD and any(
        other.seq == seen.head.seq and other.hash != seen.head.hash
        for other in heads_stated_of(tx, str(seen.head.feed))
    )


def _stated(
    tx: Transaction, node: Node, sender: NodeId, head: Head, before: StatedHead | None
) -> StatedHead:
    """Note a peer's word; ``stated_at`` stays as long as our chain has not caught up with it."""
    held = find_feed(tx, head.feed)
    reached = 0 if held is None else held.last_seq
    still_ahead = before is not None and before.seq > reached
    return StatedHead(
        feed=str(head.feed),
        node_id=sender,
        seq=head.seq,
        hash=head.hash,
        ts=head.ts,
        expires=head.expires,
        dsse=head.envelope.to_bytes(),
        stated_at=before.stated_at if before is not None and still_ahead else node.now(),
    )


def _heads_to_tell(tx: Transaction, peer: PeerRow) -> list[FeedRow]:
    """Choose the heads of others' feeds that a peer may read and does not know from us or itself.

    Of the peer's own feeds too: that is how it learns how far we hold them.
    """
    told = heads_told_to(tx, NodeId(peer.node_id))
    stated = heads_stated_by(tx, NodeId(peer.node_id))
    chosen = []
    for feed in feeds_shown_to(tx, peer):
        if feed.own or feed.head is None or feed.head_ts is None or feed.state == FROZEN:
            continue
        before = told.get(feed.feed)
        if before is not None and before >= (feed.head_seq, feed.head_ts):
            continue
        known = stated.get(feed.feed)
        if feed.node_id != peer.node_id and known is not None and known.seq >= feed.head_seq:
            continue
        chosen.append(feed)
    return chosen[:MAX_HEADS]


def _concerns(tx: Transaction, row: UntoldEvidence, peer: PeerRow) -> bool:
    """Tell whether a peer may hear of a proof: a reader of the feed, or of a relay its origin."""
    if row.feed is None:
        return False
    feed = FeedName.read(row.feed)
    if row.kind != FORK:
        return feed.node_id == peer.node_id
    held = find_feed(tx, feed)
    return held is not None and may_read(tx, held, peer) and _may_have(tx, row, held, peer)


def _may_have(tx: Transaction, row: UntoldEvidence, held: FeedRow, peer: PeerRow) -> bool:
    """Tell whether what a proof contains lies in a reader's own part of a group's feed."""
    begins = naming_of(tx, peer.node_id).begins_after(held.name) if held.own else 0
    if row.seq is None or row.seq > begins:
        return True
    proof = strict_loads(_proof(tx, row))
    return all(proof[side].get("payloadType") == HEAD_TYPE for side in ("a", "b"))


def _body(tx: Transaction, row: UntoldEvidence) -> bytes:
    documents = b",".join(document.dsse for document in documents_of(tx, row.accused))
    return b'{"proofs":[%b],"node":[%b]}' % (_proof(tx, row), documents)


def _proof(tx: Transaction, row: UntoldEvidence) -> bytes:
    found = find_evidence(tx, row.evidence_id)
    assert found is not None  # noqa: S101 - narrowed for mypy; it was listed in this transaction
    return found.body


def _tell_proof(
    node: Node, transport: PeerTransport, peer: PeerRow, row: UntoldEvidence, body: bytes
) -> None:
    """Send one proof; a refusal is remembered, a failure of the wire rises to be tried again.

    So does a refusal of the request itself: a suspended relation or a wrong clock is no word on the
    proof.
    """
    code: str | None = None
    try:
        transport.evidence(body)
    except PeerState as refused:
        if refused.code.startswith("E_HTTP_"):
            raise
        code = refused.code
    with node.database.write(durable=False) as tx:
        note_evidence_told(tx, row.evidence_id, NodeId(peer.node_id), node.now(), code)
