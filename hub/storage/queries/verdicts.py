"""Verdicts as they are stored, and where they stand in the views of ``verdicts``.

A row is for the views from ``label`` to ``shown_to``: what a reader at a ceiling goes by is the
row with ``label <= ceiling <= shown_to``, and there is at most one for a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from hub.storage.dialects import from_micros, to_micros, write_column
from hub.storage.queries.claims import VERDICT_STATE
from hub.storage.queries.exports import mark_exports
from hub.storage.queries.objects import claim_object_rows, in_chunks
from hub.storage.queries.row_inserts import insert_rows
from hub.storage.tables.objects import OBJECTS, VIEW_ROWS, VIEWS
from hub.storage.tables.verdicts import VERDICTS
from hub.storage.transaction import Transaction
from schemas.timestamps import write_wire_time

NOWHERE: Final = -1
"""``shown_to`` of a row without evidence at its own label: it is for no view."""


@dataclass(slots=True)
class VerdictRow:
    """A verdict as it is stored; see the table for its columns."""

    name: str
    label: int
    shown_to: int
    object_row: int | None
    generation: int
    result: float
    confidence: int
    lineages: int
    trusted_lineages: int
    dispute: float
    threat_type: str | None
    threat_types: tuple[str, ...]
    match_scope: str
    block: bool
    block_codes: tuple[str, ...]
    created_at: datetime
    issued_at: datetime
    valid_until: datetime | None
    look_again_at: datetime | None
    revoked_at: datetime | None
    rules: str

    def on(self, name: str) -> VerdictRow:
        """Return the same verdict on another name."""
        return VerdictRow(name, *_but_name_of(self))

    @property
    def is_live(self) -> bool:
        """Whether it is published and not revoked."""
        return self.object_row is not None and self.revoked_at is None


_NAMES: Final = tuple(field.name for field in fields(VerdictRow))
_values_of = attrgetter(*_NAMES)
_but_name_of = attrgetter(*_NAMES[1:])
_INSTANTS: Final = frozenset(
    {"created_at", "issued_at", "valid_until", "look_again_at", "revoked_at"}
)
_JSON: Final = frozenset({"threat_types", "block_codes"})
_AT_INSTANTS: Final = tuple(place for place, name in enumerate(_NAMES) if name in _INSTANTS)
_AT_JSON: Final = tuple(place for place, name in enumerate(_NAMES) if name in _JSON)
_SAVE: Final = (
    f"INSERT INTO verdicts ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))})"  # noqa: S608
    " ON CONFLICT (name, label) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in {"name", "label"})
)
_REVERSE: Final = (
    "UPDATE objects SET version = ?, version_at = ?, revoked = ?, content = ?, published_at = ?,"
    " received_at = ? WHERE object_row = ?"
)


NewVerdict = tuple[str, int, datetime, bytes]
"""Of a verdict's object: its id, label, version and content."""


def store_verdict_objects(
    tx: Transaction, origin: str, verdicts: Sequence[NewVerdict], now: datetime
) -> int:
    """Store the objects of verdicts under fresh numbers, in their order; return the first.

    As ``store_new_objects`` stores any object; a quarter of a million of these come at once.
    """
    if not verdicts:
        return 0
    first, at = claim_object_rows(tx, len(verdicts)), to_micros(now)
    versions = {version: (write_wire_time(version), to_micros(version))
                for version in {version for *_, version, _ in verdicts}}  # fmt: skip
    rows = [
        (
            number, origin, stix_id, "indicator", "2.1", *versions[version], label, True, False, 0,
            VERDICT_STATE, False, at, at, at, content,
        )
        for number, (stix_id, label, version, content) in enumerate(verdicts, first)
    ]  # fmt: skip
    insert_rows(tx, OBJECTS, _OBJECT, rows)
    return first


