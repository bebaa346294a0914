"""Whether something was noted already, so that a repetition does not fill the audit."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from hub.storage.tables.operations import AUDIT_EVENTS
from hub.storage.transaction import Transaction


def is_noted(tx: Transaction, code: str, params: Mapping[str, object]) -> bool:
    """Tell whether there is an event of this code with exactly these params, in this order."""
    found = tx.connection.execute(
        sa.select(AUDIT_EVENTS.c.event_row)
        .where(AUDIT_EVENTS.c.code == code, AUDIT_EVENTS.c.params == dict(params))
        .limit(1)
    ).one_or_none()
    return found is not None
