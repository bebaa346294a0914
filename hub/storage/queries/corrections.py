"""Requests to correct what is said of a name, by people without an account."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.counters import claim_numbers
from hub.storage.tables.disputes import CORRECTIONS
from hub.storage.transaction import Transaction

OPEN = "open"


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """One request; ``contact`` and ``reason`` are personal, and None once they were erased."""

    correction_id: int
    name: str
    contact: str | None
    reason: str | None
    asked_at: datetime
    state: str = OPEN
    decided_at: datetime | None = None
    decided_by: str | None = None
    decision_reason: str | None = None
    stix_ids: tuple[str, ...] = ()


def store_correction(
    tx: Transaction, name: str, contact: str, reason: str, at: datetime
) -> CorrectionRow:
    """Store a request under the next number."""
    row = CorrectionRow(claim_numbers(tx, "correction_id", 1), name, contact, reason, at)
    tx.connection.execute(CORRECTIONS.insert().values(**asdict(row) | {"stix_ids": []}))
    return row


def count_open(tx: Transaction) -> int:
    """Count the requests that wait for a person."""
    counted = sa.select(sa.func.count()).where(CORRECTIONS.c.state == OPEN)
    return int(tx.connection.execute(counted).scalar_one())


def list_corrections(tx: Transaction, *, closed: bool = False) -> tuple[CorrectionRow, ...]:
    """List the requests that wait, or all, the oldest first."""
    chosen = sa.select(CORRECTIONS).order_by(CORRECTIONS.c.correction_id)
    if not closed:
        chosen = chosen.where(CORRECTIONS.c.state == OPEN)
    return tuple(_correction(row) for row in tx.connection.execute(chosen))


def find_correction(tx: Transaction, correction_id: int) -> CorrectionRow | None:
    """Find a request by its number."""
    row = tx.connection.execute(
        sa.select(CORRECTIONS).where(CORRECTIONS.c.correction_id == correction_id)
    ).one_or_none()
    return None if row is None else _correction(row)


def update_correction(tx: Transaction, correction_id: int, **values: object) -> None:
    """Change a request."""
    tx.connection.execute(
        CORRECTIONS.update().where(CORRECTIONS.c.correction_id == correction_id).values(**values)
    )


def _correction(row: sa.Row[tuple[object, ...]]) -> CorrectionRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor
    return CorrectionRow(**values | {"stix_ids": tuple(values["stix_ids"] or ())})
