"""Row numbers, given out inside the serialised write."""

from __future__ import annotations

import sqlalchemy as sa

from hub.storage.tables.objects import COUNTERS
from hub.storage.transaction import Transaction


def claim_numbers(tx: Transaction, name: str, count: int) -> int:
    """Claim ``count`` consecutive numbers and return the first; the first ever is 1.

    Writers are serialised, so a plain read and update is enough and needs no RETURNING.
    """
    current = tx.connection.execute(
        sa.select(COUNTERS.c.value).where(COUNTERS.c.name == name)
    ).scalar_one_or_none()
    if current is None:
        tx.connection.execute(COUNTERS.insert().values(name=name, value=count))
        return 1
    tx.connection.execute(
        COUNTERS.update().where(COUNTERS.c.name == name).values(value=current + count)
    )
    return int(current) + 1
