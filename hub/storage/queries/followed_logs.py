"""How far logs were read, and who asked for claimed names where that is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.followed_logs import FOLLOWED_LOGS, SIGHTING_CLIENTS
from hub.storage.transaction import Transaction

MOST_CLIENTS = 100
"""Of one name and hour; what others asked is summed under ``OTHERS``."""
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class FollowedLog:
    """How far a log was read."""

    path: str
    file_id: str
    offset: int
    head: str
    in_line: bool
    read_at: datetime


@dataclass(frozen=True, slots=True)
class ClientCount:
    """How often an address asked for a claimed name within an hour."""

    name: str
    hour: datetime
    client: str
    count: int


def find_followed(tx: Transaction, path: str) -> FollowedLog | None:
    """Find how far a log was read."""
    row = tx.connection.execute(
        sa.select(FOLLOWED_LOGS).where(FOLLOWED_LOGS.c.path == path)
    ).one_or_none()
    return None if row is None else FollowedLog(**row._mapping)  # noqa: SLF001 - documented accessor


def note_followed(tx: Transaction, log: FollowedLog) -> None:
    """Note how far a log was read."""
    tx.connection.execute(FOLLOWED_LOGS.delete().where(FOLLOWED_LOGS.c.path == log.path))
    tx.connection.execute(FOLLOWED_LOGS.insert().values(**asdict(log)))


def add_clients(tx: Transaction, rows: Iterable[ClientCount]) -> None:
    """Add to what was kept of who asked; the number of addresses is bounded."""
    for row in rows:
        of_hour = (SIGHTING_CLIENTS.c.name == row.name) & (SIGHTING_CLIENTS.c.hour == row.hour)
        if _added(tx, of_hour, row):
            continue
        held = tx.connection.execute(
            sa.select(sa.func.count()).select_from(SIGHTING_CLIENTS).where(of_hour)
        ).scalar_one()
        if held < MOST_CLIENTS:
            tx.connection.execute(SIGHTING_CLIENTS.insert().values(**asdict(row)))
            continue
        others = ClientCount(row.name, row.hour, OTHERS, row.count)
        if not _added(tx, of_hour, others):
            tx.connection.execute(SIGHTING_CLIENTS.insert().values(**asdict(others)))


def _added(tx: Transaction, of_hour: sa.ColumnElement[bool], row: ClientCount) -> bool:
    done = tx.connection.execute(
        SIGHTING_CLIENTS.update()
        .where(of_hour, SIGHTING_CLIENTS.c.client == row.client)
        .values(count=SIGHTING_CLIENTS.c["count"] + row.count)
    )
    return done.rowcount > 0


def drop_clients_before(tx: Transaction, before: datetime) -> None:
    """Forget old hours."""
    tx.connection.execute(SIGHTING_CLIENTS.delete().where(SIGHTING_CLIENTS.c.hour < before))


def list_clients(tx: Transaction, name: str | None, limit: int) -> tuple[ClientCount, ...]:
    """List who asked, the newest hour first."""
    chosen = (
        sa.select(SIGHTING_CLIENTS)
        .order_by(
            SIGHTING_CLIENTS.c.hour.desc(), SIGHTING_CLIENTS.c.name, SIGHTING_CLIENTS.c.client
        )
        .limit(limit)
    )
    if name is not None:
        chosen = chosen.where(SIGHTING_CLIENTS.c.name == name)
    rows = tx.connection.execute(chosen)
    return tuple(ClientCount(**row._mapping) for row in rows)  # noqa: SLF001 - documented accessor
