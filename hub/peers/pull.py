"""Pull from one peer: its own feeds, and those of others that it relays to us.

Invariants:
* a blocked or suspended peer is not pulled, and what it wrote is not taken through others either;
* our own feeds, mirrored back, are passed over; of others' feeds a peer gives us ``clear`` and
  ``green`` alone, of its own also those to us and to groups that we are in;
* what stops one feed stops no other; what concerns the wire, or this node as a reader, stops the
  pull, for it would meet every feed alike;
* the outcome is in the peer's row, whatever happened.

Because every peer's listing is walked, the feeds of an origin that cannot be reached come through
any other peer that relays them: nothing has to be switched over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from federation.delivery.plan import ROUTINE, FeedWanted, pull_order, read_urgency
from federation.errors import EntryDeferred, PeerState, PeerUnreachable, SignatureRejected
from federation.transport.guarded_http import GuardedHttp
from federation.transport.peer_client import FeedSource, HttpPeer
from hub.errors import Conflict
from hub.exchange.epochs import epochs_to_ask
from hub.exchange.rejudging import rejudge
from hub.node import Node
from hub.peers.admit import is_reading
from hub.peers.conduct import note_signatures
from hub.peers.gossip import compare_heads, plan_evidence
from hub.peers.learned_origins import Origins
from hub.peers.outbound import http_or_own, note_answers, reach
from hub.peers.owed_acks import plan_acks
from hub.peers.own_heads import hear_own_heads
from hub.peers.paced import PacedPeer
from hub.peers.pull_feed import FeedPull, FeedPulled
from hub.peers.read_ahead import reading_ahead
from hub.peers.stated_heads import heads_by_feed
from hub.peers.wire_version import agree_on_version
from hub.storage.queries.feeds import list_feeds
from hub.storage.queries.peers import PeerRow, find_peer, list_peers, update_peer
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import FeedName, NodeId, direct_audience

LONGEST_PULL_SECONDS = 240.0
"""Then the rest waits for its next turn, so that no long feed keeps the other peers waiting."""
PUSHES_WITHIN = timedelta(hours=24)
"""A peer that pushed within it is not missed when it cannot be reached."""
MOST_FAILURES = 3
"""Feeds that a peer fails to serve in one pull before it counts as unreachable."""
_RELAYED = frozenset({"clear", "green"})
_OLD_DOCUMENTS = frozenset({"E_KEY_UNKNOWN", "E_KEY_REVOKED", "E_NODE_EXPIRED", "E_FEED"})
"""What an entry or a head meets when its origin's documents here are old (PROTOCOL 2.6)."""
_OF_ONE_FEED = frozenset({"E_NOT_FOUND", "E_ERASED"})
"""Refusals that say nothing of the peer's other feeds; what it erased, others may still have."""
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
        answers=True,
    )
    failure: TocsinError | None = None
    direct: HttpPeer | None = None
    try:
        with http_or_own(node, http) as way:
            direct = reach(node, sender.base, sender.node_id, way)
            agree_on_version(node, sender, direct)
            paced = PacedPeer(
                direct,
                sender.node_id,
                node.line.inbound,
                limit=sender.page_limit,
                is_late=pulling.is_late,
            )
            if node.line.inbound.rate is None:
                with reading_ahead(paced, pulling.is_late) as source:
                    pulling.run(source)
            else:
                pulling.run(paced)
            _remember_line(node, sender, paced.limit)
    except (PeerUnreachable, PeerState, WireFormatError) as error:
        failure = error
    except (SignatureRejected, Conflict, EntryDeferred) as error:
        failure = error  # of the peer's own documents; those of other origins stop no pull
    for origin in sorted({feed.node_id for feed, came in pulling.by_feed.items() if came.entries}):
        rejudge(node, origin)
    note_signatures(node, sender, pulling.by_feed)
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
    note_answers(node, sender.node_id, direct)
    return outcome


@dataclass(frozen=True, slots=True)
class PulledThrough:
    """What reading from a source brought, feed by feed in the order in which they were read."""

    feeds: Mapping[FeedName, FeedPulled]
    unfinished: bool