_OBJECT: Final = (
    "object_row", "origin", "stix_id", "stix_type", "spec_version", "version", "version_at", "tlp",
    "machine", "exercise", "strength", "state", "revoked", "published_at", "received_at",
    "visible_at", "content",
)  # fmt: skip


def save_verdicts(tx: Transaction, rows: Sequence[VerdictRow]) -> None:
    """Store verdicts, each in the place of the one before."""
    if rows:
        plain: dict[Any, Any] = {None: None}
        tx.connection.exec_driver_sql(_driver(tx, _SAVE), [_plain(row, plain) for row in rows])
        mark_exports(tx)


def _plain(row: VerdictRow, plain: dict[Any, Any]) -> tuple[Any, ...]:
    """Write a row as the driver takes it; of a batch most have the same few times and words."""
    values: list[Any] = list(_values_of(row))
    for place in _AT_INSTANTS:
        at = values[place]
        if at not in plain:
            plain[at] = to_micros(at)
        values[place] = plain[at]
    for place in _AT_JSON:
        words = values[place]
        if words not in plain:
            plain[words] = write_column(words)
        values[place] = plain[words]
    return tuple(values)


def verdicts_on(tx: Transaction, names: Sequence[str]) -> dict[str, dict[int, VerdictRow]]:
    """Find the verdicts on names, by label."""
    found: dict[str, dict[int, VerdictRow]] = {}
    for chunk in in_chunks(names):
        rows = tx.connection.execute(sa.select(VERDICTS).where(VERDICTS.c.name.in_(chunk)))
        for row in rows:
            read = _verdict(row)
            found.setdefault(read.name, {})[read.label] = read
    return found


def verdict_for(tx: Transaction, name: str, ceiling: int) -> VerdictRow | None:
    """Find what readers at a ceiling go by on a name."""
    row = tx.connection.execute(
        sa.select(VERDICTS).where(
            VERDICTS.c.name == name, VERDICTS.c.label <= ceiling, VERDICTS.c.shown_to >= ceiling
        )
    ).one_or_none()
    return None if row is None else _verdict(row)


def _verdict(row: sa.Row[Any]) -> VerdictRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor
    for name in _JSON:
        values[name] = tuple(values[name])
    return VerdictRow(**values)


def drop_verdicts(tx: Transaction, keys: Sequence[tuple[str, int]]) -> None:
    """Forget verdicts that never were published."""
    if keys:
        statement = _driver(tx, "DELETE FROM verdicts WHERE name = ? AND label = ?")
        tx.connection.exec_driver_sql(statement, list(keys))
        mark_exports(tx)


def rewrite_objects(
    tx: Transaction, rewritten: Sequence[tuple[int, str, datetime, bool, bytes, datetime]]
) -> None:
    """Put newer versions in the place of verdicts' objects.

    Args:
        rewritten: object row, version, its instant, whether revoked, content, the clock's time.
    """
    if rewritten:
        rows = [
            (version, to_micros(version_at), revoked, content, to_micros(at), to_micros(at), number)
            for number, version, version_at, revoked, content, at in rewritten
        ]
        tx.connection.exec_driver_sql(_driver(tx, _REVERSE), rows)


def verdict_views(tx: Transaction, collection_id: str) -> dict[int, int]:
    """Map ceilings to the views of ``verdicts``."""
    rows = tx.connection.execute(
        sa.select(VIEWS.c.ceiling, VIEWS.c.view_id).where(
            VIEWS.c.collection_id == collection_id, VIEWS.c.organisation_id == ""
        )
    )
    return {row.ceiling: row.view_id for row in rows}


def places_of(tx: Transaction, object_rows: Iterable[int]) -> dict[int, dict[int, int]]:
    """Tell in which views objects stand: the date of each place by object row and view."""
    found: dict[int, dict[int, int]] = {}
    for chunk in in_chunks(object_rows):
        rows = tx.connection.execute(
            sa.select(VIEW_ROWS.c.object_row, VIEW_ROWS.c.view_id, VIEW_ROWS.c.date_added).where(
                VIEW_ROWS.c.object_row.in_(chunk)
            )
        )
        for row in rows:
            found.setdefault(row.object_row, {})[row.view_id] = row.date_added
    return found


