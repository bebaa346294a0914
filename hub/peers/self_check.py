"""Ask the peers what they hold of this node's own feeds, before anything is signed after a start.

If one is ahead, the missing entries are fetched from it, and only then is signed again (PROTOCOL
4.6, THREATS 13). Invariants:
* all peers are asked at once, and one that hangs delays the answer of no other;
* a listing that leaves a feed out does not hide it, nor does an old head the entries behind it;
* what nobody answers holds up no publishing, unless a restore or a broken write left a doubt.

What it does not do: judge the answers (``own_heads``), or keep the gate (``may_sign``).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from federation.errors import ChainBroken, PeerState
from federation.transport.guarded_http import GuardedHttp
from federation.transport.peer_client import PeerTransport
from hub.node import Node
from hub.peers import may_sign
from hub.peers.groups import finish_removals
from hub.peers.outbound import http_or_own, reach
from hub.peers.own_document import recover_own_documents
from hub.peers.own_heads import hear_own_heads
from hub.peers.standing import is_reading
from hub.peers.stated_heads import heads_by_feed
from hub.storage.queries.feeds import list_feeds
from hub.storage.queries.jobs import request_job
from hub.storage.queries.own_signing import own_signing
from hub.storage.queries.peers import PeerRow, list_peers
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import FeedName, direct_audience

SELF_CHECK: Final = "self-check"
PATIENCE_SECONDS: Final = 10.0
"""For all answers together when nothing is in doubt; then publishing goes on without them."""
DOUBT_SECONDS: Final = 45.0
"""When something is; a request ends after 30 s."""
OLD_CHECK: Final = timedelta(hours=24)
"""After so long without an answer a command that publishes asks the peers itself."""


@dataclass(frozen=True, slots=True)
class SelfChecked:
    """What a check came to.

    Args:
        asked: how many peers there are to ask.
        answered: the names of those that told what they hold.
        recovered: how many own entries were fetched back.
        standing: whether and what may be signed now.
    """

    asked: int
    answered: tuple[str, ...]
    recovered: int
    standing: may_sign.SigningStanding


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one peer said: unverified heads, and feeds of which it has entries after our last."""

    peer: PeerRow
    transport: PeerTransport
    stated: Sequence[Any] = ()
    beyond: frozenset[FeedName] = frozenset()
    error: TocsinError | None = None


def begin_self_check(node: Node) -> None:
    """Close the gate until the peers were asked, and ask for that: at the start of a worker."""
    may_sign.note_doubt(node, begins=True)
    with node.database.write(durable=False) as tx:
        if own_signing(tx).pending or own_signing(tx).suspected_at is not None:
            request_job(tx, SELF_CHECK, node.node_id, node.now(), hurry=True)


def check_before_signing(node: Node, *, http: GuardedHttp | None = None) -> None:
    """Ask the peers where a command is about to publish and nobody asked them lately.

    As a rule a look at the database: a running node asks at its start and hears them at each pull.
    """
    with node.database.read() as tx:
        row = own_signing(tx)
        old = row.checked_at is None or node.now() - row.checked_at > OLD_CHECK
        has_peers = any(is_reading(peer) for peer in list_peers(tx))
    if has_peers and (old or row.pending or may_sign.is_in_doubt(node)):
        may_sign.note_doubt(node, begins=True)
        check_own_feeds(node, http=http)


def check_own_feeds(
    node: Node,
    *,
    http: GuardedHttp | None = None,
    adopt: bool = False,
    patience_seconds: float = PATIENCE_SECONDS,
) -> SelfChecked:
    """Ask every peer what it holds of our feeds, and fetch back what is missing here.

    Args:
        patience_seconds: for all answers together, where nothing is in doubt.
        adopt: a person says that entries which this node did not sign by this database are its own.
    """
    may_sign.note_doubt(node)
    with node.database.read() as tx:
        peers = [peer for peer in list_peers(tx) if is_reading(peer)]
        held = {feed.name: feed.last_seq for feed in list_feeds(tx, own=True)}
    in_doubt = may_sign.is_in_doubt(node)
    waiting = DOUBT_SECONDS if adopt or in_doubt else patience_seconds
    answered: list[str] = []
    recovered = 0
    with http_or_own(node, http) as way:
        for answer in _ask_all(node, peers, held, way, waiting):
            if answer.error is None:
                if in_doubt:
                    recover_own_documents(node, answer.transport)
                recovered += hear_own_heads(
                    node, answer.peer, answer.transport, answer.stated,
                    beyond=answer.beyond, adopt=adopt,
                )  # fmt: skip
                answered.append(answer.peer.name)
    with node.database.write() as tx:
        may_sign.settle(tx, node.now(), nobody_answers=True)
    finish_removals(node)
    standing = may_sign.standing_of_signing(node)
    return SelfChecked(len(peers), tuple(answered), recovered, standing)


def _ask_all(
    node: Node,
    peers: Sequence[PeerRow],
    held: Mapping[FeedName, int],
    way: GuardedHttp,
    waiting_seconds: float,
) -> Iterable[_Answer]:
    """Ask all at once; give the answers as they come, as long as there is time."""
    answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
    for peer in peers:
        transport = reach(node, peer.base, peer.node_id, way)
        # A daemon: one that hangs until its request times out must not keep a command from ending.
        threading.Thread(
            target=lambda p=peer, t=transport: answers.put(_ask(node, p, t, held)), daemon=True
        ).start()
    until = time.monotonic() + waiting_seconds
    for _ in peers:
        try:
            yield answers.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return


def _ask(
    node: Node, peer: PeerRow, transport: PeerTransport, held: Mapping[FeedName, int]
) -> _Answer:
    try:
        stated = transport.heads()
        listed = heads_by_feed(stated)
        # A listing that leaves one out must not hide it (PROTOCOL 2.6).
        for feed in sorted(_looked_for(node, peer, held) - listed.keys(), key=str):
            stated += _heads_of(transport, feed)
        beyond = {
            feed
            for feed in heads_by_feed(stated)
            if feed.node_id == node.node_id and _goes_on(transport, feed, held.get(feed, 0))
        }
    except TocsinError as error:
        return _Answer(peer, transport, error=error)
    return _Answer(peer, transport, stated, frozenset(beyond))


def _looked_for(node: Node, peer: PeerRow, held: Mapping[FeedName, int]) -> set[FeedName]:
    direct = direct_audience(peer.node_id)
    found = {feed for feed in held if feed.audience in {"clear", "green", direct}}
    return found | {FeedName(node.node_id, audience) for audience in ("clear", "green", direct)}


def _heads_of(transport: PeerTransport, feed: FeedName) -> list[dict[str, Any]]:
    try:
        return transport.heads(feed)
    except PeerState as refused:
        if refused.code != "E_NOT_FOUND":
            raise
        return []


def _goes_on(transport: PeerTransport, feed: FeedName, after: int) -> bool:
    """Tell whether the peer has entries after ours: it may hold more than the newest head says."""
    try:
        return bool(transport.page(feed, after, 1).objects)
    except (ChainBroken, WireFormatError):
        return True  # whatever it is, it is looked at closely
    except PeerState as refused:
        return refused.code != "E_NOT_FOUND"
