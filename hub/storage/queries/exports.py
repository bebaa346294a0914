"""Exports: what was rendered last and of what, the live verdicts of a view, and the targets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.domain_sets import BLOBS, DOMAIN_SETS
from hub.storage.tables.exports import EXPORT_MARKS, EXPORT_TARGETS, RENDERINGS
from hub.storage.tables.objects import OBJECTS
from hub.storage.tables.verdicts import VERDICTS
from hub.storage.transaction import Transaction

_ONE = 1
_WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class RenderingRow:
    """The last good rendering of a format, for an audience or one of its readers.

    Args:
        digest: of the content without what says when and which time it was written.
        state: what it was made of; another state may mean another content.
        due_at: when time alone changes the content.
        asked_at: when it was last fetched over HTTP; None when nobody ever did.
    """

    format: str
    audience: str
    reader: str
    variant: str
    names: int
    left_out: int
    digest: str
    serial: int
    changed_at: datetime
    exported_at: datetime
    state: str
    due_at: datetime | None
    asked_at: datetime | None


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A file or directory that is kept current; see the table for its columns."""

    name: str
    format: str
    audience: str
    reader: str
    feed: str
    min_confidence: int
    path: str
    knot_socket: str | None
    knot_zone: str | None
    probe: str | None
    added_at: datetime
    written_digest: str | None = None
    written_at: datetime | None = None
    serial: int | None = None
    probe_until: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LiveVerdict:
    """A verdict that one view shows; the name is a subject's key."""

    name: str
    match_scope: str
    label: int
    threat_types: tuple[str, ...]
    confidence: int
    lineages: int
    created_at: datetime
    valid_until: datetime
    generation: int


def live_verdicts(
    tx: Transaction, ceiling: int, now: datetime, least: int
) -> tuple[LiveVerdict, ...]:
    """List the live verdicts of one label view with at least this confidence, by name."""
    columns = VERDICTS.c
    rows = tx.connection.execute(
        sa.select(
            columns.name,
            columns.match_scope,
            columns.label,
            columns.threat_types,
            columns.confidence,
            columns.lineages,
            columns.created_at,
            columns.valid_until,
            columns.generation,
        )
        .where(
            columns.label <= ceiling,
            columns.shown_to >= ceiling,
            columns.object_row.is_not(None),
            columns.revoked_at.is_(None),
            columns.valid_until > now,
            columns.confidence >= least,
        )
        .order_by(columns.name)
    )
    return tuple(
        LiveVerdict(name, scope, label, tuple(types), confidence, lineages, made, until, generation)
        for name, scope, label, types, confidence, lineages, made, until, generation in rows
    )


def names_above(tx: Transaction, ceiling: int, now: datetime) -> list[str]:
    """List what live verdicts above a ceiling alone are on."""
    columns = VERDICTS.c
    rows = tx.connection.execute(
        sa.select(columns.name)
        .where(columns.revoked_at.is_(None), columns.valid_until > now)
        .group_by(columns.name)
        .having(sa.func.min(columns.label) > ceiling)
    )
    return list(rows.scalars())


def names_withheld(tx: Transaction) -> frozenset[str]:
    """List the names of indicators that were restricted and wait for their stricter label."""
    rows = tx.connection.execute(
        sa.select(OBJECTS.c.name_key).where(
            OBJECTS.c.state == _WITHHELD, OBJECTS.c.name_key.is_not(None)
        )
    )
    return frozenset(rows.scalars())


def sets_withheld(tx: Transaction) -> list[tuple[str, bool, int]]:
    """List the digests of restricted sets whose lists are here, whether dated, and how long."""
    rows = tx.connection.execute(
        sa.select(DOMAIN_SETS.c.sha256, DOMAIN_SETS.c.dated, DOMAIN_SETS.c.domain_count)
        .distinct()
        .join(OBJECTS, OBJECTS.c.object_row == DOMAIN_SETS.c.object_row)
        .join(BLOBS, BLOBS.c.sha256 == DOMAIN_SETS.c.sha256)
        .where(OBJECTS.c.state == _WITHHELD, BLOBS.c.state == "held")
    )
    return [(row.sha256, row.dated, row.domain_count) for row in rows]


def find_rendering(
    tx: Transaction, format_name: str, audience: str, reader: str, variant: str
) -> RenderingRow | None:
    """Find the last good rendering."""
    row = tx.connection.execute(
        sa.select(RENDERINGS).where(*_is(format_name, audience, reader, variant))
    ).one_or_none()
    return None if row is None else RenderingRow(**row._mapping)  # noqa: SLF001 - documented accessor


