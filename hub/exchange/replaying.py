"""Say an origin's entries once more, in the order in which they came, and see what comes out.

Runs inside a savepoint that the caller rolls back: for its length the origin has nothing but what
these entries give it. The rules are those of receipt (``received_objects``), with two differences:
* the trust gate is not asked again: what a version was let in as, by the trust of its day or by a
  person, stands;
* rival claims of other origins are not settled here, since the others stay as they are; whoever
  calls settles them for the ids that have changed.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from federation.errors import ContentRejected
from federation.feeds.chain import closes_feed
from federation.feeds.entry import OpenedEntry, read_header
from federation.identity.node_document import PinnedNode
from hub.exchange.received_content import JudgedContent, JudgedObject, judge_content
from hub.exchange.received_objects import ReceivedObjects
from hub.storage.queries.feeds import FeedRow
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.peers import PeerRow
from hub.storage.queries.void_entries import HeldEntry, entries_of
from hub.storage.transaction import Transaction
from schemas.identifiers import KeyId
from schemas.signed_envelope import ENTRY_TYPE, read_envelope
from schemas.stix.objects import version_of
from schemas.strict_json import strict_loads

VersionKey = tuple[str, str]
"""A STIX id and a version of it."""
Admitted = tuple[str, str | None]
"""The state in which a version was let in, and why where it was not accepted."""
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Said:
    """What one entry said.

    Args:
        code: why it was rejected; None when it was not.
        tlp: its label; None where nothing could be read.
    """

    feed: FeedRow
    entry: OpenedEntry
    content: JudgedContent | None
    code: str | None

    @property
    def place(self) -> tuple[int, int]:
        """The feed's number and the entry's."""
        return self.feed.feed_row, self.entry.header.seq


@dataclass(slots=True)
class Replay:
    """What came out beside the versions in the store.

    Args:
        codes: by place, why an entry was rejected; None when it was not.
        releases: by version, the laxest label that a good entry released it to in advance.
        told: entries that say something beside their objects.
        closed: numbers of the feeds that were closed.
        took_back: numbers of the feeds from which something was taken back.
    """

    codes: dict[tuple[int, int], str | None] = field(default_factory=dict)
    releases: dict[VersionKey, int] = field(default_factory=dict)
    told: list[Said] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    took_back: set[int] = field(default_factory=set)

    def note(self, said: Said) -> None:
        """Note what an entry came to."""
        self.codes[said.place] = said.code
        if closes_feed(said.entry):
            self.closed.add(said.feed.feed_row)
        if said.content is None or said.code is not None:
            return
        content = said.content.content
        if content.vouches or content.group is not None or content.policy.urgency is not None:
            self.told.append(said)
        release = content.policy.release
        if release is None:
            return
        for item in said.content.objects:
            key = (item.stix_id, version_of(item.value))
            self.releases[key] = min(int(release.tlp), self.releases.get(key, int(release.tlp)))


def replay(
    tx: Transaction,
    origin: PinnedNode,
    peer: PeerRow | None,
    feeds: Sequence[FeedRow],
    admitted: Mapping[VersionKey, Admitted],
    now: datetime,
) -> Replay:
    """Say all entries of these feeds of one origin again.

    Args:
        peer: the origin as a peer, for versions of which ``admitted`` says nothing.
        admitted: how versions were let in when they came.
    """
    found = Replay()
    for part in _parts(_in_order(tx, feeds)):
        feed = part[0][0]
        judged = [_judge(origin, entry) for _, entry in part]
        objects = _Readmitted(tx, origin, peer, feed, now, admitted)
        objects.load([content for _, content in judged if isinstance(content, JudgedContent)])
        for opened, content in judged:
            found.note(_say(objects, feed, opened, content))
        objects.store()
        if objects.taken_back:
            found.took_back.add(feed.feed_row)
    return found


class _Readmitted(ReceivedObjects):
    """The objects of entries that came before."""

    def __init__(self, *page: Any) -> None:
        *rest, admitted = page
        super().__init__(*rest)
        self._before: Mapping[VersionKey, Admitted] = admitted

    def _admitted(self, judged: JudgedContent, item: JudgedObject) -> Admitted:
        before = self._before.get((item.stix_id, version_of(item.value)))
        if before == ("accepted", None):
            before = self.gate.let_in
        # An exercise is one, whatever the version came to when it was said for real.
        return before if before and not judged.exercise else super()._admitted(judged, item)

    def _settle_claims(self, row: ObjectRow, item: JudgedObject) -> ObjectRow:
        del item
        return row


def _parts(
    pairs: Iterator[tuple[FeedRow, HeldEntry]],
) -> Iterator[list[tuple[FeedRow, HeldEntry]]]:
    """Cut the entries into parts of one feed each, as pages were."""
    part: list[tuple[FeedRow, HeldEntry]] = []
    for feed, entry in pairs:
        if part and (part[0][0].feed_row != feed.feed_row or len(part) == _AT_ONCE):
            yield part
            part = []
        part.append((feed, entry))
    if part:
        yield part


def _in_order(tx: Transaction, feeds: Sequence[FeedRow]) -> Iterator[tuple[FeedRow, HeldEntry]]:
    """Merge the feeds by the time of receipt; within a feed the chain's order stands."""
    merged = heapq.merge(*(_timed(tx, feed) for feed in feeds), key=lambda item: item[0])
    for _, feed, entry in merged:
        yield feed, entry


def _timed(
    tx: Transaction, feed: FeedRow
) -> Iterator[tuple[tuple[datetime, int], FeedRow, HeldEntry]]:
    latest: datetime | None = None
    for entry in entries_of(tx, feed.feed_row):
        # Our clock may have gone back meanwhile; the chain did not.
        latest = entry.received_at if latest is None else max(latest, entry.received_at)
        if _has_bytes(entry):
            yield (latest, feed.feed_row), feed, entry


def _has_bytes(entry: HeldEntry) -> bool:
    # What was erased says nothing any more, and a stub never did.
    return bool(entry.record) and strict_loads(entry.record).get("dsse") is not None


def _judge(
    origin: PinnedNode, held: HeldEntry
) -> tuple[OpenedEntry, JudgedContent | ContentRejected]:
    """Read an entry that was verified when it came; no signature is checked again."""
    value = strict_loads(held.record)["dsse"]
    envelope = read_envelope(value, ENTRY_TYPE)
    body = strict_loads(envelope.payload)
    kid = KeyId(envelope.signatures[0].keyid)
    entry = OpenedEntry(envelope, held.hash, read_header(body), body, kid)
    try:
        return entry, judge_content(entry, origin)
    except ContentRejected as rejected:
        return entry, rejected


def _say(
    objects: ReceivedObjects,
    feed: FeedRow,
    entry: OpenedEntry,
    content: JudgedContent | ContentRejected,
) -> Said:
    if isinstance(content, ContentRejected):
        return Said(feed, entry, None, content.code)
    try:
        objects.admit(entry, content)
    except ContentRejected as rejected:
        return Said(feed, entry, content, rejected.code)
    return Said(feed, entry, content, None)
