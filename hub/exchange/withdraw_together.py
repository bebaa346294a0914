"""Withdraw many own objects in a few entries: what undoing an import of 250,000 names needs.

Decides which objects can share an entry: those whose every reader reads the feeds that carried
them, with one label. Each of them is withdrawn as ``withdraw`` does it; what asks for more care, an
object that was restricted or whose group has changed since, is left to it.

Invariant: nobody is told of an object that he could not read (``later_words``): an object goes with
others only where the feeds that reach its readers are the feeds that carried it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hub.exchange import visible
from hub.exchange.held_versions import is_mark
from hub.exchange.own_feeds import wake_readers
from hub.exchange.publishing_order import MAX_BYTES, MAX_OBJECTS
from hub.exchange.receipts import note_taken_back
from hub.exchange.withdraw import append_retract, ended_version
from hub.node import Node
from hub.peers.groups import feeds_that_reach
from hub.storage.queries import objects as stored
from hub.storage.queries.claims import VERDICT_STATE
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.peers import list_peers
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName

_ENDED: Final = frozenset({"withdrawn", "erased"})


@dataclass(slots=True)
class WithdrawnTogether:
    """What one call did.

    Args:
        stix_ids: what was withdrawn.
        entries: how many entries that took.
        apart: what has to be withdrawn by itself (``withdraw.withdraw_object``).
        gone: how many were withdrawn before.
    """

    stix_ids: list[str] = field(default_factory=list)
    entries: int = 0
    apart: list[str] = field(default_factory=list)
    gone: int = 0


@dataclass(frozen=True, slots=True)
class _Ending:
    stix_id: str
    rows: Sequence[ObjectRow]
    last: tuple[ObjectRow, bytes] | None
    feeds: tuple[FeedName, ...]

    @property
    def alike(self) -> tuple[object, ...]:
        """What has to be equal for two of them to share an entry."""
        row = self.rows[-1]
        label = None if self.last is None else (row.tlp, row.exercise)
        return tuple(str(feed) for feed in self.feeds), label


def withdraw_together(
    tx: Transaction, node: Node, stix_ids: Sequence[str], reason: str, now: datetime
) -> WithdrawnTogether:
    """Withdraw objects inside a write; the caller audits it.

    Args:
        stix_ids: at most some thousands, so that nobody waits long for the write.
        reason: told to every peer that may have them; at most 1,024 characters.
    """
    done = WithdrawnTogether()
    endings = _endings(tx, node, stix_ids, done, now)
    groups: dict[tuple[object, ...], list[_Ending]] = {}
    for ending in endings:
        groups.setdefault(ending.alike, []).append(ending)
    links: list[tuple[int, int, int]] = []
    peers = list_peers(tx)
    for group in groups.values():
        for part in _parts(group):
            links += _append(tx, node, part, reason, now)
            done.entries += len(part[0].feeds)
            done.stix_ids += [ending.stix_id for ending in part]
        wake_readers(tx, group[0].feeds, peers, now)
    _store(tx, endings, links, now)
    return done


def _endings(
    tx: Transaction, node: Node, stix_ids: Sequence[str], done: WithdrawnTogether, now: datetime
) -> list[_Ending]:
    live: dict[str, list[ObjectRow]] = {}
    for stix_id, claims in stored.claims_of(tx, stix_ids).items():
        rows = [
            row
            for row in claims
            if row.origin == node.node_id and not is_mark(row) and row.state != VERDICT_STATE
        ]
        if not rows or rows[-1].revoked or rows[-1].state in _ENDED:
            done.gone += 1
        elif any(row.state == "withheld" or row.exercise for row in rows):
            done.apart.append(stix_id)
        else:
            live[stix_id] = rows
    carried = _newest_seqs(tx, live)
    reach: dict[tuple[str, int], tuple[FeedName, ...]] = {}
    targets: dict[str, tuple[FeedName, ...]] = {}
    for stix_id in list(live):
        feeds = _targets(tx, node, carried.get(stix_id, {}), reach)
        if feeds is None:
            done.apart.append(stix_id)
            del live[stix_id]
        else:
            targets[stix_id] = feeds
    contents = stored.contents_of(tx, [rows[-1].object_row for rows in live.values()])
    # One each; those of what has no versions stay unused.
    numbers = itertools.count(stored.claim_object_rows(tx, max(len(live), 1)))
    return [
        _Ending(
            stix_id,
            rows,
            ended_version(
                node, rows, rows[-1], contents[rows[-1].object_row], now, object_row=next(numbers)
            ),
            targets[stix_id],
        )
        for stix_id, rows in live.items()
    ]


def _newest_seqs(
    tx: Transaction, live: Mapping[str, Sequence[ObjectRow]]
) -> dict[str, dict[str, int]]:
    """Tell where each object was carried last, by feed."""
    owner = {row.object_row: stix_id for stix_id, rows in live.items() for row in rows}
    found: dict[str, dict[str, int]] = {}
    for carriage in stored.carriages_of(tx, owner):
        feeds = found.setdefault(owner[carriage.object_row], {})
        feeds[carriage.feed] = max(carriage.seq, feeds.get(carriage.feed, 0))
    return found


def _targets(
    tx: Transaction,
    node: Node,
    newest: Mapping[str, int],
    reach: dict[tuple[str, int], tuple[FeedName, ...]],
) -> tuple[FeedName, ...] | None:
    """Name the feeds that tell everybody; None where one of them did not carry the object."""
    found: set[FeedName] = set()
    for feed, seq in newest.items():
        if (feed, seq) not in reach:  # the same for all objects of an entry
            reach[feed, seq] = feeds_that_reach(tx, node, FeedName.read(feed), seq)
        found.update(reach[feed, seq])
    if not found or any(str(feed) not in newest for feed in found):
        return None
    return tuple(sorted(found, key=str))


def _parts(group: Iterable[_Ending]) -> Iterator[list[_Ending]]:
    part: list[_Ending] = []
    size = 0
    for ending in group:
        weight = 0 if ending.last is None else len(ending.last[1]) + 1
        if part and (len(part) == MAX_OBJECTS or size + weight > MAX_BYTES):
            yield part
            part, size = [], 0
        part.append(ending)
        size += weight
    if part:
        yield part


def _append(
    tx: Transaction, node: Node, part: Sequence[_Ending], reason: str, now: datetime
) -> list[tuple[int, int, int]]:
    """Say it in each feed; return which entries carry which last versions."""
    stix_ids = [ending.stix_id for ending in part]
    last = [ending.last for ending in part if ending.last is not None]
    entries = [
        append_retract(tx, node, feed, stix_ids, reason, last, now) for feed in part[0].feeds
    ]
    note_taken_back(tx, entries, stix_ids, "retracted", now)
    return [(entry.feed_row, entry.seq, row.object_row) for entry in entries for row, _ in last]


def _store(
    tx: Transaction,
    endings: Sequence[_Ending],
    links: Sequence[tuple[int, int, int]],
    now: datetime,
) -> None:
    rows = [row for ending in endings for row in ending.rows]
    visible.hide(tx, rows, now, closing=False)
    stored.update_objects(tx, [row.object_row for row in rows], state="withdrawn")
    last = [ending.last for ending in endings if ending.last is not None]
    if last:
        stored.store_objects(tx, last)
        stored.store_carried(tx, links)
        visible.show(tx, [row for row, _ in last], {r.object_row: c for r, c in last}, now)
    visible.close(tx, {ending.stix_id for ending in endings}, now)
