"""Look at how the exchange stands, and raise or end alarms: silence is one (PROTOCOL 2.5, 4.7).

Invariants:
* what is looked at was recorded before: nothing is asked over the network;
* every alarm that is raised here is ended here, when its reason is gone;
* a peer that is blocked or suspended is a stranger, of whom nothing is expected.

What it does not do: the alarms of evidence, which whoever finds it raises and a person closes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from hub.exchange.serve_feeds import may_read
from hub.monitoring.alarms import (
    BLOB_STORE_FULL,
    BLOBS_MISSING,
    CLOCK_SKEW,
    DOCUMENT_ENDS,
    FEED_BEHIND,
    FEED_FROZEN,
    HEAD_STALE,
    PEER_BEHIND,
    PEER_SILENT,
    end_alarm,
    raise_alarm,
)
from hub.monitoring.blob_state import missing_blobs, store_is_full
from hub.monitoring.endings import endings
from hub.monitoring.exchange_state import FeedExchange, feed_exchanges
from hub.node import Node
from hub.peers.admit import is_reading
from hub.peers.freeze import FROZEN, frozen_facts
from hub.storage.queries.alarms import find_open_alarm, list_alarms
from hub.storage.queries.contacts import ContactRow, list_contacts
from hub.storage.queries.evidence import last_freeze
from hub.storage.queries.feeds import find_entry
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.queries.stated_heads import heads_stated_of
from hub.storage.transaction import Transaction
from hub.verdicts.outcomes import demote_expired
from schemas.identifiers import NodeId

LEAST_PATIENCE: Final = timedelta(hours=1)
INTERVALS: Final = 4
"""Pull intervals without a word before silence is an alarm, and an hour at least."""
MOST_SKEW: Final = timedelta(seconds=60)
CALM_SKEW: Final = timedelta(seconds=40)
"""Once alarmed, the clocks have to agree this well: what stays near the limit is one alarm."""
CLOCK_FRESH: Final = timedelta(hours=1)
"""How long an offset counts; after that the clocks may have been set."""
_WATCHED: Final = (
    PEER_SILENT,
    PEER_BEHIND,
    FEED_BEHIND,
    FEED_FROZEN,
    HEAD_STALE,
    CLOCK_SKEW,
    DOCUMENT_ENDS,
    BLOBS_MISSING,
    BLOB_STORE_FULL,
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an alarm should be open now."""

    code: str
    subject: str
    params: Mapping[str, object] = field(default_factory=dict)


def watch_exchange(node: Node) -> None:
    """Raise the alarms that have a reason now, and end those that have none any more."""
    now = node.now()
    with node.database.read() as tx:
        if not _differs(tx, _reasons(tx, node, now)):
            return
    with node.database.write(durable=False) as tx:
        reasons = _reasons(tx, node, now)
        wanted = {(reason.code, reason.subject) for reason in reasons}
        for reason in reasons:
            if _has_run_out(tx, reason):
                demote_expired(tx, NodeId(reason.subject), now)
            raise_alarm(tx, reason.code, reason.subject, now, **reason.params)
        for alarm in list_alarms(tx):
            if alarm.code in _WATCHED and (alarm.code, alarm.subject) not in wanted:
                end_alarm(tx, alarm.code, alarm.subject, now)


def _has_run_out(tx: Transaction, reason: Reason) -> bool:
    """Tell whether a document was not known to have run out before."""
    if reason.code != DOCUMENT_ENDS or not _says_it_ran_out(reason.params):
        return False
    known = find_open_alarm(tx, DOCUMENT_ENDS, reason.subject)
    return known is None or not _says_it_ran_out(known.params)


def _says_it_ran_out(params: Mapping[str, object]) -> bool:
    return params.get("what") == "document" and params.get("ended") is True


def patience_of(node: Node) -> timedelta:
    """Return how long nothing may be heard of a peer before it counts as silent."""
    return max(LEAST_PATIENCE, INTERVALS * timedelta(seconds=node.settings.pull_interval_seconds))


def _differs(tx: Transaction, reasons: Iterable[Reason]) -> bool:
    known = {
        (alarm.code, alarm.subject): dict(alarm.params)
        for alarm in list_alarms(tx)
        if alarm.code in _WATCHED
    }
    return known != {(each.code, each.subject): dict(each.params) for each in reasons}


def _reasons(tx: Transaction, node: Node, now: datetime) -> list[Reason]:
    every = list_peers(tx)
    strangers = {peer.node_id for peer in every if not is_reading(peer)}
    peers = [peer for peer in every if is_reading(peer)]
    contacts = list_contacts(tx)
    held = feed_exchanges(tx, now)
    feeds = [each for each in held if each.feed.node_id not in strangers]
    patience = patience_of(node)
    return [
        *_silent(peers, contacts, now - patience),
        *_behind(tx, peers, contacts, feeds, now - patience),
        *_feeds_behind(tx, feeds, now - patience),
        *_stale(feeds, contacts, now - patience),
        *_frozen(tx, held),
        *(Reason(DOCUMENT_ENDS, *ending) for ending in endings(tx, node, peers, now)),
        *_skewed(tx, [contacts[p.node_id] for p in peers if p.node_id in contacts], now),
        *(Reason(BLOBS_MISSING, *missing) for missing in missing_blobs(tx, every, now - patience)),
        *(Reason(BLOB_STORE_FULL, "blobs", full) for full in store_is_full(tx, node)),
    ]


