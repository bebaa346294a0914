"""Erase: an own entry everywhere, or any foreign one at this node alone (PROTOCOL 2.4).

Everywhere: each own entry that carries an object in question is named by an ``erase`` in its feed.
Receivers delete its bytes, whoever serves the feed has a stub in its place, and what else stood
there is said again first. Where no ``erase`` can say it, for the first entry of a feed and in feeds
that take no more entries, a ``restrict`` to RED names the objects and asks for their bytes to go.

At this node alone, by law: the bytes of the entry, of the objects that it alone carried, and of the
evidence that held a copy are gone; who erased it, when and why is kept. Its origin did not take it
back, so no stub may stand for it: as a relay this node answers ``E_ERASED`` and readers turn
elsewhere.

Invariants:
* what was erased here does not come back by itself: its origin's later versions wait for a person;
* the deleted bytes are overwritten, as far as the database does that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from federation.feeds.sharing_policy import lowest_label
from federation.feeds.stubs import LEAVES_NO_STUB
from federation.feeds.writing import policy_members
from hub.errors import Conflict, NotFound
from hub.exchange import taking_back
from hub.exchange.ended_feeds import TAKE_NO_MORE, TakingOut, feeds_that_tell, take_out
from hub.exchange.entry_references import find_referenced, read_entry_reference
from hub.exchange.held_versions import ERASED_HERE
from hub.exchange.own_feeds import AppendedEntry, append_entry, wake_readers
from hub.exchange.putting_again import put_again
from hub.exchange.receipts import Receipt, note_taken_back, receipts_of
from hub.exchange.restrict import append_restrict, stub_own
from hub.exchange.withdraw import MAX_REASON
from hub.node import Node
from hub.storage.queries import objects as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.erasures import (
    Erasure,
    HeldPlace,
    blank_entry,
    blank_evidence,
    find_erasure,
    places_at,
    store_erasure,
)
from hub.storage.queries.feeds import STUB, EntryRow, FeedRow, feed_of_row
from hub.storage.queries.objects import Carriage, ObjectRow
from hub.storage.queries.peers import list_peers
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, FeedName, is_node_id
from schemas.markings import TLP_BY_MARKING_ID, Tlp

_ERASABLE = frozenset({"put", "retract"})
ERASED = "erased"


@dataclass(frozen=True, slots=True)
class ErasedEverywhere:
    """What takes back an entry everywhere.

    Args:
        objects: the ids that are erased.
        entries: the ``erase`` of each feed, and the ``restrict`` of a first entry.
        unreached: closed feeds that carried some of it, in which nothing more can be said.
        left_out: innocent objects that referred to it and are gone with it.
    """

    objects: tuple[str, ...]
    entries: tuple[tuple[str, int, EntryHash, str], ...]
    receipts: tuple[Receipt, ...]
    unreached: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ErasedHere:
    """What was erased at this node alone.

    Args:
        objects: the ids whose content is gone.
        elsewhere: ids that other entries carry too, with those entries: erase these as well.
    """

    feed: str
    seq: int
    hash: EntryHash
    erased_at: datetime
    objects: tuple[str, ...]
    elsewhere: tuple[tuple[str, str, int], ...]


def erase_everywhere(
    node: Node,
    reference: str,
    reason: str,
    only: Collection[str] = (),
    *,
    actor: str = "operator",
) -> ErasedEverywhere:
    """Erase an own entry at every node.

    Args:
        only: the objects that are the reason; the others of the entry are said again. By default
            all of the entry is erased.

    Raises:
        NotFound: see ``read_entry_reference``; ``E_NOT_FOUND`` for an object that it does not
            carry.
        Conflict: ``E_NOT_ERASABLE``, ``E_REASON``.
    """
    _check_reason(reason)
    meant = read_entry_reference(node, reference)
    with node.database.write() as tx:
        now = node.now()
        feed, entry = find_referenced(tx, meant)
        _require_own(feed, entry)
        guilty = _guilty(tx, node, entry, only)
        rows = [row for found in stored.claims_of(tx, guilty).values() for row in found]
        mine = [row for row in rows if row.origin == node.node_id]
        seqs = _where(stored.carriages_of(tx, [row.object_row for row in mine]), entry)
        erasing = _Erasing(tx, node, TakingOut(guilty, actor, reason, now))
        telling = erasing.who_tells(mine, seqs)
        for feed_row in sorted(seqs):
            erasing.erase_in(feed_row, seqs[feed_row])
        erasing.tell(telling)
        # What a local producer handed in is our copy as much as the entry was.
        local = [row for row in rows if not is_node_id(row.origin)]
        taking_back.erase_objects(tx, local, now)
        note_taken_back(tx, erasing.appended, guilty, ERASED, now)
        wake_readers(tx, [each.feed for each in erasing.appended], list_peers(tx), now)
        store_event(
            tx, now, actor, "ERASED", reason=reason, objects=len(guilty),
            entries=[f"{each.feed}/{each.seq}" for each in erasing.appended],
        )  # fmt: skip
        outcome = erasing.outcome()
    node.database.forget_deleted()
    return outcome


def erase_here(node: Node, reference: str, reason: str, *, actor: str = "operator") -> ErasedHere:
    """Erase a foreign entry at this node alone.

    Raises:
        NotFound: see ``read_entry_reference``.
        Conflict: ``E_OWN_ENTRY`` for an own one, which would be a gap at its origin;
            ``E_NOT_ERASABLE`` for one without bytes; ``E_REASON``.
    """
    _check_reason(reason)
    meant = read_entry_reference(node, reference)
    with node.database.write() as tx:
        now = node.now()
        feed, entry = find_referenced(tx, meant)
        if feed.own:
            raise Conflict(
                "E_OWN_ENTRY",
                "this node wrote the entry; erased here alone, it would be missing everywhere",
                "Erase it with --everywhere.",
            )
        carried = stored.carried_by(tx, feed.feed_row, [entry.seq])
        elsewhere = _elsewhere(tx, carried, entry)
        # The labels' definitions are the standard's; without them nobody could tell the labels.
        kept = {row.object_row for row in carried if row.stix_id in TLP_BY_MARKING_ID}
        kept |= {carriage.object_row for carriage in elsewhere}
        gone = [row for row in carried if row.object_row not in kept]
        # What its origin restricted has a stub here and waits, in bytes of its own.
        waits = any(stored.contents_of(tx, [row.object_row for row in gone]).values())
        is_left = entry.record and (entry.state != STUB or waits)
        if not is_left or find_erasure(tx, feed.feed_row, entry.seq):
            raise Conflict("E_NOT_ERASABLE", "nothing of this entry is left here")
        taking_back.erase_objects(tx, gone, now, ERASED_HERE)
        if entry.state != STUB:
            blank_entry(tx, feed.feed_row, entry.seq)
        blank_evidence(tx, feed.feed, entry.seq, entry.hash)
        store_erasure(tx, Erasure(feed.feed_row, entry.seq, now, actor, reason))
        store_event(
            tx, now, actor, "ERASED_HERE", entry=f"{feed.feed}/{entry.seq}", reason=reason,
            objects=len(gone),
        )  # fmt: skip
    node.database.forget_deleted()
    ids = {row.object_row: str(row.stix_id) for row in carried}
    return ErasedHere(
        feed.feed,
        entry.seq,
        entry.hash,
        now,
        tuple(sorted({str(row.stix_id) for row in gone})),
        tuple(sorted((ids[c.object_row], c.feed, c.seq) for c in elsewhere)),
    )


class _Erasing:
    """One write that erases own objects, feed by feed."""

    def __init__(self, tx: Transaction, node: Node, why: TakingOut) -> None:
        self.tx = tx
        self.node = node
        self.why = why
        self.guilty, self.reason, self.now = why.guilty, why.reason, why.now
        self.appended: list[AppendedEntry] = []
        self.kinds: list[str] = []
        self.unreached: list[str] = []
        self.left_out: dict[str, None] = {}

    def erase_in(self, feed_row: int, seqs: Collection[int]) -> None:
        """Erase entries of one own feed."""
        feed = feed_of_row(self.tx, feed_row)
        places = places_at(self.tx, feed_row, seqs)
        named = [p.seq for p in places if p.state != STUB and p.kind not in LEAVES_NO_STUB]
        if feed is None or not named:
            return
        if feed.state not in {"open", *TAKE_NO_MORE}:
            self.unreached.append(feed.feed)
            return
        if feed.state != "open":
            self.unreached.append(feed.feed)
            self.left_out |= take_out(self.tx, self.node, feed, named, self.why).left_out
            carried = stored.carried_by(self.tx, feed_row, named)
            guilty = [row for row in carried if row.stix_id in self.guilty]
            taking_back.erase_objects(self.tx, guilty, self.now)
            return
        again = put_again(self.tx, self.node, feed, named, self.guilty, self.now)
        self.left_out |= again.left_out
        # The feed's relay rule hangs on its first entry, which therefore cannot be erased.
        if 1 in named:
            self._restrict(feed.name, self.guilty, [1])
        later = [seq for seq in named if seq != 1]
        if later:
            self._note(self._append_erase(feed, later), "erase")
        taking_back.erase_carried(self.tx, feed_row, named, self.now)

    def who_tells(
        self, rows: Sequence[ObjectRow], feeds: Mapping[int, Collection[int]]
    ) -> dict[FeedName, list[str]]:
        """Find where objects have to be named because some of their feeds take no more words."""
        ended = {number for number in feeds if not self._is_open(number)}
        telling: dict[FeedName, list[str]] = {}
        newest = {row.stix_id: row for row in rows}
        for stix_id, row in sorted(newest.items()) if ended else ():
            for feed in feeds_that_tell(self.tx, self.node, row, ended):
                telling.setdefault(feed, []).append(stix_id)
        return telling

    def tell(self, telling: Mapping[FeedName, Sequence[str]]) -> None:
        """Name objects whose bytes have to go, in feeds other than those that carried them."""
        for feed in sorted(telling, key=str):
            self._restrict(feed, telling[feed], ())

    def _is_open(self, feed_row: int) -> bool:
        feed = feed_of_row(self.tx, feed_row)
        return feed is not None and feed.state == "open"

    def _restrict(self, feed: FeedName, ids: Sequence[str], seqs: Sequence[int]) -> None:
        entry = append_restrict(self.tx, self.node, feed, ids, Tlp.RED, seqs, self.now, erases=True)
        self._note(entry, "restrict")

    def _append_erase(self, feed: FeedRow, seqs: Sequence[int]) -> AppendedEntry:
        policy = policy_members(lowest_label(feed.name), relay=feed.relay or "none")
        entry = append_entry(
            self.tx, self.node, feed.name, kind="erase", policy=policy, now=self.now,
            members={"seqs": sorted(seqs), "reason": self.reason},
        )  # fmt: skip
        stub_own(self.tx, entry, seqs)
        return entry

    def _note(self, entry: AppendedEntry, kind: str) -> None:
        self.appended.append(entry)
        self.kinds.append(kind)

    def outcome(self) -> ErasedEverywhere:
        """Tell what was said, and who is to confirm it."""
        return ErasedEverywhere(
            tuple(self.guilty),
            tuple(
                (str(entry.feed), entry.seq, entry.hash, kind)
                for entry, kind in zip(self.appended, self.kinds, strict=True)
            ),
            receipts_of(self.tx, self.appended),
            tuple(self.unreached),
            tuple(self.left_out),
        )


def _check_reason(reason: str) -> None:
    if not 1 <= len(reason) <= MAX_REASON:
        raise Conflict("E_REASON", "a reason has 1 to 1,024 characters", "Shorten it.")


def _require_own(feed: FeedRow, entry: EntryRow) -> None:
    if not feed.own:
        raise Conflict(
            "E_NOT_ERASABLE",
            "only the origin erases an entry everywhere",
            "Ask its origin; without --everywhere it is erased at this node alone.",
        )
    if entry.kind not in _ERASABLE or entry.state == STUB or not entry.record:
        raise Conflict(
            "E_NOT_ERASABLE",
            f"an entry of kind {entry.kind} that is {entry.state} cannot be erased",
            "Objects stand in entries of kind put and retract.",
        )


def _guilty(tx: Transaction, node: Node, entry: EntryRow, only: Collection[str]) -> list[str]:
    carried = {str(r.stix_id) for r in stored.carried_by(tx, entry.feed_row, [entry.seq])}
    missing = sorted(set(only) - carried)
    if missing:
        raise NotFound("E_NOT_FOUND", f"the entry does not carry {missing[0]}")
    # The definitions of the labels are the standard's, and who we are is no secret.
    return sorted(only or carried - TLP_BY_MARKING_ID.keys() - {str(node.identity)})


def _where(carriages: Sequence[Carriage], entry: EntryRow) -> dict[int, set[int]]:
    """Sort by feed the entries that carry any version of the objects, the named one in any case."""
    seqs: dict[int, set[int]] = {entry.feed_row: {entry.seq}}
    for carriage in carriages:
        seqs.setdefault(carriage.feed_row, set()).add(carriage.seq)
    return seqs


def _elsewhere(tx: Transaction, carried: Sequence[ObjectRow], entry: EntryRow) -> list[Carriage]:
    """List what other entries carry of these versions, as far as they still have their bytes."""
    found = [
        c
        for c in stored.carriages_of(tx, [row.object_row for row in carried])
        if (c.feed_row, c.seq) != (entry.feed_row, entry.seq)
    ]
    by_feed: dict[int, set[int]] = {}
    for c in found:
        by_feed.setdefault(c.feed_row, set()).add(c.seq)
    alive = {
        (feed_row, place.seq)
        for feed_row, seqs in by_feed.items()
        for place in places_at(tx, feed_row, seqs)
        if _is_alive(tx, feed_row, place)
    }
    return [c for c in found if (c.feed_row, c.seq) in alive]


def _is_alive(tx: Transaction, feed_row: int, place: HeldPlace) -> bool:
    return place.state != STUB and find_erasure(tx, feed_row, place.seq) is None
