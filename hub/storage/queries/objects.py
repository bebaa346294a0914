"""STIX objects as claims of their origins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter

import sqlalchemy as sa

from hub.storage.dialects import to_micros
from hub.storage.queries.counters import claim_numbers
from hub.storage.queries.known_ids import held_among
from hub.storage.queries.row_inserts import insert_rows
from hub.storage.tables.feeds import FEEDS
from hub.storage.tables.objects import CARRIED, OBJECTS
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId, StixId

_IN_LIST = 500  # values in one IN list; both databases take many more, plans stay good


@dataclass(slots=True)  # frozen would take six times as long, for each of thousands in a page
class ObjectRow:
    """One version of one origin's claim, without its content; nobody changes it."""

    object_row: int
    origin: NodeId
    stix_id: StixId
    stix_type: str
    spec_version: str
    version: str
    version_at: datetime | None
    tlp: int
    machine: bool
    exercise: bool
    strength: int
    state: str
    code: str | None
    revoked: bool
    idn: str | None
    name_key: str | None
    published_at: datetime
    received_at: datetime
    visible_at: datetime | None = None
    released_tlp: int | None = None

    @property
    def shown_tlp(self) -> int:
        """The label by which readers here find it: its own, or what its origin released it to."""
        return self.tlp if self.released_tlp is None else self.released_tlp

    def follows(self, earlier: ObjectRow) -> bool:
        """Tell whether this is a later version; what has no versions follows nothing."""
        if self.version_at is None or earlier.version_at is None:
            return False
        return self.version_at > earlier.version_at


def by_version(row: ObjectRow) -> tuple[bool, datetime | None, int]:
    """Sort versions, the newest last; what has no versions in the order of arrival."""
    return row.version_at is not None, row.version_at, row.object_row


_COLUMNS = [OBJECTS.c[field.name] for field in fields(ObjectRow)]
_INSTANTS = ("version_at", "published_at", "received_at", "visible_at")
_PLAIN = tuple(c.name for c in _COLUMNS if c.name not in {"object_row", *_INSTANTS})
_plain_of = attrgetter(*_PLAIN)
_instants_of = attrgetter(*_INSTANTS)


