"""Take back what an origin restricted or erased: out of every view, at once (PROTOCOL 2.4).

Invariants:
* what an entry takes back is out of the views when that entry is committed;
* a stub stands in the place of each entry that is taken back, and is served as such;
* what was withdrawn stays withdrawn when its bytes are erased: the row is its tombstone (4.8);
* what another entry carries too was not taken by erasing one.

It serves receipt and this node's own entries alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from federation.feeds.content import EntryContent
from federation.feeds.entry import EntryHeader
from federation.feeds.stubs import LEAVES_NO_STUB, stub_record
from hub.exchange import visible
from hub.exchange.held_versions import ERASED_UNSEEN, is_mark
from hub.exchange.received_content import JudgedContent
from hub.storage.queries import objects as stored
from hub.storage.queries.erasures import (
    Erasure,
    blank_entry,
    blank_objects,
    find_erasure,
    places_at,
    replace_by_stubs,
    store_erasure,
)
from hub.storage.queries.feeds import STUB, EntryRow, FeedRow, find_entry
from hub.storage.queries.objects import ObjectRow
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, NodeId
from schemas.markings import Tlp

RESTRICTABLE = frozenset({"accepted", "quarantined", "withheld", "suspended"})
"""The other states show an object to nobody and stay what they are."""
DEEDS = {"retract": "retracted", "restrict": "restricted", "erase": "erased"}
"""What is done with an entry of a kind, as it is confirmed to its origin."""
ERASED, WITHDRAWN = "erased", "withdrawn"
RESTRICTED = "RESTRICTED"
"""The code of a version that waits for one that prints the stricter label."""


def take_back(
    tx: Transaction,
    feed: FeedRow,
    origin: NodeId,
    by: EntryHeader,
    judged: JudgedContent,
    now: datetime,
) -> None:
    """Apply a ``restrict`` or an ``erase`` of the feed's origin to what it published.

    Args:
        by: where that entry stands.
    """
    content = judged.content
    # A seq may be named a hundred thousand times in one entry; each is taken back once.
    seqs = sorted(content.seqs_taken_back)
    if content.kind == "erase":
        erase_carried(tx, feed.feed_row, seqs, now)
    elif content.tlp is not None:
        claims = stored.claims_of(tx, content.ids)
        rows = [
            row
            for found in claims.values()
            for row in found
            if row.origin == origin and counts_for(row, exercise=judged.exercise)
        ]
        if content.erases:
            _note_erasure(tx, [row for row in rows if is_mark(row)], by)
            _erase_named(tx, feed.feed_row, by, [row for row in rows if not is_mark(row)], now)
        else:
            tighten(tx, rows, content.tlp, now)
    leave_stubs(tx, feed.feed_row, feed.name, seqs, by=by.seq, ts=by.ts)


def counts_for(row: ObjectRow, *, exercise: bool) -> bool:
    """Tell whether an entry takes back this version: an exercise touches nothing that is real.

    Erasing is no such case: it takes bytes away, whatever else the entry says.
    """
    return row.exercise or not exercise


def tighten(tx: Transaction, rows: Sequence[ObjectRow], tlp: Tlp, now: datetime) -> list[ObjectRow]:
    """Keep versions that print a laxer label than their origin's last word on it from everybody.

    The bytes wait, unserved, for a version that prints the stricter label (PROTOCOL 2.4). A release
    that was signed before gives way too, honoured or to come: the later word counts. What prints a
    label that is strict enough is then shown by that again.

    Returns:
        The versions that were changed, as they are now.
    """
    live = [row for row in rows if row.state in RESTRICTABLE]
    wider = [row for row in live if row.tlp < tlp]
    values = {"state": "withheld", "tlp": int(tlp), "released_tlp": None}
    stored.update_objects(tx, [r.object_row for r in wider if is_mark(r)], **values)
    values["code"] = RESTRICTED
    stored.update_objects(tx, [r.object_row for r in wider if not is_mark(r)], **values)
    visible.hide(tx, wider, now)
    released = [row for row in live if row.tlp >= tlp and _may_show_wider(row, tlp)]
    return [
        replace(
            row,
            state="withheld",
            code=row.code if is_mark(row) else RESTRICTED,
            tlp=int(tlp),
            released_tlp=None,
        )
        for row in wider
    ] + _end_releases(tx, released, now)


def end_releases_before(
    tx: Transaction,
    later: Iterable[ObjectRow],
    claims: Mapping[str, Sequence[ObjectRow]],
    now: datetime,
) -> None:
    """End the releases of versions that later ones of a stricter label follow."""
    overtaken = {
        row.object_row: row
        for new in later
        for row in claims.get(new.stix_id, ())
        if row.released_tlp is not None and new.follows(row) and row.shown_tlp < new.tlp
    }
    _end_releases(tx, list(overtaken.values()), now)


def _may_show_wider(row: ObjectRow, tlp: Tlp) -> bool:
    to_come = row.released_tlp is None and tlp > Tlp.CLEAR
    return to_come or row.shown_tlp < tlp


def _end_releases(tx: Transaction, rows: Sequence[ObjectRow], now: datetime) -> list[ObjectRow]:
    """Show versions by the label that they print; released to that, they are released no more."""
    for tlp in {row.tlp for row in rows}:
        numbers = [row.object_row for row in rows if row.tlp == tlp]
        stored.update_objects(tx, numbers, released_tlp=tlp)
    ended = [replace(row, released_tlp=row.tlp) for row in rows]
    back = [now_is for now_is, row in zip(ended, rows, strict=True) if row.shown_tlp < row.tlp]
    visible.hide(tx, back, now, closing=False)
    visible.show(tx, back, stored.contents_of(tx, [row.object_row for row in back]), now)
    visible.close(tx, {row.stix_id for row in back}, now)
    return ended


def leave_stubs(
    tx: Transaction, feed_row: int, feed: FeedName, seqs: Sequence[int], *, by: int, ts: datetime
) -> None:
    """Put stubs in the place of the entries that are held; the first one to do so counts."""
    replace_by_stubs(
        tx,
        feed_row,
        {
            place.seq: stub_record(feed, place.seq, place.hash, by=by, ts=ts)
            for place in places_at(tx, feed_row, seqs)
            if place.state != STUB and place.kind not in LEAVES_NO_STUB
        },
    )


def as_stub(feed: FeedName, row: EntryRow, by: EntryHeader, said: EntryContent) -> EntryRow:
    """Return an entry that is not stored yet as it is after it was taken back, if it was."""
    if row.seq not in said.seqs_taken_back or row.kind in LEAVES_NO_STUB or row.state == STUB:
        return row
    record = stub_record(feed, row.seq, row.hash, by=by.seq, ts=by.ts)
    return replace(row, record=record, state=STUB, code=None)


def deed_of(said: EntryContent) -> str:
    """Name what an own entry did, as its receipts list it."""
    return ERASED if said.erases else DEEDS[said.kind]


def ids_taken_back(tx: Transaction, feed_row: int, said: EntryContent) -> list[str]:
    """List the objects that an own entry takes back, before it is applied."""
    if said.kind != "erase":
        return list(said.ids)
    return [str(row.stix_id) for row in _carried_alone(tx, feed_row, sorted(said.seqs))]


def _carried_alone(tx: Transaction, feed_row: int, seqs: Sequence[int]) -> list[ObjectRow]:
    carried = stored.carried_by(tx, feed_row, seqs)
    named = set(seqs)
    elsewhere = {
        c.object_row
        for c in stored.carriages_of(tx, [row.object_row for row in carried])
        if c.feed_row != feed_row or c.seq not in named
    }
    return [row for row in carried if row.object_row not in elsewhere]


def erase_carried(
    tx: Transaction, feed_row: int, seqs: Sequence[int], now: datetime
) -> list[ObjectRow]:
    """Delete what these entries alone carried; return the versions that are gone."""
    gone = _carried_alone(tx, feed_row, seqs)
    stored.drop_carried(tx, feed_row, seqs)
    erase_objects(tx, gone, now)
    return gone


def _note_erasure(tx: Transaction, marks: Iterable[ObjectRow], by: EntryHeader) -> None:
    """Let marks speak of an erasure too: without bytes they stay, or nothing would be bound."""
    for mark in marks:
        if mark.code == ERASED_UNSEEN and mark.published_at >= by.ts:
            continue
        is_over = mark.code != ERASED_UNSEEN and mark.published_at < by.ts
        tlp = int(Tlp.CLEAR) if is_over else mark.tlp
        said = {"code": ERASED_UNSEEN, "tlp": tlp, "published_at": by.ts}
        stored.update_objects(tx, [mark.object_row], **said)


def _erase_named(
    tx: Transaction, feed_row: int, by: EntryHeader, rows: Sequence[ObjectRow], now: datetime
) -> None:
    """Delete versions, and the entries that carried them where no word can be said any more.

    The present feed has stubs for its own; so has any other of its feeds that the origin can write.
    What another feed, read sooner, has said since is a new publication and stays.
    """
    said_since: set[int] = set()
    for carriage in stored.carriages_of(tx, [row.object_row for row in rows]):
        place = carriage.feed_row, carriage.seq
        held = find_entry(tx, *place)
        if held is None or carriage.feed_row == feed_row or held.state == STUB or not held.record:
            continue
        if held.ts > by.ts:
            said_since.add(carriage.object_row)
            continue
        blank_entry(tx, *place)
        if find_erasure(tx, *place) is None:
            store_erasure(tx, Erasure(*place, now, by.feed.node_id, "its origin erased it"))
    erase_objects(tx, [row for row in rows if row.object_row not in said_since], now)


def erase_objects(
    tx: Transaction, rows: Collection[ObjectRow], now: datetime, code: str | None = None
) -> None:
    """Delete versions but for what keeps a withdrawn one from coming back."""
    visible.hide(tx, list(rows), now)
    for state in (ERASED, WITHDRAWN):
        numbers = [row.object_row for row in rows if _erased_state(row) == state]
        blank_objects(tx, numbers, state=state, code=code, released_tlp=None)


def _erased_state(row: ObjectRow) -> str:
    return WITHDRAWN if row.revoked or row.state == WITHDRAWN else ERASED
