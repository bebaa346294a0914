"""The audit: what was done, by whom, as code and params; words come at the door."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.operations import AUDIT_EVENTS
from hub.storage.transaction import Transaction


def store_event(tx: Transaction, at: datetime, actor: str, code: str, **params: object) -> None:
    """Store one event in the transaction that it tells of."""
    tx.connection.execute(
        AUDIT_EVENTS.insert().values(at=at, actor=actor, code=code, params=params)
    )


def is_noted(tx: Transaction, code: str, params: Mapping[str, object]) -> bool:
    """Tell whether there is an event of this code with exactly these params, in this order."""
    found = tx.connection.execute(
        sa.select(AUDIT_EVENTS.c.event_row)
        .where(AUDIT_EVENTS.c.code == code, AUDIT_EVENTS.c.params == dict(params))
        .limit(1)
    ).one_or_none()
    return found is not None
