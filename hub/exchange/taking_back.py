"""Take back what an origin restricted or erased: out of every view, at once (PROTOCOL 2.4).

This release answers with the safe minimum. The objects leave every view; an erased entry loses
its bytes; and the caller stops relaying the feed, because a relay would have to serve stubs in
the place of these entries, which comes with recall and receipts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hub.exchange import visible
from hub.exchange.received_content import JudgedContent
from hub.storage.queries import objects as stored
from hub.storage.queries.feeds import FeedRow, blank_records
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId


RESTRICTABLE = frozenset({"accepted", "quarantined", "withheld"})
"""The other states show an object to nobody and stay what they are."""


def take_back(
    tx: Transaction, feed: FeedRow, origin: NodeId, judged: JudgedContent, now: datetime
) -> None:
    """Apply a ``restrict`` or an ``erase`` of the feed's origin to what it published."""
    content = judged.content
    if content.kind == "erase":
        _erase(tx, feed, content.seqs, now)
        return
    claims = stored.claims_of(tx, content.ids)
    rows = [row for found in claims.values() for row in found if row.origin == origin]
    tightened = [
        row
        for row in rows
        if content.tlp is not None and row.tlp < content.tlp and row.state in RESTRICTABLE
    ]
    visible.hide(tx, tightened, now)
    stored.update_objects(
        tx,
        [row.object_row for row in tightened],
        state="withheld",
        code="RESTRICTED",
        tlp=int(content.tlp or 0),
    )


def _erase(tx: Transaction, feed: FeedRow, seqs: Sequence[int], now: datetime) -> None:
    """Delete what these entries alone carried; what another entry carries too was not taken."""
    carried = stored.carried_by(tx, feed.feed_row, seqs)
    stored.drop_carried(tx, feed.feed_row, seqs)
    elsewhere = {c.object_row for c in stored.carriages_of(tx, [r.object_row for r in carried])}
    erased = [row for row in carried if row.object_row not in elsewhere]
    visible.hide(tx, erased, now)
    stored.update_objects(tx, [row.object_row for row in erased], state="erased", content=b"")
    blank_records(tx, feed.feed_row, seqs)
