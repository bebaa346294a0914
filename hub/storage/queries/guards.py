"""The operator's protected names, signed overrides, and who hit protected names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.counters import claim_numbers
from hub.storage.tables.guards import GUARD_NAMES, GUARD_OVERRIDES, PROTECTED_HITS
from hub.storage.tables.objects import COUNTERS
from hub.storage.transaction import Transaction

_LISTS = "guard_lists_revision"
_OVERRIDES = "guard_overrides_revision"
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class GuardNameRow:
    """A name on one of the operator's own lists; with ``below`` all below it too."""

    list_name: str
    name: str
    grade: str
    below: bool
    added_at: datetime
    added_by: str


@dataclass(frozen=True, slots=True)
class GuardListRow:
    """One of the operator's own lists, by grade."""

    list_name: str
    grade: str
    names: int
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """A signed override; ``dsse`` as JSON bytes."""

    name: str
    override_id: str
    dsse: bytes
    until: datetime
    added_at: datetime


def guard_revisions(tx: Transaction) -> tuple[int, int]:
    """Return how often the own lists and the overrides were changed."""
    rows = tx.connection.execute(
        sa.select(COUNTERS.c.name, COUNTERS.c.value).where(
            COUNTERS.c.name.in_((_LISTS, _OVERRIDES))
        )
    )
    found = {row.name: int(row.value) for row in rows}
    return found.get(_LISTS, 0), found.get(_OVERRIDES, 0)


def put_guard_names(tx: Transaction, rows: Sequence[GuardNameRow]) -> None:
    """Put names on their lists, in the place of what stood there of them."""
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        tx.connection.execute(
            GUARD_NAMES.delete().where(
                GUARD_NAMES.c.list_name == sa.bindparam("old_list"),
                GUARD_NAMES.c.name == sa.bindparam("old_name"),
            ),
            [{"old_list": row.list_name, "old_name": row.name} for row in batch],
        )
        tx.connection.execute(GUARD_NAMES.insert(), [asdict(row) for row in batch])
    claim_numbers(tx, _LISTS, 1)


def drop_guard_name(tx: Transaction, name: str, list_name: str) -> bool:
    """Take a name off a list; False when it was not on it."""
    result = tx.connection.execute(
        GUARD_NAMES.delete().where(GUARD_NAMES.c.list_name == list_name, GUARD_NAMES.c.name == name)
    )
    claim_numbers(tx, _LISTS, 1)
    return result.rowcount > 0


def drop_guard_list(tx: Transaction, list_name: str) -> int:
    """Drop a whole list; return how many names were on it."""
    result = tx.connection.execute(GUARD_NAMES.delete().where(GUARD_NAMES.c.list_name == list_name))
    claim_numbers(tx, _LISTS, 1)
    return int(result.rowcount)


def every_guard_name(tx: Transaction) -> Iterator[tuple[str, str, bool, str]]:
    """Walk all own lists as (name, grade, below, list), a batch at a time."""
    # Of this statement alone: said of the connection it would hold for the rest of the write.
    rows = tx.connection.execute(
        sa.select(
            GUARD_NAMES.c.name, GUARD_NAMES.c.grade, GUARD_NAMES.c.below, GUARD_NAMES.c.list_name
        ).order_by(GUARD_NAMES.c.list_name, GUARD_NAMES.c.name),
        execution_options={"yield_per": _BATCH},
    )
    for row in rows:
        yield row.name, row.grade, row.below, row.list_name


def list_guard_names(tx: Transaction, list_name: str, limit: int) -> tuple[GuardNameRow, ...]:
    """List the first names of a list."""
    rows = tx.connection.execute(
        sa.select(GUARD_NAMES)
        .where(GUARD_NAMES.c.list_name == list_name)
        .order_by(GUARD_NAMES.c.name)
        .limit(limit)
    )
    return tuple(GuardNameRow(**row._mapping) for row in rows)  # noqa: SLF001 - documented accessor


