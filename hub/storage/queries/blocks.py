"""Blocks: what verdicts ask for, what is in force, and what waits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import sqlalchemy as sa

from hub.storage.dialects import from_micros, read_column
from hub.storage.queries.exports import mark_exports
from hub.storage.tables.guards import BLOCKS
from hub.storage.tables.objects import OBJECTS
from hub.storage.tables.verdicts import CLAIMS, VERDICTS
from hub.storage.transaction import Transaction
from schemas.dns.subjects import NSDNAME, Subject

_BATCH = 5_000


@dataclass(slots=True)
class AskedBlock:
    """A verdict that asks for a block, as one view shows it; not frozen, as there are many."""

    name: str
    match_scope: str
    label: int
    result: float
    threat_types: Sequence[str] = ()
    confidence: int = 0
    lineages: int = 0
    valid_until: datetime | None = None
    generation: int = 1


@dataclass(slots=True)
class BlockRow:
    """A block of one view; in force, or waiting while ``in_force_at`` is None."""

    name: str
    asked_at: datetime
    in_force_at: datetime | None


def asked_blocks(tx: Transaction, ceiling: int, now: datetime) -> tuple[AskedBlock, ...]:
    """List the verdicts of one label view that ask for a block now, by name."""
    # Half a million rows have a handful of types and ends between them: each is read once.
    types_of = cache(read_column)
    instant_of = cache(from_micros)
    rows = tx.connection.execute(
        sa.select(
            VERDICTS.c.name,
            VERDICTS.c.match_scope,
            VERDICTS.c.label,
            VERDICTS.c.result,
            sa.type_coerce(VERDICTS.c.threat_types, sa.LargeBinary),
            VERDICTS.c.confidence,
            VERDICTS.c.lineages,
            sa.type_coerce(VERDICTS.c.valid_until, sa.BigInteger),
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
    ).all()
    return tuple(
        AskedBlock(
            name, scope, label, result, types_of(bytes(types)), confidence, lineages,
            instant_of(until), generation,
        )
        for name, scope, label, result, types, confidence, lineages, until, generation in rows
    )  # fmt: skip


def list_blocks(tx: Transaction, ceiling: int) -> dict[str, BlockRow]:
    """Map the names of a view's blocks, waiting ones included, to how they stand."""
    instant_of = cache(from_micros)
    rows = tx.connection.execute(
        sa.select(
            BLOCKS.c.name,
            sa.type_coerce(BLOCKS.c.asked_at, sa.BigInteger),
            sa.type_coerce(BLOCKS.c.in_force_at, sa.BigInteger),
        ).where(BLOCKS.c.ceiling == ceiling)
    ).all()
    return {
        name: BlockRow(name, instant_of(asked), None if begun is None else instant_of(begun))
        for name, asked, begun in rows
    }


def drop_blocks(tx: Transaction, ceiling: int, names: Collection[str]) -> None:
    """Drop blocks of a view that nothing asks for any more."""
    if names:
        tx.connection.execute(
            BLOCKS.delete().where(
                BLOCKS.c.ceiling == ceiling, BLOCKS.c.name == sa.bindparam("old_name")
            ),
            [{"old_name": name} for name in names],
        )
        mark_exports(tx)


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
        mark_exports(tx)


def verdicts_at_or_below(tx: Transaction, name: str) -> tuple[tuple[str, int], ...]:
    """List the verdicts on a name and on what stands below it, as (name, label).

    Those on name servers too, whose keys end alike.
    """
    rows = tx.connection.execute(
        sa.select(VERDICTS.c.name, VERDICTS.c.label)
        .where(
            sa.or_(
                VERDICTS.c.name.in_((name, Subject(name, NSDNAME).key)),
                VERDICTS.c.name.endswith(f".{name}", autoescape=True),
            )
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
            ~CLAIMS.c.name.contains(":"),  # a name server is no name below it
            OBJECTS.c.state == "accepted",
            sa.func.coalesce(OBJECTS.c.released_tlp, OBJECTS.c.tlp) <= ceiling,
        )
    )
    count = tx.connection.execute(sa.select(sa.func.count()).select_from(below.subquery()))
    first = tx.connection.execute(below.order_by(CLAIMS.c.name).limit(limit))
    return int(count.scalar_one()), tuple(first.scalars())
