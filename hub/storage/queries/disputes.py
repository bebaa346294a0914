"""Opinions on names, what was decided on them, and what is new for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from hub.storage.queries.objects import in_chunks
from hub.storage.tables.disputes import DISPUTE_DECISIONS, DISPUTES
from hub.storage.tables.objects import OBJECTS
from hub.storage.transaction import Transaction
from schemas.markings import Tlp

_LABEL = sa.func.coalesce(OBJECTS.c.released_tlp, OBJECTS.c.tlp).label("label")
_OPINIONS = sa.text("stix_type = 'opinion'")  # in the very words of the index

_MANY: Final = 5_000


@dataclass(frozen=True, slots=True)
class StoredDispute:
    """An opinion on a name as it is stored; the members of ``disputes`` in their order."""

    object_row: int
    name: str
    origin: str
    own: bool
    opinion: str
    confidence: int
    said_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class LiveDispute:
    """An opinion on a name with its label and state as they are now."""

    object_row: int
    name: str
    origin: str
    own: bool
    opinion: str
    confidence: int
    said_at: datetime
    received_at: datetime
    stix_id: str
    label: int
    state: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class UnreadOpinion:
    """An opinion that was not looked at yet."""

    object_row: int
    origin: str
    stix_id: str
    label: int
    state: str
    revoked: bool
    version_at: datetime | None
    received_at: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """What a person decided on a disputed name, and from which label on that shows."""

    name: str
    label: int
    decision: str
    reason: str
    actor: str
    decided_at: datetime


def unread_opinions(tx: Transaction, after: int, to: int) -> list[UnreadOpinion]:
    """List opinions between two object rows, in the order of their arrival."""
    return _unread(tx, OBJECTS.c.object_row > after, OBJECTS.c.object_row <= to)


def opinions_to_read_again(tx: Transaction, object_rows: Sequence[int]) -> list[UnreadOpinion]:
    """Forget what was read of those of some objects that are opinions, and list them."""
    found: list[UnreadOpinion] = []
    for chunk in in_chunks(sorted(object_rows)):
        tx.connection.execute(DISPUTES.delete().where(DISPUTES.c.object_row.in_(chunk)))
        found += _unread(tx, OBJECTS.c.object_row.in_(chunk))
    return found


def _unread(tx: Transaction, *where: sa.ColumnElement[bool]) -> list[UnreadOpinion]:
    rows = tx.connection.execute(
        sa.select(
            OBJECTS.c.object_row, OBJECTS.c.origin, OBJECTS.c.stix_id, _LABEL, OBJECTS.c.state,
            OBJECTS.c.revoked, OBJECTS.c.version_at, OBJECTS.c.received_at, OBJECTS.c.content,
        )
        .where(_OPINIONS, *where, OBJECTS.c.exercise.is_(False))
        .order_by(OBJECTS.c.object_row)
    )  # fmt: skip
    return [
        UnreadOpinion(**dict(row._mapping) | {"content": bytes(row.content)})  # noqa: SLF001 - documented
        for row in rows
    ]


def contents_by_origin(
    tx: Transaction, stix_ids: Collection[str]
) -> Mapping[tuple[str, str], tuple[str | None, bytes]]:
    """Find what origins say under ids: the name of a simple indicator, and the bytes."""
    found: dict[tuple[str, str], tuple[str | None, bytes]] = {}
    for chunk in in_chunks(sorted(stix_ids)):
        rows = tx.connection.execute(
            sa.select(OBJECTS.c.origin, OBJECTS.c.stix_id, OBJECTS.c.name_key, OBJECTS.c.content)
            .where(OBJECTS.c.stix_id.in_(chunk))
            .order_by(OBJECTS.c.object_row)
        )
        found |= {(row.origin, row.stix_id): (row.name_key, bytes(row.content)) for row in rows}
    return found


def store_disputes(tx: Transaction, rows: Sequence[StoredDispute]) -> None:
    """Store what was read of opinions."""
    if rows:
        tx.connection.execute(DISPUTES.insert(), [asdict(row) for row in rows])


def is_anything_disputed(tx: Transaction) -> bool:
    """Tell whether there is an opinion on any name; mostly there is none."""
    return tx.connection.execute(sa.select(DISPUTES.c.name).limit(1)).first() is not None


def disputes_about(tx: Transaction, names: Collection[str]) -> dict[str, list[LiveDispute]]:
    """Find the opinions on names that are accepted or wait, in the order of arrival.

    RED reaches no machine unless its policy says so, as with claims (PROTOCOL 3.2).
    """
    found: dict[str, list[LiveDispute]] = {}
    for chunk in in_chunks(sorted(names)):
        for row in _select(tx, DISPUTES.c.name.in_(chunk)):
            found.setdefault(row.name, []).append(row)
    return found


def disputes_of_objects(tx: Transaction, object_rows: Iterable[int]) -> list[tuple[int, str]]:
    """Tell which names the given opinions are on, as (object row, name)."""
    found: list[tuple[int, str]] = []
    for chunk in in_chunks(sorted(object_rows)):
        rows = tx.connection.execute(
            sa.select(DISPUTES.c.object_row, DISPUTES.c.name).where(
                DISPUTES.c.object_row.in_(chunk)
            )
        )
        found += [(row.object_row, row.name) for row in rows]
    return found


def every_dispute(tx: Transaction) -> list[LiveDispute]:
    """List every opinion on a name, in the order of arrival."""
    return _select(tx, sa.true())


def _select(tx: Transaction, where: sa.ColumnElement[bool]) -> list[LiveDispute]:
    rows = tx.connection.execute(
        sa.select(DISPUTES, OBJECTS.c.stix_id, _LABEL, OBJECTS.c.state, OBJECTS.c.revoked)
        .join(OBJECTS, OBJECTS.c.object_row == DISPUTES.c.object_row)
        .where(
            where,
            OBJECTS.c.state.in_(("accepted", "quarantined")),
            sa.or_(_LABEL.element < int(Tlp.RED), OBJECTS.c.machine),
        )
        .order_by(DISPUTES.c.object_row)
    )
    return [LiveDispute(**row._mapping) for row in rows]  # noqa: SLF001 - documented accessor


def put_decision(tx: Transaction, row: DecisionRow) -> None:
    """Store what was decided on a name, in the place of what was before."""
    table = DISPUTE_DECISIONS
    tx.connection.execute(table.delete().where(table.c.name == row.name))
    tx.connection.execute(table.insert().values(**asdict(row)))


def decisions_on(tx: Transaction, names: Collection[str]) -> dict[str, DecisionRow]:
    """Find what was decided on names."""
    if len(names) > _MANY:
        # People decide on few names: all of it is less than asking for so many.
        every = tx.connection.execute(sa.select(DISPUTE_DECISIONS))
        wanted = frozenset(names)
        return {row.name: DecisionRow(**_members(row)) for row in every if row.name in wanted}
    found: dict[str, DecisionRow] = {}
    for chunk in in_chunks(sorted(names)):
        rows = tx.connection.execute(
            sa.select(DISPUTE_DECISIONS).where(DISPUTE_DECISIONS.c.name.in_(chunk))
        )
        found |= {row.name: DecisionRow(**_members(row)) for row in rows}
    return found


def _members(row: sa.Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor


def names_disputed(tx: Transaction, limit: int = 10_000) -> list[str]:
    """List names on which there is an opinion, each once."""
    rows = tx.connection.execute(sa.select(DISPUTES.c.name).distinct().limit(limit))
    return list(rows.scalars())
