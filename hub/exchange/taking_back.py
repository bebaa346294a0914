"""Take back what an origin restricted or erased: out of every view, at once (PROTOCOL 2.4).

This release answers with the safe minimum. The objects leave every view; an erased entry loses
its bytes; and the caller stops relaying the feed, because a relay would have to serve stubs in
the place of these entries, which comes with recall and receipts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hub.exchange import visible
from hub.exchange.received_content import JudgedContent
from hub.storage.queries import objects as stored
from hub.storage.queries.feeds import FeedRow, blank_records
from hub.storage.queries.objects import ObjectRow
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId
from schemas.markings import Tlp

RESTRICTABLE = frozenset({"accepted", "quarantined", "withheld"})
"""The other states show an object to nobody and stay what they are."""


def take_back(
    tx: Transaction, feed: FeedRow, origin: NodeId, judged: JudgedContent, now: datetime
) -> None:
    """Apply a ``restrict`` or an ``erase`` of the feed's origin to what it published."""
    content = judged.content
    if content.kind == "erase":
        # A seq may be named a hundred thousand times in one entry; each is erased once.
        _erase(tx, feed, sorted(set(content.seqs)), now)
        return
    claims = stored.claims_of(tx, content.ids)
    rows = [
        row
        for found in claims.values()
        for row in found
        if row.origin == origin and counts_for(row, exercise=judged.exercise)
    ]
    if content.tlp is not None:
        tighten(tx, rows, content.tlp, now)


def counts_for(row: ObjectRow, *, exercise: bool) -> bool:
    """Tell whether an entry takes back this version: an exercise touches nothing that is real.

    Erasing is no such case: it takes bytes away, whatever else the entry says.
    """
    return row.exercise or not exercise


def tighten(tx: Transaction, rows: Sequence[ObjectRow], tlp: Tlp, now: datetime) -> list[ObjectRow]:
    """Keep versions that print a laxer label than their origin's last word on it from everybody.

    The bytes wait, unserved, for a version that prints the stricter label (PROTOCOL 2.4).

    Returns:
        The versions that were changed, as they are now.
    """
    wider = [row for row in rows if row.tlp < tlp and row.state in RESTRICTABLE]
    values = {"state": "withheld", "code": "RESTRICTED", "tlp": int(tlp)}
    stored.update_objects(tx, [row.object_row for row in wider], **values)
    visible.hide(tx, wider, now)
    return [replace(row, state="withheld", code="RESTRICTED", tlp=int(tlp)) for row in wider]


def _erase(tx: Transaction, feed: FeedRow, seqs: Sequence[int], now: datetime) -> None:
    """Delete what these entries alone carried; what another entry carries too was not taken."""
    carried = stored.carried_by(tx, feed.feed_row, seqs)
    stored.drop_carried(tx, feed.feed_row, seqs)
    elsewhere = {c.object_row for c in stored.carriages_of(tx, [r.object_row for r in carried])}
    erased = [row for row in carried if row.object_row not in elsewhere]
    visible.hide(tx, erased, now)
    stored.update_objects(tx, [row.object_row for row in erased], state="erased", content=b"")
    blank_records(tx, feed.feed_row, seqs)