def pull_through(
    node: Node,
    peer: PeerRow,
    source: FeedSource,
    *,
    is_stopping: Callable[[], bool] = lambda: False,
) -> PulledThrough:
    """Take in what a peer handed over by another way than the network.

    The same checks as for a pull; nothing is noted of whether the peer can be reached.

    Raises:
        PeerState: ``E_PEER_BLOCKED``.
        WireFormatError, PeerUnreachable: what concerns the whole source.
    """
    pulling = _PullOfPeer(node, _require_pullable(node, peer), is_stopping)
    pulling.run(source)
    return PulledThrough(pulling.by_feed, pulling.total.unfinished)


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
            if _pushes(held, outcome, now):
                # Nobody can reach it, and it needs nobody to: that is no news to its operator.
                values = {"last_pull_at": now}
            elif outcome.error is not None:
                values["failures"] = held.failures + 1
            update_peer(tx, outcome.node_id, **values)
            plan_evidence(tx, node, held)
            plan_acks(tx, now)


def _pushes(peer: PeerRow, outcome: PullOutcome, now: datetime) -> bool:
    """Tell whether a peer could not be reached that pushes what it has, lately enough."""
    is_away = outcome.failed and isinstance(outcome.error, PeerUnreachable)
    return is_away and peer.pushed_at is not None and now - peer.pushed_at < PUSHES_WITHIN


def _remember_line(node: Node, sender: PeerRow, limit: int | None) -> None:
    """Begin the next pull with the pages that the line bore in this one."""
    if limit != sender.page_limit:
        with node.database.write(durable=False) as tx:
            update_peer(tx, sender.node_id, page_limit=limit)


