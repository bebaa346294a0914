"""Pull from one peer: its own feeds, and those of others that it relays to us.

Invariants:
* a blocked or suspended peer is not pulled, and what it wrote is not taken through others either;
* our own feeds, mirrored back, are passed over; foreign feeds are ``clear`` or ``green`` alone;
* what stops one feed stops no other; what concerns the wire, or this node as a reader, stops the
  pull, for it would meet every feed alike;
* the outcome is in the peer's row, whatever happened.

Because every peer's listing is walked, the feeds of an origin that cannot be reached come through
any other peer that relays them: nothing has to be switched over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from federation.delivery.plan import FeedWanted, pull_order
from federation.errors import EntryDeferred, PeerState, PeerUnreachable, SignatureRejected
from federation.identity.node_document import PinnedNode
from federation.transport.guarded_http import GuardedHttp
from federation.transport.peer_client import PeerTransport
from hub.errors import Conflict
from hub.node import Node
from hub.peers.admit import is_reading
from hub.peers.known_nodes import find_pinned
from hub.peers.node_documents import learn_node
from hub.peers.outbound import http_or_own, reach
from hub.peers.pull_feed import FeedPull, FeedPulled
from hub.peers.stated_heads import heads_by_feed
from hub.storage.queries.peers import PeerRow, find_peer, list_peers, update_peer
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import FeedName, NodeId, direct_audience

LONGEST_PULL_SECONDS = 240.0
"""Then the rest waits for its next turn, so that no long feed keeps the other peers waiting."""
MOST_NEW_ORIGINS = 32
"""Nodes learned in one pull: their ids cost a liar nothing, their documents cost us work."""
MOST_FAILURES = 3
"""Feeds that a peer fails to serve in one pull before it counts as unreachable."""
_RELAYED = frozenset({"clear", "green"})
_OLD_DOCUMENTS = frozenset({"E_KEY_UNKNOWN", "E_KEY_REVOKED", "E_NODE_EXPIRED"})
"""What an entry or a head meets when its origin's documents here are old (PROTOCOL 2.6)."""
_ANSWERED = frozenset({"E_HTTP_TOO_BIG", "E_HTTP_TYPE"})


@dataclass(frozen=True, slots=True)
class PullOutcome:
    """What a pull brought.

    Args:
        peer: the peer's name.
        entries: entries taken in.
        accepted: objects that readers see now.
        quarantined: objects that wait for a person.
        rejected: entries whose content was rejected.
        seconds: how long it took.
        error: the first thing that went wrong, or None; other feeds may have come nevertheless.
        failed: the peer could not be reached or refused us as a whole: wait longer each time.
        unfinished: there is more; the time for one pull was up.
    """

    peer: str
    node_id: NodeId
    entries: int
    accepted: int
    quarantined: int
    rejected: int
    seconds: float
    error: TocsinError | None
    failed: bool = False
    unfinished: bool = False


def pull_peer(
    node: Node,
    peer: PeerRow,
    *,
    http: GuardedHttp | None = None,
    longest_seconds: float = LONGEST_PULL_SECONDS,
    is_stopping: Callable[[], bool] = lambda: False,
) -> PullOutcome:
    """Pull everything new that a peer has for this node.

    Args:
        http: the way out, else one of its own.
        longest_seconds: after that the rest is left for the next pull.
        is_stopping: tells whether to leave the rest now, asked after every page.

    Raises:
        PeerState: ``E_PEER_BLOCKED`` for a peer that is blocked or suspended here, or gone.
    """
    started = time.monotonic()
    sender = _require_pullable(node, peer)
    pulling = _PullOfPeer(
        node,
        sender,
        lambda: is_stopping() or time.monotonic() - started > longest_seconds,
    )
    failure: TocsinError | None = None
    try:
        with http_or_own(node, http) as way:
            pulling.run(reach(node, sender.base, sender.node_id, way))
    except (PeerUnreachable, PeerState, WireFormatError) as error:
        failure = error
    total = pulling.total
    outcome = PullOutcome(
        peer=sender.name,
        node_id=sender.node_id,
        entries=total.entries,
        accepted=total.accepted,
        quarantined=total.quarantined,
        rejected=total.rejected,
        seconds=time.monotonic() - started,
        error=failure or total.error,
        failed=failure is not None,
        unfinished=total.unfinished,
    )
    _record(node, outcome)
    return outcome


