"""What turned out about objects of origins."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.disputes import OUTCOMES
from hub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What turned out about one object of one origin.

    Args:
        label: of the object when it turned out; it counts in the views from there on.
        counted_at: when it cost its origin a step of trust, with others.
    """

    origin: str
    stix_id: str
    stix_type: str
    label: int
    kind: str
    reason: str
    actor: str
    found_at: datetime
    counted_at: datetime | None = None


def put_outcome(tx: Transaction, row: OutcomeRow) -> None:
    """Store an outcome, in the place of an earlier one of the object."""
    tx.connection.execute(
        OUTCOMES.delete().where(OUTCOMES.c.origin == row.origin, OUTCOMES.c.stix_id == row.stix_id)
    )
    tx.connection.execute(OUTCOMES.insert().values(**asdict(row)))


def outcomes_of(
    tx: Transaction, origins: Collection[str], label: int | None = None
) -> list[OutcomeRow]:
    """List what turned out about objects of origins, as far as a label shows it."""
    chosen = sa.select(OUTCOMES).where(OUTCOMES.c.origin.in_(sorted(origins)))
    if label is not None:
        chosen = chosen.where(OUTCOMES.c.label <= label)
    rows = tx.connection.execute(chosen.order_by(OUTCOMES.c.found_at, OUTCOMES.c.stix_id))
    return [OutcomeRow(**row._mapping) for row in rows]  # noqa: SLF001 - documented accessor


def count_outcomes(tx: Transaction, origin: str, stix_type: str, at: datetime) -> None:
    """Mark outcomes as counted: each costs a step at most once."""
    tx.connection.execute(
        OUTCOMES.update()
        .where(
            OUTCOMES.c.origin == origin,
            OUTCOMES.c.stix_type == stix_type,
            OUTCOMES.c.counted_at.is_(None),
        )
        .values(counted_at=at)
    )