class _PullOfPeer:
    """One pull: which feeds, in which order, and what they brought together."""

    def __init__(
        self, node: Node, sender: PeerRow, is_late: Callable[[], bool], *, answers: bool = False
    ) -> None:
        self.node = node
        self.sender = sender
        self.is_late = is_late
        self.answers = answers  # now, so that its word on our own feeds counts
        self.total = FeedPulled()
        self.by_feed: dict[FeedName, FeedPulled] = {}
        self.failures = 0
        self.behind: set[NodeId] = set()  # origins of which a wider feed was not read to its end

    def run(self, transport: FeedSource) -> None:
        """Pull feed by feed.

        Raises:
            PeerUnreachable, PeerState, WireFormatError: what concerns the whole peer.
        """
        listed = dict(_listed_feeds(transport.collections()))
        heads = transport.heads()
        compare_heads(self.node, self.sender, heads)
        if self.answers:
            hear_own_heads(self.node, self.sender, transport, heads)
        stated = heads_by_feed(heads)
        urgencies = self._urgencies(listed)
        feeds = pull_order(
            [FeedWanted(feed, urgencies.get(feed, ROUTINE)) for feed in self._wanted(listed)],
            sender=self.sender.node_id,
        )
        learned = Origins(self.node, self.sender, transport, self.is_late)
        pull = FeedPull(self.node, self.sender, transport, self.is_late)
        for wanted in feeds:
            if self.is_late():
                self.total.unfinished = True
                return
            try:
                if learned.is_known(wanted.feed.node_id):
                    self._add(wanted.feed, self._pull_feed(pull, wanted.feed, stated, learned))
                else:
                    self.total.unfinished = True  # the next pull learns more origins
            except (PeerState, WireFormatError) as refused:
                self._judge_refusal(refused, wanted.feed, listed)
            except (SignatureRejected, Conflict, EntryDeferred) as error:
                # An origin whose documents do not hold is not believed.
                self._note(error, wanted.feed)
            except PeerUnreachable as failure:
                self._judge_failure(failure, wanted.feed)

    def _urgencies(self, listed: Mapping[FeedName, object]) -> dict[FeedName, str]:
        """Read what the listing says of entries that we do not hold yet."""
        stated = {feed: hint for feed, hint in listed.items() if hint is not None}
        if not stated:
            return {}
        with self.node.database.read() as tx:
            held = {row.name: row.last_seq for row in list_feeds(tx)}
        return {feed: read_urgency(hint, held.get(feed, 0)) for feed, hint in stated.items()}

    def _pull_feed(
        self, pull: FeedPull, feed: FeedName, stated: Mapping[FeedName, Any], learned: Origins
    ) -> FeedPulled:
        """Pull a feed, and once more when its origin has newer documents than we hold."""
        wider_whole = feed.node_id not in self.behind
        pulled = pull.run(feed, stated.get(feed), wider_whole=wider_whole)
        error = pulled.error
        if error is None or error.code not in _OLD_DOCUMENTS or not learned.renew(feed.node_id):
            return pulled
        again = pull.run(feed, stated.get(feed), wider_whole=wider_whole)
        again.entries += pulled.entries
        again.accepted += pulled.accepted
        again.quarantined += pulled.quarantined
        again.rejected += pulled.rejected
        return again

    def _judge_failure(self, failure: PeerUnreachable, feed: FeedName) -> None:
        """Tell a feed that the peer cannot serve from a peer that cannot be reached.

        What one origin wrote must not keep us from what comes after it in the plan: a peer that
        answers is asked for the next feed, and given up when that fails too.
        """
        self.failures += 1
        answered = failure.code in _ANSWERED or "http_status" in failure.params
        if not answered or self.failures > MOST_FAILURES:
            raise failure
        self._note(failure, feed)

    def _wanted(self, listed: Iterable[FeedName]) -> set[FeedName]:
        """Choose the feeds to ask for.

        The peer's own ``clear``, ``green`` and direct feed, each epoch, are looked for even if
        unlisted (PROTOCOL 2.6): a listing that leaves one out must not hide it.
        """
        us, sender = self.node.node_id, self.sender.node_id
        own = {"clear", "green", direct_audience(us)}
        with self.node.database.read() as tx:
            wanted = {feed for audience in own for feed in epochs_to_ask(tx, sender, audience)}
            refused = {peer.node_id for peer in list_peers(tx) if not is_reading(peer)}
        for feed in listed:
            # Groups have names that nobody can derive: they are known by the listing alone, and
            # taken from whoever wrote them and from nobody else (PROTOCOL 2.4).
            from_origin = feed.node_id == sender and (feed.audience in own or feed.kind == "group")
            relayed = feed.node_id not in {us, sender, *refused} and feed.audience in _RELAYED
            if from_origin or relayed:
                wanted.add(feed)
        return wanted

    def _judge_refusal(
        self, refused: PeerState | WireFormatError, feed: FeedName, listed: Collection[FeedName]
    ) -> None:
        """Tell "there is no such feed for you" from what is worth a word or ends the pull."""
        if isinstance(refused, PeerState) and refused.code not in _OF_ONE_FEED:
            raise refused
        if feed in listed or isinstance(refused, WireFormatError):
            self._note(refused, feed)

    def _add(self, feed: FeedName, pulled: FeedPulled) -> None:
        self.by_feed[feed] = pulled
        if not pulled.whole:
            self.behind.add(feed.node_id)
        total = self.total
        total.entries += pulled.entries
        total.accepted += pulled.accepted
        total.quarantined += pulled.quarantined
        total.rejected += pulled.rejected
        total.unfinished = total.unfinished or pulled.unfinished
        if pulled.error is not None:
            self._note(pulled.error, feed)

    def _note(self, error: TocsinError, feed: FeedName) -> None:
        self.by_feed.setdefault(feed, FeedPulled(error=error))
        self.behind.add(feed.node_id)
        self.total.error = self.total.error or error


def _listed_feeds(
    collections: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[FeedName, object]]:
    """Read the feeds of a listing with its hint at their urgency; what is not ours is passed over.

    The id is a hint that has to agree with the feed's name, from which alone we build addresses.
    """
    for collection in collections:
        try:
            feed = FeedName.read(collection.get("x_tocsin_feed"))
        except WireFormatError:
            continue
        if collection.get("id") == feed.collection_id and collection.get("can_read") is True:
            yield feed, collection.get("x_tocsin_urgency")
