"""What accepted objects refer to, and which of them wait outside a view for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from hub.storage.queries.objects import in_chunks
from hub.storage.queries.row_inserts import insert_rows
from hub.storage.tables.objects import OBJECTS, VIEW_ROWS
from hub.storage.tables.references import OBJECT_REFERENCES
from hub.storage.transaction import Transaction

_TARGETS = OBJECTS.alias("targets")


@dataclass(frozen=True, slots=True)
class ReferringPlace:
    """That an object stands in a view and refers to something.

    Args:
        ref: what it refers to.
    """

    view_id: int
    date_added: int
    object_row: int
    origin: str
    stix_id: str
    ref: str


def keep_references(
    tx: Transaction, refs: Mapping[int, Collection[str]], targets: Mapping[str, int]
) -> None:
    """Store what objects refer to, in the place of what was stored of them.

    Args:
        targets: by id, the row of any object that bears it and is at hand.
    """
    drop_references(tx, refs)
    rows = [
        (number, ref, False, targets.get(ref))
        for number, found in refs.items()
        for ref in sorted(found)
    ]
    insert_rows(tx, OBJECT_REFERENCES, ("object_row", "stix_id", "waits", "target_row"), rows)


def drop_references(tx: Transaction, object_rows: Iterable[int]) -> None:
    """Forget what objects refer to."""
    for chunk in in_chunks(object_rows):
        tx.connection.execute(
            OBJECT_REFERENCES.delete().where(OBJECT_REFERENCES.c.object_row.in_(chunk))
        )


def references_of_rows(tx: Transaction, object_rows: Iterable[int]) -> dict[int, frozenset[str]]:
    """Find what the given objects refer to; those that refer to nothing are left out."""
    found: dict[int, set[str]] = {}
    for chunk in in_chunks(object_rows):
        rows = tx.connection.execute(
            sa.select(OBJECT_REFERENCES.c.object_row, OBJECT_REFERENCES.c.stix_id).where(
                OBJECT_REFERENCES.c.object_row.in_(chunk)
            )
        )
        for row in rows:
            found.setdefault(row.object_row, set()).add(row.stix_id)
    return {number: frozenset(refs) for number, refs in found.items()}


def is_any_waiting(tx: Transaction) -> bool:
    """Tell whether any object waits: nearly never, and then nothing more need be asked."""
    found = tx.connection.execute(
        sa.select(OBJECT_REFERENCES.c.object_row).where(OBJECT_REFERENCES.c.waits).limit(1)
    )
    return found.one_or_none() is not None


def waiting_for(tx: Transaction, stix_ids: Iterable[str]) -> set[int]:
    """Find the objects that wait for one of these ids."""
    found: set[int] = set()
    for chunk in in_chunks(stix_ids):
        rows = tx.connection.execute(
            sa.select(OBJECT_REFERENCES.c.object_row).where(
                OBJECT_REFERENCES.c.stix_id.in_(chunk), OBJECT_REFERENCES.c.waits
            )
        )
        found.update(rows.scalars())
    return found


def set_waiting(tx: Transaction, waiting: Iterable[tuple[int, str]], *, waits: bool = True) -> None:
    """Note of pairs of an object and an id whether the one waits for the other."""
    places = [{"number": number, "ref": ref} for number, ref in waiting]
    if places:
        tx.connection.execute(
            OBJECT_REFERENCES.update()
            .where(
                OBJECT_REFERENCES.c.object_row == sa.bindparam("number"),
                OBJECT_REFERENCES.c.stix_id == sa.bindparam("ref"),
            )
            .values(waits=waits),
            places,
        )


def places_of_referring(tx: Transaction, stix_ids: Iterable[str]) -> list[ReferringPlace]:
    """Find where in any view something stands that refers to one of these ids."""
    standing = (
        sa.select(
            VIEW_ROWS.c.view_id,
            VIEW_ROWS.c.date_added,
            VIEW_ROWS.c.object_row,
            OBJECTS.c.origin,
            OBJECTS.c.stix_id,
            OBJECT_REFERENCES.c.stix_id.label("ref"),
        )
        .join(OBJECT_REFERENCES, OBJECT_REFERENCES.c.object_row == VIEW_ROWS.c.object_row)
        .join(OBJECTS, OBJECTS.c.object_row == VIEW_ROWS.c.object_row)
    )
    by_number = standing.join(_TARGETS, _TARGETS.c.object_row == OBJECT_REFERENCES.c.target_row)
    found: list[ReferringPlace] = []
    for chunk in in_chunks(stix_ids):
        for statement in (
            standing.where(
                OBJECT_REFERENCES.c.stix_id.in_(chunk), OBJECT_REFERENCES.c.target_row.is_(None)
            ),
            by_number.where(_TARGETS.c.stix_id.in_(chunk)),
        ):
            found += [ReferringPlace(*row) for row in tx.connection.execute(statement)]
    return found
