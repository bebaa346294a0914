"""Claims on names: what is new for them, and what each name's claims are.

Statements run as the driver takes them: a million claims are read through here, and SQLAlchemy
would make an object of every value. Instants are microseconds, as the columns hold them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from hub.storage.dialects import read_column, to_micros, write_column
from hub.storage.queries.objects import in_chunks
from hub.storage.queries.row_inserts import insert_rows
from hub.storage.tables.feeds import ENTRIES
from hub.storage.tables.objects import CARRIED, COUNTERS, OBJECTS
from hub.storage.tables.verdicts import CLAIMS, CLAIMS_TO_READ
from hub.storage.transaction import Transaction

WATERMARK: Final = "claims_read"
VERDICT_STATE: Final = "verdict"
"""The state of this hub's own verdicts: not ``accepted``, so that nothing takes them for claims."""
_NOT_CLAIMS: Final = (VERDICT_STATE, "local", "queued", "exercise")
CLAIM_COLUMNS: Final = (
    "object_row", "name", "origin", "confidence", "threat_type", "match_scope", "claimed_at",
    "valid_from", "valid_until", "src", "pap", "feed_row", "seq", "several", "part",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredClaim:
    """A claim as it is stored; the members of ``claims`` in their order.

    Args:
        name: the key of its subject (``schemas.dns.subjects``).
        part: which of the windows of one name, in a list with days.
    """

    object_row: int
    name: str
    origin: str
    confidence: int
    threat_type: str | None
    match_scope: str
    claimed_at: int
    valid_from: int | None
    valid_until: int | None
    src: tuple[str, ...]
    pap: int | None
    feed_row: int | None
    seq: int | None
    several: bool = False
    part: int = 0


@dataclass(slots=True)
class LiveClaim:
    """An accepted claim with its label and version, as they are now.

    Args:
        object_of: whose object it rests on, where that is another's (an adopted set).
    """

    object_row: int
    name: str
    origin: str
    confidence: int
    threat_type: str | None
    match_scope: str
    claimed_at: int
    valid_from: int | None
    valid_until: int | None
    src: tuple[str, ...]
    pap: int | None
    feed_row: int | None
    seq: int | None
    several: bool
    stix_id: str
    label: int
    revoked: bool
    version_at: int | None
    published_at: int
    object_of: str = ""

    @property
    def version_key(self) -> tuple[str, str]:
        """Return under which origin and id the versions of its object are found."""
        return self.object_of or self.origin, self.stix_id


@dataclass(frozen=True, slots=True)
class UnreadObject:
    """An indicator that may be a claim."""

    object_row: int
    origin: str
    stix_id: str
    name: str | None
    label: int
    revoked: bool
    version_at: int | None
    received_at: int
    visible_at: int | None
    accepted: bool
    content: bytes
    asked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Carrier:
    """An entry that carried an object, with what it says of its source."""

    object_row: int
    feed_row: int
    seq: int
    tlp: int | None
    src: Sequence[str] | None
    pap: int | None


def watermark(tx: Transaction) -> int:
    """Tell up to which object row claims were read."""
    found = tx.connection.execute(
        sa.select(COUNTERS.c.value).where(COUNTERS.c.name == WATERMARK)
    ).scalar_one_or_none()
    return 0 if found is None else int(found)


def move_watermark(tx: Transaction, to: int) -> None:
    """Note that claims were read up to an object row."""
    moved = tx.connection.execute(
        COUNTERS.update().where(COUNTERS.c.name == WATERMARK).values(value=to)
    )
    if not moved.rowcount:
        tx.connection.execute(COUNTERS.insert().values(name=WATERMARK, value=to))


_UNREAD: Final = (
    "SELECT o.object_row, o.origin, o.stix_id, o.name_key, coalesce(o.released_tlp, o.tlp),"
    " o.revoked, o.version_at, o.received_at, o.visible_at, o.state, o.content"
)


def last_object_row(tx: Transaction) -> int:
    """Return the number of the newest object."""
    return int(tx.connection.execute(sa.select(sa.func.max(OBJECTS.c.object_row))).scalar() or 0)


def unread_objects(tx: Transaction, after: int, limit: int) -> list[UnreadObject]:
    """List indicators behind the watermark, in the order of their arrival."""
    rows = _run(
        tx,
        f"{_UNREAD} FROM objects o WHERE o.object_row > ? AND o.stix_type = 'indicator'"
        " AND o.state NOT IN (?, ?, ?, ?) ORDER BY o.object_row LIMIT ?",
        (after, *_NOT_CLAIMS, limit),
    )
    return [_unread(row) for row in rows]


def objects_to_read_again(tx: Transaction, limit: int) -> list[UnreadObject]:
    """List what was shown anew and whose claim has to be read once more."""
    rows = _run(
        tx,
        f"{_UNREAD}, r.asked_at FROM claims_to_read r"
        " LEFT JOIN objects o ON o.object_row = r.object_row"
        " ORDER BY r.asked_at, r.object_row LIMIT ?",
        (limit,),
    )
    return [_unread(row) for row in rows if row[0] is not None]


def _unread(row: Sequence[Any]) -> UnreadObject:
    (
        number, origin, stix_id, name, label, revoked, version, received, visible, state, content,
        *rest,
    ) = row  # fmt: skip
    return UnreadObject(
        number, origin, stix_id, name, label, bool(revoked), version, received, visible,
        state == "accepted", bytes(content), rest[0] if rest else None,
    )  # fmt: skip


def ask_to_read_again(tx: Transaction, object_rows: Collection[int], at: datetime) -> None:
    """Ask for claims to be read once more; those not read yet will be anyway, and once alone."""
    read = watermark(tx)
    behind = sorted(number for number in object_rows if number <= read)
    for chunk in in_chunks(behind):
        tx.connection.execute(CLAIMS_TO_READ.delete().where(CLAIMS_TO_READ.c.object_row.in_(chunk)))
    micros = to_micros(at)
    rows = [(number, micros) for number in behind]
    insert_rows(tx, CLAIMS_TO_READ, ("object_row", "asked_at"), rows)


def drop_asked(tx: Transaction, object_rows: Iterable[int]) -> None:
    """Forget what was read again."""
    for chunk in in_chunks(object_rows):
        tx.connection.execute(CLAIMS_TO_READ.delete().where(CLAIMS_TO_READ.c.object_row.in_(chunk)))


def drop_gone(tx: Transaction) -> None:
    """Forget questions about objects that are no more."""
    gone = sa.select(OBJECTS.c.object_row).where(
        OBJECTS.c.object_row == CLAIMS_TO_READ.c.object_row
    )
    tx.connection.execute(CLAIMS_TO_READ.delete().where(~sa.exists(gone)))


def store_claims(tx: Transaction, claims: Sequence[StoredClaim]) -> None:
    """Store claims, each in the place of what was read of its object before."""
    rows = [
        (
            c.object_row, c.name, c.origin, c.confidence, c.threat_type, c.match_scope,
            c.claimed_at, c.valid_from, c.valid_until, write_column(c.src) if c.src else None,
            c.pap, c.feed_row, c.seq, c.several, c.part,
        )
        for c in claims
    ]  # fmt: skip
    insert_rows(tx, CLAIMS, CLAIM_COLUMNS, rows)


def drop_claims(tx: Transaction, object_rows: Iterable[int]) -> None:
    """Forget what was read of objects."""
    for chunk in in_chunks(object_rows):
        tx.connection.execute(CLAIMS.delete().where(CLAIMS.c.object_row.in_(chunk)))


def mark_several(tx: Transaction, object_rows: Iterable[int]) -> None:
    """Note that the objects of these claims have further versions."""
    for chunk in in_chunks(object_rows):
        tx.connection.execute(
            CLAIMS.update().where(CLAIMS.c.object_row.in_(chunk)).values(several=True)
        )


def names_claimed(tx: Transaction, object_rows: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Tell what the given objects claim, by the keys of the subjects; not for sets."""
    found: dict[int, tuple[str, ...]] = {}
    for chunk in in_chunks(object_rows):
        rows = tx.connection.execute(
            sa.select(CLAIMS.c.object_row, CLAIMS.c.name)
            .where(CLAIMS.c.object_row.in_(chunk))
            .order_by(CLAIMS.c.object_row, CLAIMS.c.name)
        )
        for row in rows:
            found[row.object_row] = (*found.get(row.object_row, ()), row.name)
    return found


_COUNTING: Final = (
    " AND o.state = 'accepted' AND (o.revoked OR NOT EXISTS (SELECT 1 FROM domain_sets d"
    " WHERE d.object_row = o.object_row AND d.state <> 'expanded'))"
)


def versions_of(
    tx: Transaction, stix_ids: Collection[str], *, accepted: bool = False
) -> dict[tuple[str, str], list[tuple[int, int | None, int]]]:
    """List ``(object_row, version_at, label)`` of every version, by origin and STIX id.

    Args:
        accepted: those alone, and of sets those alone whose names are claims by now: until the
            list of a newer one is here, the one before it counts.
    """
    found: dict[tuple[str, str], list[tuple[int, int | None, int]]] = {}
    state = _COUNTING if accepted else ""
    for chunk in in_chunks(sorted(stix_ids)):
        marks = ", ".join("?" * len(chunk))
        rows = _run(
            tx,
            "SELECT o.origin, o.stix_id, o.object_row, o.version_at,"  # noqa: S608
            f" coalesce(o.released_tlp, o.tlp) FROM objects o WHERE o.stix_id IN ({marks}){state}",
            tuple(chunk),
        )
        for origin, stix_id, number, version_at, label in rows:
            found.setdefault((origin, stix_id), []).append((number, version_at, label))
    return found


def carriers_of(tx: Transaction, object_rows: Collection[int]) -> dict[int, Carrier]:
    """Find, for each object, the widest entry that carried it; of equals the first.

    Further entries that a lower label does not show change nothing for it (PROTOCOL 3.5).
    """
    found: dict[int, Carrier] = {}
    for chunk in in_chunks(object_rows):
        rows = tx.connection.execute(
            sa.select(
                CARRIED.c.object_row,
                CARRIED.c.feed_row,
                CARRIED.c.seq,
                ENTRIES.c.tlp,
                ENTRIES.c.src,
                ENTRIES.c.pap,
            )
            .join(
                ENTRIES,
                (ENTRIES.c.feed_row == CARRIED.c.feed_row) & (ENTRIES.c.seq == CARRIED.c.seq),
            )
            .where(CARRIED.c.object_row.in_(chunk))
        )
        for row in rows:
            carrier = Carrier(*row)
            held = found.get(carrier.object_row)
            if held is None or _width(carrier) < _width(held):
                found[carrier.object_row] = carrier
    return found


def _width(carrier: Carrier) -> tuple[int, int, int]:
    return carrier.tlp or 0, carrier.feed_row, carrier.seq


_LIVE: Final = (
    "SELECT c.object_row, c.name, c.origin, c.confidence, c.threat_type, c.match_scope,"
    " c.claimed_at, c.valid_from, c.valid_until, c.src, c.pap, c.feed_row, c.seq, c.several,"
    " o.stix_id, coalesce(o.released_tlp, o.tlp), o.revoked, o.version_at, o.published_at"
    # CROSS, so that SQLite begins at the names and not at all that is accepted.
    " FROM claims c CROSS JOIN objects o"
    " WHERE c.name {} AND o.object_row = c.object_row"
    " AND o.state = 'accepted' AND NOT o.exercise"
    " AND (coalesce(o.released_tlp, o.tlp) < 4 OR o.machine)"
)
"""RED reaches no machine unless its policy says so, and an exercise nobody (PROTOCOL 3.2, 2.4)."""
_SRC: Final = 9


@lru_cache(maxsize=4096)
def _src_of(stored: bytes) -> tuple[str, ...]:
    """Read lineage tags; a peer writes the same few over and over."""
    return tuple(read_column(stored))


def _live_on(tx: Transaction, names: Sequence[object]) -> tuple[str, tuple[Any, ...]]:
    if tx.connection.dialect.name == "postgresql":
        # One array: one text for any number of names, so that it is planned once, by the index.
        return _LIVE.format("= ANY(?)"), (list(names),)
    return _LIVE.format(f"IN ({', '.join('?' * len(names))})"), tuple(names)


def live_claims(tx: Transaction, names: Sequence[str]) -> dict[str, list[LiveClaim]]:
    """Find the accepted claims on names, revoked versions included, in the order of arrival."""
    found: dict[str, list[LiveClaim]] = {}
    for chunk in in_chunks(names):
        for row in _run(tx, *_live_on(tx, chunk)):
            src = row[_SRC]
            if src is not None:
                row = (*row[:_SRC], _src_of(bytes(src)), *row[_SRC + 1 :])  # noqa: PLW2901
            else:
                row = (*row[:_SRC], (), *row[_SRC + 1 :])  # noqa: PLW2901
            claim = LiveClaim(*row)
            held = found.get(claim.name)
            if held is None:
                found[claim.name] = [claim]
            else:
                held.append(claim)
    for claims in found.values():
        if len(claims) > 1:
            claims.sort(key=lambda claim: claim.object_row)
    return found


def count_claims(tx: Transaction) -> int:
    """Count what was read."""
    return int(tx.connection.execute(sa.select(sa.func.count()).select_from(CLAIMS)).scalar_one())


def _run(tx: Transaction, statement: str, values: tuple[Any, ...]) -> Sequence[Any]:
    """Run a statement of our own text, every value bound, and fetch its rows as plain tuples."""
    if tx.connection.dialect.paramstyle != "qmark":
        statement = statement.replace("?", "%s")
    result = tx.connection.exec_driver_sql(statement, values)
    cursor = result.cursor
    rows: Sequence[Any] = cursor.fetchall() if cursor is not None else ()
    result.close()
    return rows