def _require_pullable(node: Node, peer: PeerRow) -> PeerRow:
    with node.database.read() as tx:
        found = find_peer(tx, peer.node_id)
    if found is None or not is_reading(found):
        raise PeerState(
            "E_PEER_BLOCKED",
            f"{peer.name} is blocked or suspended here, so nothing is pulled from it",
            "Lift that with `tocsin peer set PEER --trust …` or `tocsin peer resume PEER`.",
        )
    return found


def _record(node: Node, outcome: PullOutcome) -> None:
    now = node.now()
    values: dict[str, object] = {"last_pull_at": now}
    if outcome.error is None:
        values |= {"last_success_at": now, "failures": 0}
        values |= {"last_error_code": None, "last_error_detail": None, "last_error_at": None}
    else:
        values |= {
            "last_error_code": outcome.error.code,
            "last_error_detail": outcome.error.detail,
            "last_error_at": now,
        }
    with node.database.write(durable=False) as tx:
        held = find_peer(tx, outcome.node_id)
        if held is not None:
            if outcome.error is not None:
                values["failures"] = held.failures + 1
            update_peer(tx, outcome.node_id, **values)


class _PullOfPeer:
    """One pull: which feeds, in which order, and what they brought together."""

    def __init__(self, node: Node, sender: PeerRow, is_late: Callable[[], bool]) -> None:
        self.node = node
        self.sender = sender
        self.is_late = is_late
        self.total = FeedPulled()
        self.failures = 0

    def run(self, transport: PeerTransport) -> None:
        """Pull feed by feed.

        Raises:
            PeerUnreachable, PeerState, WireFormatError: what concerns the whole peer.
        """
        listed = frozenset(_listed_feeds(transport.collections()))
        stated = heads_by_feed(transport.heads())
        feeds = pull_order(
            [FeedWanted(feed) for feed in self._wanted(listed)], sender=self.sender.node_id
        )
        learned = _Origins(self.node, self.sender, transport, self.is_late)
        pull = FeedPull(self.node, self.sender, transport, self.is_late)
        for wanted in feeds:
            if self.is_late():
                self.total.unfinished = True
                return
            try:
                if learned.is_known(wanted.feed.node_id):
                    self._add(self._pull_feed(pull, wanted.feed, stated, learned))
            except (PeerState, WireFormatError) as refused:
                self._judge_refusal(refused, wanted.feed, listed)
            except (SignatureRejected, Conflict, EntryDeferred) as error:
                self._note(error)  # an origin whose documents do not hold is not believed
            except PeerUnreachable as failure:
                self._judge_failure(failure)

    def _pull_feed(
        self, pull: FeedPull, feed: FeedName, stated: Mapping[FeedName, Any], learned: _Origins
    ) -> FeedPulled:
        """Pull a feed, and once more when its origin has newer documents than we hold."""
        pulled = pull.run(feed, stated.get(feed))
        error = pulled.error
        if error is None or error.code not in _OLD_DOCUMENTS or not learned.renew(feed.node_id):
            return pulled
        again = pull.run(feed, stated.get(feed))
        again.entries += pulled.entries
        again.accepted += pulled.accepted
        again.quarantined += pulled.quarantined
        again.rejected += pulled.rejected
        return again

    def _judge_failure(self, failure: PeerUnreachable) -> None:
        """Tell a feed that the peer cannot serve from a peer that cannot be reached.

        What one origin wrote must not keep us from what comes after it in the plan: a peer that
        answers is asked for the next feed, and given up when that fails too.
        """
        self.failures += 1
        answered = failure.code in _ANSWERED or "http_status" in failure.params
        if not answered or self.failures > MOST_FAILURES:
            raise failure
        self._note(failure)

    def _wanted(self, listed: Iterable[FeedName]) -> set[FeedName]:
        """Choose the feeds to ask for.

        The peer's own ``clear``, ``green`` and direct feed are looked for even if unlisted
        (PROTOCOL 2.6): a listing that leaves one out must not hide it.
        """
        us, sender = self.node.node_id, self.sender.node_id
        own = {"clear", "green", direct_audience(us)}
        wanted = {FeedName(sender, audience) for audience in own}
        refused = self._refused_origins()
        for feed in listed:
            from_origin = feed.node_id == sender and feed.audience in own
            relayed = feed.node_id not in {us, sender, *refused} and feed.audience in _RELAYED
            if from_origin or relayed:
                wanted.add(feed)
        return wanted

    def _refused_origins(self) -> frozenset[str]:
        with self.node.database.read() as tx:
            return frozenset(peer.node_id for peer in list_peers(tx) if not is_reading(peer))

    def _judge_refusal(
        self, refused: PeerState | WireFormatError, feed: FeedName, listed: frozenset[FeedName]
    ) -> None:
        """Tell "there is no such feed for you" from what is worth a word or ends the pull."""
        if isinstance(refused, PeerState) and refused.code != "E_NOT_FOUND":
            raise refused
        if feed in listed or isinstance(refused, WireFormatError):
            self._note(refused)

    def _add(self, pulled: FeedPulled) -> None:
        total = self.total
        total.entries += pulled.entries
        total.accepted += pulled.accepted
        total.quarantined += pulled.quarantined
        total.rejected += pulled.rejected
        total.unfinished = total.unfinished or pulled.unfinished
        if pulled.error is not None:
            self._note(pulled.error)

    def _note(self, error: TocsinError) -> None:
        self.total.error = self.total.error or error


