"""Alarms: what a person should know of, from when to when, as code and params."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.counters import claim_numbers
from hub.storage.tables.evidence import ALARMS
from hub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alarm; open while ``closed_at`` is None."""

    alarm_id: int
    code: str
    subject: str
    opened_at: datetime
    closed_at: datetime | None = None
    closed_by: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)


def find_open_alarm(tx: Transaction, code: str, subject: str) -> AlarmRow | None:
    """Find the open alarm of a code about a subject; there is one at most."""
    row = tx.connection.execute(
        sa.select(ALARMS).where(
            ALARMS.c.code == code, ALARMS.c.subject == subject, ALARMS.c.closed_at.is_(None)
        )
    ).first()
    return None if row is None else AlarmRow(**row._mapping)  # noqa: SLF001 - documented accessor


def find_alarm(tx: Transaction, alarm_id: int) -> AlarmRow | None:
    """Find an alarm by its number."""
    row = tx.connection.execute(
        sa.select(ALARMS).where(ALARMS.c.alarm_id == alarm_id)
    ).one_or_none()
    return None if row is None else AlarmRow(**row._mapping)  # noqa: SLF001 - documented accessor


def list_alarms(tx: Transaction, *, closed: bool = False) -> tuple[AlarmRow, ...]:
    """List the open alarms, or all of them, the newest first."""
    statement = sa.select(ALARMS).order_by(ALARMS.c.opened_at.desc(), ALARMS.c.alarm_id.desc())
    if not closed:
        statement = statement.where(ALARMS.c.closed_at.is_(None))
    rows = tx.connection.execute(statement)
    return tuple(AlarmRow(**row._mapping) for row in rows)  # noqa: SLF001 - documented accessor


def store_alarm(
    tx: Transaction, code: str, subject: str, at: datetime, params: Mapping[str, object]
) -> int:
    """Store a new open alarm and return its number."""
    alarm_id = claim_numbers(tx, "alarm_id", 1)
    tx.connection.execute(
        ALARMS.insert().values(
            alarm_id=alarm_id, code=code, subject=subject, params=dict(params), opened_at=at
        )
    )
    return alarm_id


def update_alarm(tx: Transaction, alarm_id: int, params: Mapping[str, object]) -> None:
    """Say anew what an open alarm knows."""
    tx.connection.execute(
        ALARMS.update().where(ALARMS.c.alarm_id == alarm_id).values(params=dict(params))
    )


def end_alarm(tx: Transaction, alarm_id: int, at: datetime, by: str) -> None:
    """Close an alarm."""
    tx.connection.execute(
        ALARMS.update().where(ALARMS.c.alarm_id == alarm_id).values(closed_at=at, closed_by=by)
    )
