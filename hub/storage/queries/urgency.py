"""The last urgent entries of a feed, so that its readers can ask for it first (PROTOCOL 2.4)."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from hub.storage.tables.vouching import FEED_URGENCIES
from hub.storage.transaction import Transaction


def note_urgencies(tx: Transaction, feed_row: int, last: Mapping[str, int]) -> None:
    """Note the seq of the last entry of each urgency; an earlier one changes nothing."""
    for urgency, seq in last.items():
        where = (FEED_URGENCIES.c.feed_row == feed_row, FEED_URGENCIES.c.urgency == urgency)
        held = tx.connection.execute(sa.select(FEED_URGENCIES.c.seq).where(*where)).scalar()
        if held is None:
            tx.connection.execute(
                FEED_URGENCIES.insert().values(feed_row=feed_row, urgency=urgency, seq=seq)
            )
        elif held < seq:
            tx.connection.execute(FEED_URGENCIES.update().where(*where).values(seq=seq))


def list_urgencies(tx: Transaction) -> dict[int, dict[str, int]]:
    """Map feeds that ever carried something urgent to the last seq of each urgency."""
    found: dict[int, dict[str, int]] = {}
    for row in tx.connection.execute(sa.select(FEED_URGENCIES).order_by(FEED_URGENCIES.c.urgency)):
        found.setdefault(row.feed_row, {})[row.urgency] = row.seq
    return found


def urgencies_of(tx: Transaction, feed_row: int) -> dict[str, int]:
    """Return the last seq of each urgency that a feed ever carried."""
    rows = tx.connection.execute(
        sa.select(FEED_URGENCIES).where(FEED_URGENCIES.c.feed_row == feed_row)
    )
    return {row.urgency: row.seq for row in rows}