def put_rendering(tx: Transaction, row: RenderingRow) -> None:
    """Store a rendering as the last good one; when it was fetched stays as it is stored."""
    values = asdict(row)
    key = _is(row.format, row.audience, row.reader, row.variant)
    del values["asked_at"]
    done = tx.connection.execute(RENDERINGS.update().where(*key).values(**values))
    if done.rowcount == 0:
        tx.connection.execute(RENDERINGS.insert().values(asked_at=row.asked_at, **values))


def note_asked(
    tx: Transaction, format_name: str, audience: str, reader: str, variant: str, at: datetime | None
) -> None:
    """Note when a rendering was fetched over HTTP; None when nobody shall keep it current."""
    tx.connection.execute(
        RENDERINGS.update().where(*_is(format_name, audience, reader, variant)).values(asked_at=at)
    )


def renderings_asked_since(tx: Transaction, since: datetime) -> tuple[RenderingRow, ...]:
    """List the renderings that somebody fetched since then."""
    rows = tx.connection.execute(
        sa.select(RENDERINGS)
        .where(RENDERINGS.c.asked_at >= since)
        .order_by(
            RENDERINGS.c.format, RENDERINGS.c.audience, RENDERINGS.c.reader, RENDERINGS.c.variant
        )
    )
    return tuple(RenderingRow(**row._mapping) for row in rows)  # noqa: SLF001 - documented accessor


def _is(
    format_name: str, audience: str, reader: str, variant: str
) -> tuple[sa.ColumnElement[bool], ...]:
    columns = RENDERINGS.c
    return (
        columns.format == format_name,
        columns.audience == audience,
        columns.reader == reader,
        columns.variant == variant,
    )


def mark_exports(tx: Transaction) -> None:
    """Note that verdicts or blocks changed, so that exports are looked at again."""
    done = tx.connection.execute(
        EXPORT_MARKS.update()
        .where(EXPORT_MARKS.c.mark_id == _ONE)
        .values(number=EXPORT_MARKS.c.number + 1)
    )
    if done.rowcount == 0:
        tx.connection.execute(EXPORT_MARKS.insert().values(mark_id=_ONE, number=1))


def export_mark(tx: Transaction) -> int:
    """Return the number that grows with each change of verdicts or blocks."""
    found = tx.connection.execute(
        sa.select(EXPORT_MARKS.c.number).where(EXPORT_MARKS.c.mark_id == _ONE)
    ).scalar_one_or_none()
    return 0 if found is None else int(found)


def rest_until(tx: Transaction) -> datetime | None:
    """Tell when exports may be rendered again."""
    found: datetime | None = tx.connection.execute(
        sa.select(EXPORT_MARKS.c.rest_until).where(EXPORT_MARKS.c.mark_id == _ONE)
    ).scalar_one_or_none()
    return found


def set_rest(tx: Transaction, until: datetime) -> None:
    """Note when exports may be rendered again."""
    done = tx.connection.execute(
        EXPORT_MARKS.update().where(EXPORT_MARKS.c.mark_id == _ONE).values(rest_until=until)
    )
    if done.rowcount == 0:
        tx.connection.execute(
            EXPORT_MARKS.insert().values(mark_id=_ONE, number=0, rest_until=until)
        )


def list_targets(tx: Transaction) -> tuple[TargetRow, ...]:
    """List the targets by name."""
    rows = tx.connection.execute(sa.select(EXPORT_TARGETS).order_by(EXPORT_TARGETS.c.name))
    return tuple(TargetRow(**row._mapping) for row in rows)  # noqa: SLF001 - documented accessor


def put_target(tx: Transaction, row: TargetRow) -> None:
    """Store a target in the place of the one before."""
    drop_targets(tx, [row.name])
    tx.connection.execute(EXPORT_TARGETS.insert().values(**asdict(row)))


def update_target(tx: Transaction, name: str, **values: object) -> None:
    """Note how a target stands."""
    tx.connection.execute(
        EXPORT_TARGETS.update().where(EXPORT_TARGETS.c.name == name).values(**values)
    )


def drop_targets(tx: Transaction, names: Iterable[str]) -> int:
    """Forget targets; return how many there were."""
    done = tx.connection.execute(
        EXPORT_TARGETS.delete().where(EXPORT_TARGETS.c.name.in_(list(names)))
    )
    return int(done.rowcount)
