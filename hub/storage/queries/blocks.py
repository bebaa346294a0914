"""Blocks: what verdicts ask for, what is in force, what waits, and what was exported last."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.guards import BLOCKS, EXPORTS
from hub.storage.tables.objects import OBJECTS
from hub.storage.tables.verdicts import CLAIMS, VERDICTS
from hub.storage.transaction import Transaction

_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class AskedBlock:
    """A verdict that asks for a block, as one view shows it."""

    name: str
    match_scope: str
    label: int
    result: float
    threat_types: Sequence[str] = ()
    confidence: int = 0
    lineages: int = 0
    valid_until: datetime | None = None
    generation: int = 1


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block of one view; in force, or waiting while ``in_force_at`` is None."""

    name: str
    asked_at: datetime
    in_force_at: datetime | None


@dataclass(frozen=True, slots=True)
class ExportRow:
    """The last good export of a format, for an audience or one of its readers."""

    format: str
    audience: str
    reader: str
    names: int
    digest: str
    exported_at: datetime


def asked_blocks(tx: Transaction, ceiling: int, now: datetime) -> tuple[AskedBlock, ...]:
    """List the verdicts of one label view that ask for a block now, by name."""
    rows = tx.connection.execute(
        sa.select(
            VERDICTS.c.name,
            VERDICTS.c.match_scope,
            VERDICTS.c.label,
            VERDICTS.c.result,
            VERDICTS.c.threat_types,
            VERDICTS.c.confidence,
            VERDICTS.c.lineages,
            VERDICTS.c.valid_until,
            VERDICTS.c.generation,
        )
        .where(
            VERDICTS.c.block,
            VERDICTS.c.label <= ceiling,
            VERDICTS.c.shown_to >= ceiling,
            VERDICTS.c.object_row.is_not(None),
            VERDICTS.c.revoked_at.is_(None),
            VERDICTS.c.valid_until > now,
        )
        .order_by(VERDICTS.c.name)
    )
    return tuple(AskedBlock(*row) for row in rows)


def list_blocks(tx: Transaction, ceiling: int) -> dict[str, BlockRow]:
    """Map the names of a view's blocks, waiting ones included, to how they stand."""
    rows = tx.connection.execute(
        sa.select(BLOCKS.c.name, BLOCKS.c.asked_at, BLOCKS.c.in_force_at).where(
            BLOCKS.c.ceiling == ceiling
        )
    )
    return {row.name: BlockRow(*row) for row in rows}


def drop_blocks(tx: Transaction, ceiling: int, names: Collection[str]) -> None:
    """Drop blocks of a view that nothing asks for any more."""
    if names:
        tx.connection.execute(
            BLOCKS.delete().where(
                BLOCKS.c.ceiling == ceiling, BLOCKS.c.name == sa.bindparam("old_name")
            ),
            [{"old_name": name} for name in names],
        )


def add_blocks(tx: Transaction, ceiling: int, names: Iterable[str], at: datetime) -> None:
    """Add blocks that wait."""
    rows = [{"ceiling": ceiling, "name": name, "asked_at": at} for name in names]
    if rows:
        tx.connection.execute(BLOCKS.insert(), rows)


def put_in_force(tx: Transaction, ceiling: int, names: Sequence[str], at: datetime) -> None:
    """Put waiting blocks in force."""
    if names:
        tx.connection.execute(
            BLOCKS.update()
            .where(BLOCKS.c.ceiling == ceiling, BLOCKS.c.name == sa.bindparam("old_name"))
            .values(in_force_at=at),
            [{"old_name": name} for name in names],
        )


def find_export(tx: Transaction, format_name: str, audience: str, reader: str) -> ExportRow | None:
    """Find the last good export."""
    row = tx.connection.execute(
        sa.select(EXPORTS).where(
            EXPORTS.c.format == format_name,
            EXPORTS.c.audience == audience,
            EXPORTS.c.reader == reader,
        )
    ).one_or_none()
    return None if row is None else ExportRow(**row._mapping)  # noqa: SLF001 - documented accessor


def put_export(tx: Transaction, row: ExportRow) -> None:
    """Store an export as the last good one."""
    tx.connection.execute(
        EXPORTS.delete().where(
            EXPORTS.c.format == row.format,
            EXPORTS.c.audience == row.audience,
            EXPORTS.c.reader == row.reader,
        )
    )
    tx.connection.execute(EXPORTS.insert().values(**asdict(row)))


def verdicts_at_or_below(tx: Transaction, name: str) -> tuple[tuple[str, int], ...]:
    """List the verdicts on a name and on what stands below it, as (name, label)."""
    rows = tx.connection.execute(
        sa.select(VERDICTS.c.name, VERDICTS.c.label)
        .where(
            sa.or_(VERDICTS.c.name == name, VERDICTS.c.name.endswith(f".{name}", autoescape=True))
        )
        .order_by(VERDICTS.c.name, VERDICTS.c.label)
    )
    return tuple((row.name, row.label) for row in rows)


def verdicts_stopped_by(tx: Transaction, codes: Collection[str]) -> tuple[tuple[str, int], ...]:
    """List the verdicts that one of these codes keeps from blocking, as (name, label)."""
    wanted = frozenset(codes)
    rows = tx.connection.execute(
        sa.select(VERDICTS.c.name, VERDICTS.c.label, VERDICTS.c.block_codes)
        .where(VERDICTS.c.block.is_(sa.false()), VERDICTS.c.object_row.is_not(None))
        .order_by(VERDICTS.c.name, VERDICTS.c.label)
    )
    return tuple((row.name, row.label) for row in rows if not wanted.isdisjoint(row.block_codes))


def claimed_below(
    tx: Transaction, name: str, ceiling: int, limit: int
) -> tuple[int, tuple[str, ...]]:
    """Count the claimed names that stand below a name in one view, and list the first of them."""
    below = (
        sa.select(CLAIMS.c.name)
        .distinct()
        .join(OBJECTS, OBJECTS.c.object_row == CLAIMS.c.object_row)
        .where(
            CLAIMS.c.name.endswith(f".{name}", autoescape=True),
            OBJECTS.c.state == "accepted",
            sa.func.coalesce(OBJECTS.c.released_tlp, OBJECTS.c.tlp) <= ceiling,
        )
    )
    count = tx.connection.execute(sa.select(sa.func.count()).select_from(below.subquery()))
    first = tx.connection.execute(below.order_by(CLAIMS.c.name).limit(limit))
    return int(count.scalar_one()), tuple(first.scalars())
