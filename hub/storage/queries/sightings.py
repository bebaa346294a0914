"""Sightings of claimed names by the hour, and which of them an origin was told of."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.objects import in_chunks
from hub.storage.tables.objects import OBJECTS
from hub.storage.tables.sightings import SIGHTINGS, SIGHTINGS_TOLD
from hub.storage.tables.verdicts import CLAIMS
from hub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class SightingRow:
    """How often a name was seen within an hour, as one source says."""

    name: str
    hour: datetime
    source: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class UntoldSighting:
    """How often a name was seen that an origin claims and was not told of."""

    name: str
    count: int
    first_at: datetime
    last_at: datetime
    hour: datetime


def scopes_claimed(tx: Transaction, names: Collection[str]) -> dict[str, set[str]]:
    """Tell which of some names are claimed, in whatever state, and with which match scopes."""
    found: dict[str, set[str]] = {}
    for chunk in in_chunks(sorted(names)):
        rows = tx.connection.execute(
            sa.select(CLAIMS.c.name, CLAIMS.c.match_scope)
            .where(CLAIMS.c.name.in_(chunk))
            .distinct()
        )
        for row in rows:
            found.setdefault(row.name, set()).add(row.match_scope)
    return found


def add_to_hours(tx: Transaction, rows: Iterable[SightingRow]) -> None:
    """Add sightings to what their sources said of the same hours before."""
    for row in rows:
        key = (
            (SIGHTINGS.c.name == row.name)
            & (SIGHTINGS.c.hour == row.hour)
            & (SIGHTINGS.c.source == row.source)
        )
        held = tx.connection.execute(sa.select(SIGHTINGS).where(key)).one_or_none()
        if held is None:
            tx.connection.execute(SIGHTINGS.insert().values(**asdict(row)))
            continue
        tx.connection.execute(
            SIGHTINGS.update()
            .where(key)
            .values(
                count=held._mapping["count"] + row.count,  # noqa: SLF001 - a method otherwise
                first_at=min(held.first_at, row.first_at),
                last_at=max(held.last_at, row.last_at),
            )
        )


def drop_hours_before(tx: Transaction, before: datetime) -> None:
    """Forget old hours."""
    tx.connection.execute(SIGHTINGS.delete().where(SIGHTINGS.c.hour < before))


def list_sightings(tx: Transaction, name: str | None, limit: int) -> tuple[SightingRow, ...]:
    """List hours, the newest first."""
    chosen = sa.select(SIGHTINGS).order_by(SIGHTINGS.c.hour.desc(), SIGHTINGS.c.name).limit(limit)
    if name is not None:
        chosen = chosen.where(SIGHTINGS.c.name == name)
    rows = tx.connection.execute(chosen)
    return tuple(SightingRow(**row._mapping) for row in rows)  # noqa: SLF001 - documented accessor


def untold_sightings(
    tx: Transaction, node_id: str, since: datetime, before: datetime, limit: int
) -> list[UntoldSighting]:
    """Sum what was seen of an origin's accepted claims in whole hours that it was not told of."""
    claimed = (
        sa.select(CLAIMS.c.name)
        .join(OBJECTS, OBJECTS.c.object_row == CLAIMS.c.object_row)
        .where(
            CLAIMS.c.name == SIGHTINGS.c.name,
            CLAIMS.c.origin == node_id,
            OBJECTS.c.state == "accepted",
            OBJECTS.c.revoked.is_(False),
        )
    )
    told = (
        sa.select(SIGHTINGS_TOLD.c.hour)
        .where(SIGHTINGS_TOLD.c.name == SIGHTINGS.c.name, SIGHTINGS_TOLD.c.node_id == node_id)
        .scalar_subquery()
    )
    rows = tx.connection.execute(
        sa.select(
            SIGHTINGS.c.name,
            sa.func.sum(SIGHTINGS.c.count).label("seen"),
            sa.func.min(SIGHTINGS.c.first_at).label("first_at"),
            sa.func.max(SIGHTINGS.c.last_at).label("last_at"),
            sa.func.max(SIGHTINGS.c.hour).label("hour"),
        )
        .where(
            SIGHTINGS.c.hour >= since,
            SIGHTINGS.c.hour < before,
            sa.or_(told.is_(None), SIGHTINGS.c.hour > told),
            sa.exists(claimed),
        )
        .group_by(SIGHTINGS.c.name)
        .order_by(SIGHTINGS.c.name)
        .limit(limit)
    )
    return [
        UntoldSighting(row.name, int(row.seen), row.first_at, row.last_at, row.hour) for row in rows
    ]


def note_told(tx: Transaction, node_id: str, told: Iterable[UntoldSighting]) -> None:
    """Note up to which hour an origin was told."""
    for each in told:
        tx.connection.execute(
            SIGHTINGS_TOLD.delete().where(
                SIGHTINGS_TOLD.c.node_id == node_id, SIGHTINGS_TOLD.c.name == each.name
            )
        )
        tx.connection.execute(
            SIGHTINGS_TOLD.insert().values(node_id=node_id, name=each.name, hour=each.hour)
        )
