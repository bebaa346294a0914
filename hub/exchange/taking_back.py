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
from hub.exchange.received_content import JudgedContent
from hub.storage.queries import objects as stored
from hub.storage.queries.erasures import blank_objects, places_at, replace_by_stubs
from hub.storage.queries.feeds import STUB, EntryRow, FeedRow
from hub.storage.queries.objects import ObjectRow
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, NodeId
from schemas.markings import Tlp

RESTRICTABLE = frozenset({"accepted", "quarantined", "withheld"})
"""The other states show an object to nobody and stay what they are."""
DEEDS = {"retract": "retracted", "restrict": "restricted", "erase": "erased"}
"""What is done with an entry of a kind, as it is confirmed to its origin."""
ERASED, WITHDRAWN = "erased", "withdrawn"


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
    values = {"state": "withheld", "code": "RESTRICTED", "tlp": int(tlp), "released_tlp": None}
    stored.update_objects(tx, [row.object_row for row in wider], **values)
    visible.hide(tx, wider, now)
    released = [row for row in live if row.tlp >= tlp and _may_show_wider(row, tlp)]
    return [
        replace(row, state="withheld", code="RESTRICTED", tlp=int(tlp), released_tlp=None)
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
    visible.hide(tx, back, now)
    visible.show(tx, back, stored.contents_of(tx, [row.object_row for row in back]), now)
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


def erase_carried(
    tx: Transaction, feed_row: int, seqs: Sequence[int], now: datetime
) -> list[ObjectRow]:
    """Delete what these entries alone carried; return the versions that are gone."""
    carried = stored.carried_by(tx, feed_row, seqs)
    stored.drop_carried(tx, feed_row, seqs)
    elsewhere = {c.object_row for c in stored.carriages_of(tx, [r.object_row for r in carried])}
    gone = [row for row in carried if row.object_row not in elsewhere]
    erase_objects(tx, gone, now)
    return gone


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
