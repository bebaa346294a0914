"""What waits for a person, by what one may choose it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.storage.queries.objects import ObjectRow, objects_at
from hub.storage.tables.objects import OBJECTS
from hub.storage.transaction import Transaction

_WAITING = "quarantined"


@dataclass(frozen=True, slots=True)
class QuarantineFilter:
    """Which of what waits is meant; None leaves a question open.

    Args:
        origin: who wrote it.
        code: why it waits.
        name: the A-label that an indicator is about.
        below: names below that one too.
        stix_type: of what type it is.
        since: not received before.
    """

    origin: str | None = None
    code: str | None = None
    name: str | None = None
    below: bool = False
    stix_type: str | None = None
    since: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it chooses nothing, and so everything."""
        return self == QuarantineFilter()


def _where(chosen: QuarantineFilter) -> Iterator[sa.ColumnElement[bool]]:
    yield OBJECTS.c.state == _WAITING
    if chosen.origin is not None:
        yield OBJECTS.c.origin == chosen.origin
    if chosen.code is not None:
        yield OBJECTS.c.code == chosen.code
    if chosen.stix_type is not None:
        yield OBJECTS.c.stix_type == chosen.stix_type
    if chosen.since is not None:
        yield OBJECTS.c.received_at >= chosen.since
    if chosen.name is not None:
        exact = OBJECTS.c.name_key == chosen.name
        # An underscore is a letter of names and a wildcard of LIKE.
        below = OBJECTS.c.name_key.endswith(f".{chosen.name}", autoescape=True)
        yield (exact | below) if chosen.below else exact


def waiting_objects(
    tx: Transaction, chosen: QuarantineFilter, *, after: int = 0, limit: int | None = None
) -> tuple[ObjectRow, ...]:
    """List what waits behind an object row, in the order of its arrival."""
    statement = (
        sa.select(OBJECTS.c.object_row)
        .where(*_where(chosen), OBJECTS.c.object_row > after)
        .order_by(OBJECTS.c.object_row)
    )
    if limit is not None:
        statement = statement.limit(limit)
    return objects_at(tx, list(tx.connection.execute(statement).scalars()))


def count_waiting(tx: Transaction, chosen: QuarantineFilter) -> dict[tuple[str, str], int]:
    """Count what waits, by origin and reason."""
    counted: sa.Select[Any] = (
        sa.select(OBJECTS.c.origin, OBJECTS.c.code, sa.func.count())
        .where(*_where(chosen))
        .group_by(OBJECTS.c.origin, OBJECTS.c.code)
        .order_by(sa.func.count().desc(), OBJECTS.c.origin, OBJECTS.c.code)
    )
    return {
        (origin, code or ""): int(number) for origin, code, number in tx.connection.execute(counted)
    }