class _Origins:
    """Which nodes' chains are pinned here, learning those that are not from the sender."""

    def __init__(
        self,
        node: Node,
        sender: PeerRow,
        transport: PeerTransport,
        is_late: Callable[[], bool],
    ) -> None:
        self.node = node
        self.sender = sender
        self.transport = transport
        self.is_late = is_late
        self.learned = 0
        self.renewed: set[NodeId] = set()

    def is_known(self, node_id: NodeId) -> bool:
        """Tell whether a node is pinned, after learning it when that is needed and still free.

        Raises:
            TocsinError: it could not be learned.
        """
        with self.node.database.read() as tx:
            if find_pinned(tx, node_id) is not None:
                return True
        if self.learned >= MOST_NEW_ORIGINS:
            return False
        self._learn(node_id)
        return True

    def renew(self, node_id: NodeId) -> bool:
        """Fetch a node's chain again, once in a pull; tell whether it has grown.

        Raises:
            TocsinError: it could not be had, or does not hold.
        """
        if node_id in self.renewed or self.learned >= MOST_NEW_ORIGINS:
            return False
        self.renewed.add(node_id)
        with self.node.database.read() as tx:
            before = find_pinned(tx, node_id)
        return before is None or self._learn(node_id).newest.version > before.newest.version

    def _learn(self, node_id: NodeId) -> PinnedNode:
        self.learned += 1
        return learn_node(
            self.node, node_id, self.transport, sender=self.sender, is_late=self.is_late
        )


def _listed_feeds(collections: Iterable[Mapping[str, Any]]) -> Iterator[FeedName]:
    """Read the feeds of a listing; what is not one of ours to read is passed over.

    The id is a hint that has to agree with the feed's name, from which alone we build addresses.
    """
    for collection in collections:
        try:
            feed = FeedName.read(collection.get("x_tocsin_feed"))
        except WireFormatError:
            continue
        if collection.get("id") == feed.collection_id and collection.get("can_read") is True:
            yield feed
