"""Which alarms a syslog server was told of, and which it still has to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from hub.storage.queries.alarms import AlarmRow
from hub.storage.tables.alarms_out import ALARM_OUTLETS, ALARMS_TOLD
from hub.storage.tables.evidence import ALARMS
from hub.storage.transaction import Transaction

BEGIN_TOLD: Final = 1
END_TOLD: Final = 2


@dataclass(frozen=True, slots=True)
class UntoldAlarm:
    """An alarm of which a server has to be told; ``told`` is how much it was, 0 for nothing."""

    alarm: AlarmRow
    told: int


def add_outlet(tx: Transaction, address: str, since: datetime) -> None:
    """Note a server from which on alarms are told; one that is known stays as it is."""
    known = tx.connection.execute(
        sa.select(ALARM_OUTLETS.c.address).where(ALARM_OUTLETS.c.address == address)
    ).one_or_none()
    if known is None:
        tx.connection.execute(ALARM_OUTLETS.insert().values(address=address, since=since))


def has_outlet(tx: Transaction, address: str) -> bool:
    """Tell whether a server is known."""
    return (
        tx.connection.execute(
            sa.select(ALARM_OUTLETS.c.address).where(ALARM_OUTLETS.c.address == address)
        ).one_or_none()
        is not None
    )


def untold_alarms(
    tx: Transaction, address: str, limit: int, *, but: str = ""
) -> tuple[UntoldAlarm, ...]:
    """List what a server has to be told, the oldest first.

    Args:
        but: a code of which it is never told.
    """
    told = sa.func.coalesce(ALARMS_TOLD.c.told, 0)
    columns = ALARMS.c
    rows = tx.connection.execute(
        sa.select(*columns, told.label("told"))
        .select_from(ALARMS)
        .join(ALARM_OUTLETS, ALARM_OUTLETS.c.address == address)
        .outerjoin(
            ALARMS_TOLD,
            sa.and_(ALARMS_TOLD.c.address == address, ALARMS_TOLD.c.alarm_id == columns.alarm_id),
        )
        .where(
            columns.code != but,
            sa.or_(columns.closed_at.is_(None), columns.closed_at > ALARM_OUTLETS.c.since),
            sa.or_(
                told < BEGIN_TOLD,
                sa.and_(told < END_TOLD, columns.closed_at.is_not(None)),
            ),
        )
        .order_by(columns.alarm_id)
        .limit(limit)
    )
    return tuple(_untold(dict(row._mapping)) for row in rows)  # noqa: SLF001 - documented accessor


def note_told(tx: Transaction, address: str, alarm_id: int, told: int, at: datetime) -> None:
    """Note how much of an alarm a server was told."""
    mine = (ALARMS_TOLD.c.address == address, ALARMS_TOLD.c.alarm_id == alarm_id)
    done = tx.connection.execute(ALARMS_TOLD.update().where(*mine).values(told=told, at=at))
    if done.rowcount == 0:
        values = {"address": address, "alarm_id": alarm_id, "told": told, "at": at}
        tx.connection.execute(ALARMS_TOLD.insert().values(**values))


def _untold(values: dict[str, object]) -> UntoldAlarm:
    told = values.pop("told")
    return UntoldAlarm(AlarmRow(**values), int(str(told)))  # type: ignore[arg-type]
