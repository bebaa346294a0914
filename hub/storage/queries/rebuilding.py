"""What deriving one origin's objects anew asks of the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from hub.storage.queries.feeds import STUB
from hub.storage.queries.objects import in_chunks
from hub.storage.tables.feeds import ENTRIES, FEEDS
from hub.storage.tables.objects import CARRIED, OBJECTS, VIEW_ROWS
from hub.storage.tables.operations import AUDIT_EVENTS
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId

_NOBODY = ""
_ASIDE = "aside"


@dataclass(frozen=True, slots=True, order=True)
class CarriedVersion:
    """That an entry carries a version of an object."""

    feed_row: int
    seq: int
    object_row: int


def set_aside(tx: Transaction, origin: NodeId, keep: Iterable[int]) -> None:
    """Make the versions of an origin nobody's, out of every view and of every entry.

    For a savepoint that is rolled back: nothing else brings them back.

    Args:
        keep: the numbers of versions that are left as they are.
    """
    kept = set(keep)
    rows = tx.connection.execute(
        sa.select(OBJECTS.c.object_row).where(OBJECTS.c.origin == origin)
    ).scalars()
    for chunk in in_chunks(row for row in rows if row not in kept):
        tx.connection.execute(VIEW_ROWS.delete().where(VIEW_ROWS.c.object_row.in_(chunk)))
        tx.connection.execute(
            OBJECTS.update()
            .where(OBJECTS.c.object_row.in_(chunk))
            .values(origin=_NOBODY, state=_ASIDE)
        )
    tx.connection.execute(CARRIED.delete().where(CARRIED.c.feed_row.in_(_feeds_of(origin))))


def carried_versions(tx: Transaction, origin: NodeId) -> frozenset[CarriedVersion]:
    """List which entries of an origin carry which versions."""
    rows = tx.connection.execute(
        sa.select(CARRIED.c.feed_row, CARRIED.c.seq, CARRIED.c.object_row).where(
            CARRIED.c.feed_row.in_(_feeds_of(origin))
        )
    )
    return frozenset(CarriedVersion(row.feed_row, row.seq, row.object_row) for row in rows)


def carried_without_bytes(tx: Transaction, origin: NodeId) -> frozenset[int]:
    """List the versions carried by entries whose bytes are gone, so that nothing derives them."""
    same_place = sa.and_(ENTRIES.c.feed_row == CARRIED.c.feed_row, ENTRIES.c.seq == CARRIED.c.seq)
    rows = tx.connection.execute(
        sa.select(CARRIED.c.object_row)
        .join(ENTRIES, same_place)
        .where(CARRIED.c.feed_row.in_(_feeds_of(origin)), _is_blank())
        .distinct()
    )
    return frozenset(rows.scalars())


def has_unsaid_recalls(tx: Transaction, origin: NodeId) -> bool:
    """Tell whether an entry without its bytes may have taken something of this origin back."""
    found = tx.connection.execute(
        sa.select(ENTRIES.c.seq)
        .where(
            ENTRIES.c.feed_row.in_(_feeds_of(origin)),
            _is_blank(),
            ENTRIES.c.kind.not_in(("put", "noop", "group")),
        )
        .limit(1)
    ).one_or_none()
    return found is not None


def delete_versions(tx: Transaction, object_rows: Iterable[int]) -> None:
    """Delete versions of objects, wherever they stand."""
    for chunk in in_chunks(object_rows):
        for table in (VIEW_ROWS, CARRIED, OBJECTS):
            tx.connection.execute(table.delete().where(table.c.object_row.in_(chunk)))


def delete_carried(tx: Transaction, links: Iterable[CarriedVersion]) -> None:
    """Forget that entries carry versions."""
    for link in links:
        tx.connection.execute(
            CARRIED.delete().where(
                CARRIED.c.feed_row == link.feed_row,
                CARRIED.c.seq == link.seq,
                CARRIED.c.object_row == link.object_row,
            )
        )


def update_entry(tx: Transaction, feed_row: int, seq: int, **values: object) -> None:
    """Change columns of an entry."""
    place = sa.and_(ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq == seq)
    tx.connection.execute(ENTRIES.update().where(place).values(**values))


def entry_verdicts(tx: Transaction, origin: NodeId) -> dict[tuple[int, int], str | None]:
    """Map every entry of an origin that was judged to the code of its rejection."""
    rows = tx.connection.execute(
        sa.select(ENTRIES.c.feed_row, ENTRIES.c.seq, ENTRIES.c.code).where(
            ENTRIES.c.feed_row.in_(_feeds_of(origin)), ENTRIES.c.state.in_(("stored", "rejected"))
        )
    )
    return {(row.feed_row, row.seq): row.code for row in rows}


def highest_label(tx: Transaction, feed_row: int) -> int:
    """Tell the strictest label that a feed carries; 0 when it carries none."""
    found = tx.connection.execute(
        sa.select(sa.func.max(ENTRIES.c.tlp)).where(ENTRIES.c.feed_row == feed_row)
    ).scalar_one()
    return int(found or 0)


def ids_rejected_by_a_person(tx: Transaction) -> frozenset[str]:
    """List the STIX ids that an operator ever rejected out of quarantine."""
    rows = tx.connection.execute(
        sa.select(AUDIT_EVENTS.c.params).where(AUDIT_EVENTS.c.code == "QUARANTINE_REJECTED")
    )
    return frozenset(stix_id for params in rows.scalars() for stix_id in params["stix_ids"])


def _is_blank() -> sa.ColumnElement[bool]:
    return sa.or_(ENTRIES.c.state == STUB, sa.func.length(ENTRIES.c.record) == 0)


def _feeds_of(origin: NodeId) -> sa.ScalarSelect[int]:
    return sa.select(FEEDS.c.feed_row).where(FEEDS.c.node_id == origin).scalar_subquery()