def _object(row: sa.Row[tuple[object, ...]]) -> ObjectRow:
    return ObjectRow(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor


def in_chunks(values: Iterable[object]) -> Iterator[list[object]]:
    """Split values into lists short enough for one IN list."""
    every = list(values)
    for start in range(0, len(every), _IN_LIST):
        yield every[start : start + _IN_LIST]


def claim_object_rows(tx: Transaction, count: int) -> int:
    """Claim numbers for ``count`` new objects; return the first."""
    return claim_numbers(tx, "object_row", count)


def store_objects(tx: Transaction, objects: Sequence[tuple[ObjectRow, bytes]]) -> None:
    """Store versions with their content."""
    _insert(tx, [row.object_row for row, _ in objects], objects)


def store_new_objects(tx: Transaction, objects: Sequence[tuple[ObjectRow, bytes]]) -> int:
    """Store versions under fresh numbers, in their order; return the first number."""
    first = claim_object_rows(tx, len(objects))
    _insert(tx, range(first, first + len(objects)), objects)
    return first


def _insert(
    tx: Transaction, numbers: Sequence[int], objects: Sequence[tuple[ObjectRow, bytes]]
) -> None:
    micros_of = _Micros().__getitem__
    insert_rows(
        tx,
        OBJECTS,
        ("object_row", *_PLAIN, *_INSTANTS, "content"),
        [
            (number, *_plain_of(row), *map(micros_of, _instants_of(row)), content)
            for number, (row, content) in zip(numbers, objects, strict=True)
        ],
    )


class _Micros(dict[datetime | None, int | None]):
    """Instants as the columns hold them, each counted once: a batch has most in common."""

    def __missing__(self, at: datetime | None) -> int | None:
        self[at] = None if at is None else to_micros(at)
        return self[at]


def store_carried(tx: Transaction, links: Sequence[tuple[int, int, int]]) -> None:
    """Store which entry ``(feed_row, seq)`` carried which object row."""
    insert_rows(tx, CARRIED, ("feed_row", "seq", "object_row"), list(links))


def claims_of(tx: Transaction, stix_ids: Iterable[str]) -> dict[str, list[ObjectRow]]:
    """Find every version of every origin for the given ids, the newest last.

    Arrival is no order: two feeds of one origin may bring an older version after a newer one.
    """
    found: dict[str, list[ObjectRow]] = {}
    for chunk in in_chunks(stix_ids):
        held = held_among(tx, chunk)
        if not held:
            continue
        rows = tx.connection.execute(
            sa.select(*_COLUMNS)
            .where(OBJECTS.c.stix_id.in_(held))
            .order_by(OBJECTS.c.version_at.nulls_first(), OBJECTS.c.object_row)
        )
        for row in rows:
            found.setdefault(row.stix_id, []).append(_object(row))
    return found


def objects_at(tx: Transaction, object_rows: Iterable[int]) -> tuple[ObjectRow, ...]:
    """Find versions by their numbers, in the order of these."""
    found: list[ObjectRow] = []
    for chunk in in_chunks(object_rows):
        rows = tx.connection.execute(sa.select(*_COLUMNS).where(OBJECTS.c.object_row.in_(chunk)))
        found += [_object(row) for row in rows]
    return tuple(sorted(found, key=attrgetter("object_row")))


def contents_of(tx: Transaction, object_rows: Iterable[int]) -> dict[int, bytes]:
    """Find the bytes of the given object rows."""
    found: dict[int, bytes] = {}
    for chunk in in_chunks(object_rows):
        rows = tx.connection.execute(
            sa.select(OBJECTS.c.object_row, OBJECTS.c.content).where(
                OBJECTS.c.object_row.in_(chunk)
            )
        )
        found.update({row.object_row: bytes(row.content) for row in rows})
    return found


def live_names(tx: Transaction, origin: NodeId, names: Iterable[str]) -> dict[str, list[ObjectRow]]:
    """Find an origin's accepted, unrevoked indicators on the given names."""
    found: dict[str, list[ObjectRow]] = {}
    for chunk in in_chunks(names):
        rows = tx.connection.execute(
            sa.select(*_COLUMNS).where(
                OBJECTS.c.origin == origin,
                OBJECTS.c.name_key.in_(chunk),
                OBJECTS.c.state == "accepted",
                OBJECTS.c.revoked == sa.false(),
            )
        )
        for row in rows:
            found.setdefault(row.name_key, []).append(_object(row))
    return found


def list_objects(
    tx: Transaction,
    *,
    origin: NodeId | None = None,
    state: str | None = None,
    stix_type: str | None = None,
    limit: int | None = None,
) -> tuple[ObjectRow, ...]:
    """List versions in the order of their arrival."""
    statement = sa.select(*_COLUMNS).order_by(OBJECTS.c.object_row)
    if origin is not None:
        statement = statement.where(OBJECTS.c.origin == origin)
    if state is not None:
        statement = statement.where(OBJECTS.c.state == state)
    if stix_type is not None:
        statement = statement.where(OBJECTS.c.stix_type == stix_type)
    if limit is not None:
        statement = statement.limit(limit)
    return tuple(_object(row) for row in tx.connection.execute(statement))


def update_objects(tx: Transaction, object_rows: Iterable[int], **values: object) -> None:
    """Change columns of the given object rows."""
    for chunk in in_chunks(object_rows):
        tx.connection.execute(
            OBJECTS.update().where(OBJECTS.c.object_row.in_(chunk)).values(**values)
        )


def move_objects_of(tx: Transaction, origin: NodeId, state: str, to: str) -> None:
    """Give all objects of an origin in one state another."""
    tx.connection.execute(
        OBJECTS.update()
        .where(OBJECTS.c.origin == origin, OBJECTS.c.state == state)
        .values(state=to)
    )


def replace_object(tx: Transaction, row: ObjectRow, content: bytes) -> None:
    """Store a version in the place of one that nobody has."""
    values = {field.name: getattr(row, field.name) for field in fields(ObjectRow)}
    tx.connection.execute(
        OBJECTS.update()
        .where(OBJECTS.c.object_row == row.object_row)
        .values(content=content, **values)
    )


@dataclass(frozen=True, slots=True)
class Carriage:
    """That an entry carried an object."""

    object_row: int
    feed_row: int
    feed: str
    seq: int


def carriages_of(tx: Transaction, object_rows: Iterable[int]) -> tuple[Carriage, ...]:
    """List which entries carried the given object rows."""
    found: list[Carriage] = []
    for chunk in in_chunks(object_rows):
        rows = tx.connection.execute(
            sa.select(CARRIED.c.object_row, CARRIED.c.feed_row, FEEDS.c.feed, CARRIED.c.seq)
            .join(FEEDS, FEEDS.c.feed_row == CARRIED.c.feed_row)
            .where(CARRIED.c.object_row.in_(chunk))
            .order_by(CARRIED.c.feed_row, CARRIED.c.seq)
        )
        found += [Carriage(r.object_row, r.feed_row, r.feed, r.seq) for r in rows]
    return tuple(found)


def feeds_that_carried(tx: Transaction, object_rows: Iterable[int]) -> list[tuple[int, str]]:
    """List ``(object_row, feed)``, each pair once however many entries carried the object."""
    found: list[tuple[int, str]] = []
    for chunk in in_chunks(object_rows):
        rows = tx.connection.execute(
            sa.select(CARRIED.c.object_row, FEEDS.c.feed)
            .join(FEEDS, FEEDS.c.feed_row == CARRIED.c.feed_row)
            .where(CARRIED.c.object_row.in_(chunk))
            .distinct()
        )
        found += [(r.object_row, r.feed) for r in rows]
    return found


def carried_by(tx: Transaction, feed_row: int, seqs: Iterable[int]) -> tuple[ObjectRow, ...]:
    """List the object versions that the given entries of a feed carried."""
    found: dict[int, ObjectRow] = {}
    for chunk in in_chunks(seqs):
        rows = tx.connection.execute(
            sa.select(*_COLUMNS)
            .join(CARRIED, CARRIED.c.object_row == OBJECTS.c.object_row)
            .where(CARRIED.c.feed_row == feed_row, CARRIED.c.seq.in_(chunk))
        )
        found |= {row.object_row: _object(row) for row in rows}
    return tuple(found.values())


def drop_carried(tx: Transaction, feed_row: int, seqs: Iterable[int]) -> None:
    """Forget what the given entries of a feed carried."""
    for chunk in in_chunks(seqs):
        tx.connection.execute(
            CARRIED.delete().where(CARRIED.c.feed_row == feed_row, CARRIED.c.seq.in_(chunk))
        )


def count_by_state(tx: Transaction) -> dict[str, int]:
    """Count object versions by state."""
    rows = tx.connection.execute(
        sa.select(OBJECTS.c.state, sa.func.count()).group_by(OBJECTS.c.state)
    )
    return {str(state): int(count) for state, count in rows}


def count_by_state_of(tx: Transaction, origin: NodeId) -> dict[str, int]:
    """Count the object versions of an origin by state."""
    rows = tx.connection.execute(
        sa.select(OBJECTS.c.state, sa.func.count())
        .where(OBJECTS.c.origin == origin)
        .group_by(OBJECTS.c.state)
    )
    return {str(state): int(count) for state, count in rows}