def remove_places(tx: Transaction, places: Sequence[tuple[int, int]]) -> None:
    """Take objects out of views, each place by its view and date."""
    if places:
        statement = _driver(tx, "DELETE FROM view_rows WHERE view_id = ? AND date_added = ?")
        tx.connection.exec_driver_sql(statement, list(places))


def delete_objects(tx: Transaction, object_rows: Sequence[int]) -> None:
    """Delete verdicts' own objects, which stand in no view any more."""
    for chunk in in_chunks(object_rows):
        tx.connection.execute(
            OBJECTS.delete().where(
                OBJECTS.c.object_row.in_(chunk), OBJECTS.c.state == VERDICT_STATE
            )
        )


def find_context(tx: Transaction, origin: str) -> dict[tuple[str, str], int]:
    """Find what verdicts refer to, as it was stored for their views, by id and version."""
    rows = tx.connection.execute(
        sa.select(OBJECTS.c.stix_id, OBJECTS.c.version, OBJECTS.c.object_row).where(
            OBJECTS.c.origin == origin
        )
    )
    return {(row.stix_id, row.version): row.object_row for row in rows}


def published_contents(tx: Transaction, origin: str, stix_ids: Iterable[str]) -> dict[str, bytes]:
    """Find the bytes of published verdicts by their ids."""
    found: dict[str, bytes] = {}
    for chunk in in_chunks(stix_ids):
        rows = tx.connection.execute(
            sa.select(OBJECTS.c.stix_id, OBJECTS.c.content).where(
                OBJECTS.c.stix_id.in_(chunk),
                OBJECTS.c.origin == origin,
                OBJECTS.c.state == VERDICT_STATE,
            )
        )
        found.update({row.stix_id: bytes(row.content) for row in rows})
    return found


def own_identity(tx: Transaction, origin: str, stix_id: str) -> tuple[str, datetime, bytes] | None:
    """Find the newest identity object that this node published of itself."""
    row = tx.connection.execute(
        sa.select(OBJECTS.c.version, OBJECTS.c.version_at, OBJECTS.c.content)
        .where(
            OBJECTS.c.origin == origin,
            OBJECTS.c.stix_id == stix_id,
            OBJECTS.c.state == "accepted",
            OBJECTS.c.tlp == 0,
        )
        .order_by(OBJECTS.c.version_at.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.version, row.version_at, bytes(row.content))


def count_verdicts(tx: Transaction) -> tuple[int, int]:
    """Count the verdicts that are live, and those among them that block."""
    row = tx.connection.execute(
        sa.select(
            sa.func.count(), sa.func.coalesce(sa.func.sum(sa.cast(VERDICTS.c.block, sa.Integer)), 0)
        ).where(VERDICTS.c.object_row.is_not(None), VERDICTS.c.revoked_at.is_(None))
    ).one()
    return int(row[0]), int(row[1])


def find_verdict_of_object(tx: Transaction, stix_id: str) -> VerdictRow | None:
    """Find the verdict that an indicator of ``verdicts`` stands for."""
    row = tx.connection.execute(
        sa.select(VERDICTS)
        .join(OBJECTS, OBJECTS.c.object_row == VERDICTS.c.object_row)
        .where(OBJECTS.c.stix_id == stix_id, OBJECTS.c.state == VERDICT_STATE)
    ).one_or_none()
    return None if row is None else _verdict(row)


def at_of(micros: int | None) -> datetime | None:
    """Turn stored microseconds into an instant."""
    return None if micros is None else from_micros(micros)


def _driver(tx: Transaction, statement: str) -> str:
    return (
        statement if tx.connection.dialect.paramstyle == "qmark" else statement.replace("?", "%s")
    )
