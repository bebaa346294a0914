"""Imports, and which objects each of them stands for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.counters import claim_numbers
from hub.storage.queries.objects import in_chunks
from hub.storage.queries.row_inserts import insert_rows
from hub.storage.tables.imports import IMPORT_OBJECTS, IMPORTS
from hub.storage.transaction import Transaction

RUNNING, LIVE, UNDOING, UNDONE = "running", "live", "undoing", "undone"
_STANDING = (RUNNING, LIVE)


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One import.

    Args:
        feed: whose word it is: the lineage tag without its ``feed:``.
        audience: the feeds of ours that its objects went into.
        counts: what became of what was read, by kind.
        state: ``running``, ``live``, ``undoing`` or ``undone``.
        reason: why it was undone.
    """

    import_id: int
    feed: str
    format: str
    tlp: int
    audience: tuple[str, ...]
    actor: str
    begun_at: datetime
    state: str = RUNNING
    counts: Mapping[str, int] = field(default_factory=dict)
    ended_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ImportedObject:
    """An object that an import stands for.

    Args:
        subject: what it is about; None of a STIX object that was given as such.
        published: a publication stands for it as well.
        place: among what the import brought, from 1, in the order of the entries.
    """

    stix_id: str
    subject: str | None
    published: bool
    place: int


def claim_import_id(tx: Transaction) -> int:
    """Take the next number of an import."""
    return claim_numbers(tx, "import_id", 1)


def store_import(tx: Transaction, row: ImportRow) -> None:
    """Store an import that begins."""
    values = asdict(row)
    values["audience"] = list(row.audience)
    tx.connection.execute(IMPORTS.insert().values(**values))


def update_import(tx: Transaction, import_id: int, **values: object) -> None:
    """Change columns of an import."""
    tx.connection.execute(IMPORTS.update().where(IMPORTS.c.import_id == import_id).values(**values))


def find_import(tx: Transaction, import_id: int) -> ImportRow | None:
    """Find an import by its number."""
    row = tx.connection.execute(
        sa.select(IMPORTS).where(IMPORTS.c.import_id == import_id)
    ).one_or_none()
    return None if row is None else _import(row)


def list_imports(tx: Transaction) -> tuple[ImportRow, ...]:
    """List all imports, the newest first."""
    rows = tx.connection.execute(sa.select(IMPORTS).order_by(IMPORTS.c.import_id.desc()))
    return tuple(_import(row) for row in rows)


def _import(row: sa.Row[tuple[object, ...]]) -> ImportRow:
    values = dict(row._mapping)  # noqa: SLF001 - the documented accessor
    values["audience"] = tuple(values["audience"])
    return ImportRow(**values)


def count_objects(tx: Transaction, import_id: int) -> int:
    """Count the objects that an import stands for."""
    found: int = tx.connection.execute(
        sa.select(sa.func.count()).where(IMPORT_OBJECTS.c.import_id == import_id)
    ).scalar_one()
    return found


def note_objects(tx: Transaction, import_id: int, objects: Sequence[ImportedObject]) -> None:
    """Note what an import stands for; what was noted before stays as it is."""
    known: set[str] = set()
    for chunk in in_chunks(item.stix_id for item in objects):
        rows = tx.connection.execute(
            sa.select(IMPORT_OBJECTS.c.stix_id).where(
                IMPORT_OBJECTS.c.import_id == import_id, IMPORT_OBJECTS.c.stix_id.in_(chunk)
            )
        )
        known.update(rows.scalars())
    insert_rows(
        tx,
        IMPORT_OBJECTS,
        ("import_id", "stix_id", "subject", "published", "place"),
        [
            (import_id, item.stix_id, item.subject, item.published, item.place)
            for item in objects
            if item.stix_id not in known
        ],
    )


def note_published(tx: Transaction, stix_ids: Collection[str]) -> None:
    """Note that a publication stands for what imports brought too."""
    for chunk in in_chunks(sorted(stix_ids)):
        tx.connection.execute(
            IMPORT_OBJECTS.update()
            .where(IMPORT_OBJECTS.c.stix_id.in_(chunk))
            .values(published=True)
        )


