"""Domain sets: one row for each version of a grouping that stands for a list, and what is adopted.

Invariants: a row says what its object says; whether it counts is the state of the object, joined
when it is asked for.

What it does not do: the bytes of lists (``blobs``), or which are wanted (``named_blobs``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.storage.queries.objects import in_chunks
from hub.storage.tables.domain_sets import ADOPTED_SETS, BLOBS, DOMAIN_SETS
from hub.storage.tables.objects import OBJECTS
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId, StixId


@dataclass(frozen=True, slots=True)
class SetRow:
    """A domain set as it is stored.

    Args:
        object_row: the version of the grouping that says so.
        state: ``waits`` for its list, ``held``, ``expanding``, ``expanded`` or ``refused``.
        done: how many of its lines became claims.
        code: why it is refused.
    """

    object_row: int
    sha256: str
    base_sha256: str | None
    added_sha256: str | None
    removed_sha256: str | None
    threat_type: str | None
    family: str | None
    variant: str | None
    tld: str | None
    domain_count: int
    dated: bool
    valid_from: datetime | None
    valid_until: datetime | None
    match_scope: str
    state: str
    done: int = 0
    code: str | None = None


@dataclass(frozen=True, slots=True)
class ListedSet:
    """A set with what its object is by now.

    Args:
        row: the set itself.
        object_state: ``accepted``, ``quarantined``, ``withdrawn`` …
        object_code: why the object is not accepted.
        blob_state: of its list: ``wanted``, ``held``, ``refused``; None where nobody asked yet.
        blob_code: what the last attempt to fetch it met.
        adopted: whether a person stands for the list.
    """

    row: SetRow
    origin: NodeId
    stix_id: StixId
    version: str
    version_at: datetime | None
    tlp: int
    revoked: bool
    exercise: bool
    idn: str | None
    object_state: str
    object_code: str | None
    blob_state: str | None
    blob_code: str | None
    adopted: bool


@dataclass(frozen=True, slots=True)
class AdoptedSet:
    """A list that a person stands for, or stood for until ``ended_at``."""

    sha256: str
    reason: str
    actor: str
    adopted_at: datetime
    ended_at: datetime | None


_COLUMNS = [DOMAIN_SETS.c[field.name] for field in fields(SetRow)]
_NAMES = tuple(column.name for column in _COLUMNS)


def store_sets(tx: Transaction, rows: Sequence[SetRow]) -> None:
    """Store what objects say, in the place of what was stored for the same object rows."""
    if not rows:
        return
    for chunk in in_chunks(row.object_row for row in rows):
        tx.connection.execute(DOMAIN_SETS.delete().where(DOMAIN_SETS.c.object_row.in_(chunk)))
    values = [{name: getattr(row, name) for name in _NAMES} for row in rows]
    tx.connection.execute(DOMAIN_SETS.insert(), values)


def find_set(tx: Transaction, object_row: int) -> SetRow | None:
    """Find the set that an object stands for."""
    found = tx.connection.execute(
        sa.select(*_COLUMNS).where(DOMAIN_SETS.c.object_row == object_row)
    ).one_or_none()
    return None if found is None else SetRow(**found._mapping)  # noqa: SLF001 - SQLAlchemy's own


def update_sets(tx: Transaction, object_rows: Iterable[int], **values: object) -> None:
    """Change columns of sets."""
    for chunk in in_chunks(object_rows):
        tx.connection.execute(
            DOMAIN_SETS.update().where(DOMAIN_SETS.c.object_row.in_(chunk)).values(**values)
        )


def list_sets(
    tx: Transaction, *, origin: NodeId | None = None, stix_id: str | None = None
) -> tuple[ListedSet, ...]:
    """List every version of every set, in the order of their arrival."""
    adopted = sa.select(ADOPTED_SETS.c.sha256).where(
        ADOPTED_SETS.c.sha256 == DOMAIN_SETS.c.sha256, ADOPTED_SETS.c.ended_at.is_(None)
    )
    of_object = ("origin", "stix_id", "version", "version_at", "tlp", "revoked", "exercise", "idn")
    statement = (
        sa.select(
            *_COLUMNS,
            *(OBJECTS.c[name] for name in of_object),
            OBJECTS.c.state.label("object_state"),
            OBJECTS.c.code.label("object_code"),
            BLOBS.c.state.label("blob_state"),
            BLOBS.c.code.label("blob_code"),
            sa.exists(adopted).label("adopted"),
        )
        .join(OBJECTS, OBJECTS.c.object_row == DOMAIN_SETS.c.object_row)
        .outerjoin(BLOBS, BLOBS.c.sha256 == DOMAIN_SETS.c.sha256)
        .order_by(DOMAIN_SETS.c.object_row)
    )
    if origin is not None:
        statement = statement.where(OBJECTS.c.origin == origin)
    if stix_id is not None:
        statement = statement.where(OBJECTS.c.stix_id == stix_id)
    rows = tx.connection.execute(statement).mappings()
    return tuple(_listed(dict(row)) for row in rows)


def _listed(values: dict[str, Any]) -> ListedSet:
    return ListedSet(SetRow(**{name: values.pop(name) for name in _NAMES}), **values)


def sets_named(tx: Transaction, sha256: str) -> list[tuple[int, int]]:
    """List the accepted sets whose claims are on the names of a list, with their labels."""
    rows = tx.connection.execute(
        sa.select(DOMAIN_SETS.c.object_row, sa.func.coalesce(OBJECTS.c.released_tlp, OBJECTS.c.tlp))
        .join(OBJECTS, OBJECTS.c.object_row == DOMAIN_SETS.c.object_row)
        .where(
            DOMAIN_SETS.c.sha256 == sha256,
            DOMAIN_SETS.c.state.in_(("expanding", "expanded")),
            OBJECTS.c.state == "accepted",
        )
    )
    return [(number, label) for number, label in rows]


def find_adopted(tx: Transaction, sha256: str) -> AdoptedSet | None:
    """Find whether a person stands for a list, or did."""
    found = tx.connection.execute(
        sa.select(ADOPTED_SETS).where(ADOPTED_SETS.c.sha256 == sha256)
    ).one_or_none()
    return None if found is None else AdoptedSet(**found._mapping)  # noqa: SLF001


def store_adopted(tx: Transaction, adopted: AdoptedSet) -> None:
    """Store that a person stands for a list, in the place of an earlier word on it."""
    tx.connection.execute(ADOPTED_SETS.delete().where(ADOPTED_SETS.c.sha256 == adopted.sha256))
    values = {field.name: getattr(adopted, field.name) for field in fields(AdoptedSet)}
    tx.connection.execute(ADOPTED_SETS.insert().values(**values))


def end_adopted(tx: Transaction, sha256: str, at: datetime) -> None:
    """Note that nobody stands for a list any longer."""
    tx.connection.execute(
        ADOPTED_SETS.update()
        .where(ADOPTED_SETS.c.sha256 == sha256, ADOPTED_SETS.c.ended_at.is_(None))
        .values(ended_at=at)
    )