def _silent(
    peers: Iterable[PeerRow], contacts: Mapping[NodeId, ContactRow], since: datetime
) -> Iterator[Reason]:
    """Find the peers of which no word came in either direction."""
    for peer in peers:
        contact = contacts.get(peer.node_id, ContactRow(peer.node_id))
        words = [peer.added_at, peer.last_success_at, contact.last_word_at]
        heard = max(at for at in words if at is not None)
        if heard < since:
            yield Reason(
                PEER_SILENT,
                peer.node_id,
                {"peer": peer.node_id, "name": peer.name, "since": heard.isoformat(),
                 "error": peer.last_error_code},
            )  # fmt: skip


def _behind(
    tx: Transaction,
    peers: Iterable[PeerRow],
    contacts: Mapping[NodeId, ContactRow],
    feeds: Iterable[FeedExchange],
    since: datetime,
) -> Iterator[Reason]:
    """Find the peers that spoke since, and yet do not hold what this node published before."""
    own = [each for each in feeds if each.feed.own]
    for peer in peers:
        contact = contacts.get(peer.node_id)
        if contact is None or contact.last_word_at is None or contact.last_word_at < since:
            continue
        late = {
            each.feed.feed: each.feed.last_seq - each.held_by[peer.node_id]
            for each in own
            if peer.node_id in each.held_by
            and _waits_since(tx, each, each.held_by[peer.node_id], since)
            and may_read(tx, each.feed, peer)
        }
        if late:
            yield Reason(
                PEER_BEHIND,
                peer.node_id,
                {"peer": peer.node_id, "name": peer.name, "feeds": late},
            )


def _waits_since(tx: Transaction, each: FeedExchange, held: int, since: datetime) -> bool:
    """Tell whether the first entry that a peer lacks was there, to be had, before that moment."""
    entry = find_entry(tx, each.feed.feed_row, held + 1)
    return entry is not None and bool(entry.record) and entry.received_at < since


def _feeds_behind(
    tx: Transaction, feeds: Iterable[FeedExchange], since: datetime
) -> Iterator[Reason]:
    """Find the feeds of which a head has stated more for long than this node could get."""
    for each in feeds:
        if each.feed.own or each.feed.state != "open" or not each.behind:
            continue
        ahead = [
            head for head in heads_stated_of(tx, each.feed.feed) if head.seq > each.feed.last_seq
        ]
        if ahead and min(head.stated_at for head in ahead) < since:
            yield Reason(
                FEED_BEHIND,
                each.feed.feed,
                {"feed": each.feed.feed, "origin": each.feed.node_id, "behind": each.behind},
            )


def _stale(
    feeds: Iterable[FeedExchange], contacts: Mapping[NodeId, ContactRow], since: datetime
) -> Iterator[Reason]:
    """Find the feeds whose newest head has expired: frozen by its origin, or hidden from us.

    A group's feed comes from its origin alone, and whoever leaves the group is not told: where the
    origin speaks and serves it no more, we are out, which is no alarm that anybody could end.
    """
    for each in feeds:
        if each.stale and each.head_expires_at is not None:
            contact = contacts.get(each.feed.node_id)
            word = None if contact is None else contact.last_word_at
            if each.feed.name.kind == "group" and word is not None and word >= since:
                continue
            yield Reason(
                HEAD_STALE,
                each.feed.feed,
                {"feed": each.feed.feed, "origin": each.feed.node_id,
                 "expired": each.head_expires_at.isoformat()},
            )  # fmt: skip


def _frozen(tx: Transaction, feeds: Iterable[FeedExchange]) -> Iterator[Reason]:
    """Find the feeds that are frozen; whoever froze one raised the alarm already."""
    for each in feeds:
        if each.feed.state == FROZEN:
            freeze = last_freeze(tx, each.feed.feed)
            why = "E_FORK" if freeze is None else freeze.why
            yield Reason(FEED_FROZEN, each.feed.feed, frozen_facts(each.feed, why))


def _skewed(tx: Transaction, contacts: Iterable[ContactRow], now: datetime) -> Iterator[Reason]:
    """Compare our clock with the median of what peers' said (PROTOCOL 4.7)."""
    offsets = [offset for contact in contacts if (offset := _offset(contact, now)) is not None]
    if not offsets:
        return
    middle = int(median(offsets))
    is_open = find_open_alarm(tx, CLOCK_SKEW, "clock") is not None
    most = CALM_SKEW if is_open else MOST_SKEW
    if abs(middle) > most.total_seconds():
        # Not the offset itself, which changes by the second: the alarm would be told anew.
        direction = "behind" if middle > 0 else "ahead"
        yield Reason(CLOCK_SKEW, "clock", {"ours_is": direction, "peers": len(offsets)})


def _offset(contact: ContactRow, now: datetime) -> int | None:
    """Return how far a peer's clock is ahead: as it signed, else as its server's answers say.

    What it signed is worth more, but a request that is five minutes off is refused before it can
    tell; then the Date of its answers does.
    """
    for offset, at in (
        (contact.signed_offset, contact.signed_offset_at),
        (contact.date_offset, contact.date_offset_at),
    ):
        if offset is not None and at is not None and abs(now - at) <= CLOCK_FRESH:
            return offset
    return None
