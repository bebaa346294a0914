"""The audit: what was done, by whom, as code and params; words come at the door."""

from __future__ import annotations

from datetime import datetime

from hub.storage.tables.operations import AUDIT_EVENTS
from hub.storage.transaction import Transaction


def store_event(tx: Transaction, at: datetime, actor: str, code: str, **params: object) -> None:
    """Store one event in the transaction that it tells of."""
    tx.connection.execute(
        AUDIT_EVENTS.insert().values(at=at, actor=actor, code=code, params=params)
    )