def published_of(tx: Transaction, stix_ids: Collection[str]) -> dict[str, bool]:
    """Tell, of what any import ever brought, whether a publication stands for it as well."""
    found: dict[str, bool] = {}
    for chunk in in_chunks(sorted(stix_ids)):
        rows = tx.connection.execute(
            sa.select(IMPORT_OBJECTS.c.stix_id, IMPORT_OBJECTS.c.published).where(
                IMPORT_OBJECTS.c.stix_id.in_(chunk)
            )
        )
        for row in rows:
            found[row.stix_id] = found.get(row.stix_id, False) or row.published
    return found


def only_imported(tx: Transaction, stix_ids: Collection[str]) -> frozenset[str]:
    """Choose the objects that imports brought and no publication stands for.

    They are published by this node, and are another's word all the same.
    """
    found = published_of(tx, stix_ids)
    return frozenset(stix_id for stix_id, published in found.items() if not published)


def stood_for(
    tx: Transaction, stix_ids: Collection[str], *, besides: int | None = None
) -> frozenset[str]:
    """Choose the objects that a standing import stands for, ``besides`` excepted."""
    found: set[str] = set()
    for chunk in in_chunks(sorted(stix_ids)):
        rows = tx.connection.execute(
            sa.select(IMPORT_OBJECTS.c.stix_id)
            .join(IMPORTS, IMPORTS.c.import_id == IMPORT_OBJECTS.c.import_id)
            .where(
                IMPORT_OBJECTS.c.stix_id.in_(chunk),
                IMPORTS.c.state.in_(_STANDING),
                IMPORTS.c.import_id != (besides if besides is not None else -1),
            )
        )
        found.update(rows.scalars())
    return frozenset(found)


def objects_on(tx: Transaction, feed: str, subjects: Collection[str]) -> dict[str, list[str]]:
    """Find what standing imports of a feed brought on subjects: ids by subject."""
    found: dict[str, list[str]] = {}
    for chunk in in_chunks(sorted(subjects)):
        rows = tx.connection.execute(
            sa.select(IMPORT_OBJECTS.c.subject, IMPORT_OBJECTS.c.stix_id)
            .join(IMPORTS, IMPORTS.c.import_id == IMPORT_OBJECTS.c.import_id)
            .where(
                IMPORT_OBJECTS.c.subject.in_(chunk),
                IMPORTS.c.feed == feed,
                IMPORTS.c.state.in_(_STANDING),
            )
            .distinct()
            .order_by(IMPORT_OBJECTS.c.stix_id)
        )
        for row in rows:
            found.setdefault(row.subject, []).append(row.stix_id)
    return found


def objects_of_import(
    tx: Transaction, import_id: int, *, after: int = 0, limit: int = 1_000
) -> tuple[ImportedObject, ...]:
    """List what an import stands for, from behind a place, in the order of the entries."""
    columns = IMPORT_OBJECTS.c
    rows = tx.connection.execute(
        sa.select(columns.stix_id, columns.subject, columns.published, columns.place)
        .where(columns.import_id == import_id, columns.place > after)
        .order_by(columns.place)
        .limit(limit)
    )
    return tuple(ImportedObject(*row) for row in rows)


def feed_of_each(tx: Transaction, stix_ids: Collection[str]) -> dict[str, str]:
    """Tell which feed's word objects are, by id: of several feeds the one that was first.

    What a publication stands for is no feed's. An import that was undone counts only where no
    other stands.
    """
    found: dict[str, tuple[bool, str]] = {}
    kept: set[str] = set()
    for chunk in in_chunks(sorted(stix_ids)):
        rows = tx.connection.execute(
            sa.select(
                IMPORT_OBJECTS.c.stix_id, IMPORT_OBJECTS.c.published, IMPORTS.c.feed,
                IMPORTS.c.state,
            )
            .join(IMPORTS, IMPORTS.c.import_id == IMPORT_OBJECTS.c.import_id)
            .where(IMPORT_OBJECTS.c.stix_id.in_(chunk))
            .order_by(IMPORT_OBJECTS.c.import_id)
        )  # fmt: skip
        for row in rows:
            if row.published:
                kept.add(row.stix_id)
            is_standing, held = row.state in _STANDING, found.get(row.stix_id)
            if held is None or (is_standing and not held[0]):
                found[row.stix_id] = is_standing, row.feed
    return {stix_id: feed for stix_id, (_, feed) in found.items() if stix_id not in kept}
