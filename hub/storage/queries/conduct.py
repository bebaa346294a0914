"""How often a peer served what it had not signed, lately."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.disputes import SIGNATURE_FAILURES
from hub.storage.transaction import Transaction


def note_signature_failures(
    tx: Transaction, node_id: str, number: int, at: datetime, since: datetime
) -> None:
    """Note failures of now, and forget those before an instant."""
    table = SIGNATURE_FAILURES
    tx.connection.execute(table.delete().where(table.c.failed_at <= since))
    key = (table.c.node_id == node_id) & (table.c.failed_at == at)
    held = tx.connection.execute(sa.select(table.c.number).where(key)).scalar_one_or_none()
    if held is None:
        tx.connection.execute(table.insert().values(node_id=node_id, failed_at=at, number=number))
    else:
        tx.connection.execute(table.update().where(key).values(number=held + number))


def count_signature_failures(tx: Transaction, node_id: str) -> int:
    """Count the failures of a peer that are remembered."""
    total = sa.select(sa.func.sum(SIGNATURE_FAILURES.c.number)).where(
        SIGNATURE_FAILURES.c.node_id == node_id
    )
    return int(tx.connection.execute(total).scalar() or 0)


def drop_signature_failures(tx: Transaction, node_id: str) -> None:
    """Forget the failures of a peer: they have cost it a step."""
    tx.connection.execute(
        SIGNATURE_FAILURES.delete().where(SIGNATURE_FAILURES.c.node_id == node_id)
    )
