"""A page of a feed, opened and judged as far as no store is needed (PROTOCOL 2.4).

Steps (1) and (2) of ``hub.exchange.receive``, and what both of its ways of storing speak of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from federation.errors import ChainBroken, ContentRejected, SignatureRejected
from federation.feeds.entry import OpenedEntry, open_entry
from federation.feeds.records import check_hints
from federation.feeds.stubs import Stub, is_stub, read_stub
from federation.identity.node_document import PinnedNode
from hub.exchange.received_content import JudgedContent, judge_content
from hub.peers.budgets import BYTES_AN_OBJECT
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import EntryHash, FeedName

MARKS_AN_OBJECT = 8
"""What counts as one object of ids that are taken back: each may leave a row of some 500 bytes."""


@dataclass(frozen=True, slots=True)
class Received:
    """What one page brought.

    Args:
        entries: how many entries advanced the chain.
        accepted: objects that readers see now.
        quarantined: objects that wait for a person.
        rejected: entries whose content was rejected.
        duplicates: entries that were held already.
        last_seq: where the chain stands.
        error: what stopped the feed, or None; what came before it is committed.
        results: of each entry before what stopped it: ``stored``, ``dup`` or ``rejected E_…``.
    """

    entries: int = 0
    accepted: int = 0
    quarantined: int = 0
    rejected: int = 0
    duplicates: int = 0
    last_seq: int = 0
    error: TocsinError | None = None
    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was opened behind a page without taking it, for entries under a revoked key.

    Args:
        hashes: by seq, linked to each other along ``prev``.
        ended: they reach the end of the feed.
    """

    hashes: Mapping[int, EntryHash] = field(default_factory=dict)
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """An entry that was opened, and what its content alone comes to."""

    entry: OpenedEntry
    content: JudgedContent | ContentRejected

    @property
    def seq(self) -> int:
        """The entry's place, as signed."""
        return self.entry.header.seq

    @property
    def hash(self) -> EntryHash:
        """The entry's hash, computed."""
        return self.entry.hash


Item = Judged | Stub
"""What stands at one place of a page."""


def open_and_judge(
    objects: Sequence[Mapping[str, object]], origin: PinnedNode, feed: FeedName
) -> tuple[list[Item], TocsinError | None]:
    """Do all that needs no store; stop at the first entry that cannot be trusted."""
    judged: list[Item] = []
    for value in objects:
        try:
            if is_stub(value):
                judged.append(read_stub(value, feed))
                continue
            entry = open_entry(value.get("dsse"), pinned=origin, feed=feed)
            check_hints(value, entry)
        except (WireFormatError, SignatureRejected, ChainBroken) as error:
            return judged, error
        content: JudgedContent | ContentRejected
        try:
            content = judge_content(entry, origin)
        except ContentRejected as rejected:
            content = rejected
        judged.append(Judged(entry, content))
    return judged, None


def weight_of(item: Item) -> int:
    """Tell how many objects an entry counts as: those that it carries, or that it has room for.

    Entries without objects and rejected ones cost us room and work too: without a count of
    theirs a peer could fill the disk with them (THREATS 36). A full payload counts as 64. What is
    named and may leave a row here, though it never came, counts too.
    """
    if isinstance(item, Stub):
        return 1
    carried = named = 0
    if isinstance(item.content, JudgedContent):
        carried, named = len(item.content.objects), len(item.content.content.ids)
    room = len(item.entry.envelope.payload) // BYTES_AN_OBJECT
    return max(1, carried, room, named // MARKS_AN_OBJECT)
