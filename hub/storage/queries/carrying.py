"""Where a carried file begins in a feed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.feeds import ENTRIES
from hub.storage.transaction import Transaction


def last_seq_before(tx: Transaction, feed_row: int, at: datetime) -> int:
    """Return the seq of the last entry of a feed that is dated before ``at``, 0 for none."""
    found = tx.connection.execute(
        sa.select(sa.func.max(ENTRIES.c.seq)).where(
            ENTRIES.c.feed_row == feed_row, ENTRIES.c.ts < at
        )
    ).scalar_one_or_none()
    return int(found or 0)


def count_entries_after(tx: Transaction, feed_row: int, seq: int) -> int:
    """Count the entries of a feed behind ``seq``."""
    statement = sa.select(sa.func.count()).where(
        ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq > seq
    )
    return int(tx.connection.execute(statement).scalar_one())