def list_guard_lists(tx: Transaction) -> tuple[GuardListRow, ...]:
    """List the own lists with their sizes."""
    rows = tx.connection.execute(
        sa.select(
            GUARD_NAMES.c.list_name,
            GUARD_NAMES.c.grade,
            sa.func.count().label("names"),
            sa.func.max(GUARD_NAMES.c.added_at).label("newest_at"),
        )
        .group_by(GUARD_NAMES.c.list_name, GUARD_NAMES.c.grade)
        .order_by(GUARD_NAMES.c.list_name, GUARD_NAMES.c.grade)
    )
    return tuple(GuardListRow(**row._mapping) for row in rows)  # noqa: SLF001 - documented accessor


def put_override(tx: Transaction, row: OverrideRow) -> None:
    """Store an override, in the place of an earlier one of the name."""
    tx.connection.execute(GUARD_OVERRIDES.delete().where(GUARD_OVERRIDES.c.name == row.name))
    tx.connection.execute(GUARD_OVERRIDES.insert().values(**asdict(row)))
    claim_numbers(tx, _OVERRIDES, 1)


def drop_override(tx: Transaction, name: str) -> bool:
    """Drop the override of a name; False when there is none."""
    result = tx.connection.execute(GUARD_OVERRIDES.delete().where(GUARD_OVERRIDES.c.name == name))
    claim_numbers(tx, _OVERRIDES, 1)
    return result.rowcount > 0


def list_overrides(tx: Transaction) -> tuple[OverrideRow, ...]:
    """List every override that is stored, ended ones included, by name."""
    rows = tx.connection.execute(sa.select(GUARD_OVERRIDES).order_by(GUARD_OVERRIDES.c.name))
    return tuple(
        OverrideRow(**dict(row._mapping) | {"dsse": bytes(row.dsse)})  # noqa: SLF001 - documented
        for row in rows
    )


def put_hits(tx: Transaction, hits: Sequence[tuple[str, str, str]], at: datetime) -> None:
    """Note hits on protected names as (origin, name, list); the newest of both is kept."""
    newest = {(origin, name): list_name for origin, name, list_name in hits}
    if not newest:
        return
    tx.connection.execute(
        PROTECTED_HITS.delete().where(
            PROTECTED_HITS.c.origin == sa.bindparam("old_origin"),
            PROTECTED_HITS.c.name == sa.bindparam("old_name"),
        ),
        [{"old_origin": origin, "old_name": name} for origin, name in newest],
    )
    tx.connection.execute(
        PROTECTED_HITS.insert(),
        [
            {"origin": origin, "name": name, "list_name": list_name, "hit_at": at}
            for (origin, name), list_name in newest.items()
        ],
    )


def uncounted_hits(tx: Transaction, origin: str, since: datetime) -> tuple[str, ...]:
    """List the protected names that an origin hit since then and that cost it nothing yet."""
    rows = tx.connection.execute(
        sa.select(PROTECTED_HITS.c.name)
        .where(
            PROTECTED_HITS.c.origin == origin,
            PROTECTED_HITS.c.hit_at > since,
            PROTECTED_HITS.c.counted_at.is_(None),
        )
        .order_by(PROTECTED_HITS.c.hit_at.desc(), PROTECTED_HITS.c.name)
    )
    return tuple(rows.scalars())


def count_hits(tx: Transaction, origin: str, at: datetime) -> None:
    """Mark an origin's hits as counted: each costs a step at most once."""
    tx.connection.execute(
        PROTECTED_HITS.update()
        .where(PROTECTED_HITS.c.origin == origin, PROTECTED_HITS.c.counted_at.is_(None))
        .values(counted_at=at)
    )


def drop_hits_before(tx: Transaction, before: datetime) -> None:
    """Forget hits that count for nothing any more."""
    tx.connection.execute(PROTECTED_HITS.delete().where(PROTECTED_HITS.c.hit_at < before))
