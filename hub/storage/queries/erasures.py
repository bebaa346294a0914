"""Delete bytes: of entries that their origin took back, and by law at this node alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.feeds import STUB
from hub.storage.queries.objects import in_chunks
from hub.storage.tables.evidence import EVIDENCE, EVIDENCE_TOLD, OTHER_BRANCH
from hub.storage.tables.feeds import ENTRIES
from hub.storage.tables.incidents import READ_OF_OBJECTS
from hub.storage.tables.objects import OBJECTS
from hub.storage.tables.recall import ERASURES
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash


@dataclass(frozen=True, slots=True)
class HeldPlace:
    """An entry that is held, without its bytes."""

    seq: int
    hash: EntryHash
    kind: str
    state: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """That an entry's bytes were deleted at this node alone."""

    feed_row: int
    seq: int
    erased_at: datetime
    erased_by: str
    reason: str


@contextmanager
def overwriting(tx: Transaction) -> Iterator[None]:
    """Let the database write zeros over what is deleted meanwhile, where it would only forget it.

    On SQLite alone: PostgreSQL gives the space back by its own vacuum.
    """
    if tx.connection.dialect.name != "sqlite":
        yield
        return
    tx.connection.exec_driver_sql("PRAGMA secure_delete = ON").close()
    try:
        yield
    finally:
        tx.connection.exec_driver_sql("PRAGMA secure_delete = OFF").close()


def places_at(tx: Transaction, feed_row: int, seqs: Iterable[int]) -> list[HeldPlace]:
    """List the entries of a feed at the given seqs."""
    found: list[HeldPlace] = []
    for chunk in in_chunks(seqs):
        rows = tx.connection.execute(
            sa.select(ENTRIES.c.seq, ENTRIES.c.hash, ENTRIES.c.kind, ENTRIES.c.state).where(
                ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq.in_(chunk)
            )
        )
        found += [HeldPlace(r.seq, EntryHash(r.hash), r.kind, r.state) for r in rows]
    return found


def places_since(tx: Transaction, feed_row: int, seq: int) -> list[HeldPlace]:
    """List the entries of a feed from a place on, in their order."""
    rows = tx.connection.execute(
        sa.select(ENTRIES.c.seq, ENTRIES.c.hash, ENTRIES.c.kind, ENTRIES.c.state)
        .where(ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq >= seq)
        .order_by(ENTRIES.c.seq)
    )
    return [HeldPlace(r.seq, EntryHash(r.hash), r.kind, r.state) for r in rows]


def replace_by_stubs(tx: Transaction, feed_row: int, records: Mapping[int, bytes]) -> None:
    """Store stubs, by seq, in the place of entries; the bytes of these are gone."""
    if not records:
        return
    statement = (
        ENTRIES.update()
        .where(ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq == sa.bindparam("at"))
        .values(record=sa.bindparam("stub"), state=STUB, code=None)
    )
    with overwriting(tx):
        tx.connection.execute(
            statement, [{"at": seq, "stub": record} for seq, record in records.items()]
        )


def blank_objects(tx: Transaction, object_rows: Sequence[int], **values: object) -> None:
    """Delete what object rows say, and what could find them by it."""
    with overwriting(tx):
        for chunk in in_chunks(object_rows):
            tx.connection.execute(
                OBJECTS.update()
                .where(OBJECTS.c.object_row.in_(chunk))
                .values(content=b"", idn=None, name_key=None, **values)
            )
            for table in READ_OF_OBJECTS:
                tx.connection.execute(table.delete().where(table.c.object_row.in_(chunk)))


def blank_entry(tx: Transaction, feed_row: int, seq: int) -> None:
    """Delete the bytes of an entry; nothing is served in its place."""
    with overwriting(tx):
        tx.connection.execute(
            ENTRIES.update()
            .where(ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq == seq)
            .values(record=b"")
        )


def store_erasure(tx: Transaction, erasure: Erasure) -> None:
    """Note an erasure at this node alone."""
    tx.connection.execute(
        ERASURES.insert().values(
            feed_row=erasure.feed_row,
            seq=erasure.seq,
            erased_at=erasure.erased_at,
            erased_by=erasure.erased_by,
            reason=erasure.reason,
        )
    )


def find_erasure(tx: Transaction, feed_row: int, seq: int) -> Erasure | None:
    """Find out who erased an entry at this node alone, and why."""
    row = tx.connection.execute(
        sa.select(ERASURES).where(ERASURES.c.feed_row == feed_row, ERASURES.c.seq == seq)
    ).one_or_none()
    return None if row is None else Erasure(*row)


def blank_evidence(tx: Transaction, feed: str, seq: int, entry_hash: EntryHash) -> None:
    """Delete the copies of an entry that proofs hold; that the feed is frozen stays noted."""
    proofs = sa.select(EVIDENCE.c.evidence_id).where(EVIDENCE.c.feed == feed, EVIDENCE.c.seq == seq)
    with overwriting(tx):
        tx.connection.execute(EVIDENCE_TOLD.delete().where(EVIDENCE_TOLD.c.evidence_id.in_(proofs)))
        tx.connection.execute(
            EVIDENCE.delete().where(EVIDENCE.c.feed == feed, EVIDENCE.c.seq == seq)
        )
        tx.connection.execute(OTHER_BRANCH.delete().where(OTHER_BRANCH.c.hash == entry_hash))
