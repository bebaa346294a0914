"""Hijack claims as their objects stand now, the answers to them, and what was seen of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from hub.storage.queries.objects import in_chunks
from hub.storage.queries.row_inserts import insert_rows
from hub.storage.tables.incidents import (
    DELEGATION_WATCHES,
    HIJACK_ANSWERS,
    HIJACK_CLAIMS,
    HIJACK_SERVERS,
)
from hub.storage.tables.objects import OBJECTS
from hub.storage.transaction import Transaction
from schemas.dns.delegations import DelegationChange

_LABEL = sa.func.coalesce(OBJECTS.c.released_tlp, OBJECTS.c.tlp).label("label")
_RARE = sa.text("stix_type IN ('identity', 'incident')")  # in the very words of the index
_SHOWN: Final = ("accepted", "withdrawn")
_WAITING: Final = ("QUARANTINED_INBOUND", "QUARANTINED_CORROBORATION", "QUARANTINED_TYPE")
_FACTS: Final = tuple(field.name for field in fields(DelegationChange))
_LISTS: Final = ("change_kinds", "old_ns", "new_ns", "old_ds", "new_ds")


@dataclass(frozen=True, slots=True)
class HijackClaim:
    """One version of one origin's claim, with what its object is now."""

    object_row: int
    origin: str
    stix_id: str
    noted_at: datetime
    facts: DelegationChange
    label: int
    machine: bool
    state: str
    revoked: bool
    version: str
    version_at: datetime | None


@dataclass(frozen=True, slots=True)
class HijackAnswer:
    """One version of one origin's answer, with what its object is now."""

    object_row: int
    incident_id: str
    incident_origin: str | None
    incident_version: str | None
    origin: str
    word: str
    said_at: datetime
    noted_at: datetime
    stix_id: str
    label: int
    machine: bool
    state: str
    revoked: bool
    proven: bool


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it is stored."""

    object_row: int
    incident_id: str
    incident_origin: str | None
    incident_version: str | None
    origin: str
    word: str
    said_at: datetime
    noted_at: datetime


@dataclass(frozen=True, slots=True)
class WatchRow:
    """What this node saw of a claim's delegation at its last looks.

    Args:
        matches: how often in a row the old name servers and keys were there.
        back_at: since when the delegation is believed to be back.
        code: why the last look told nothing.
    """

    origin: str
    stix_id: str
    looked_at: datetime
    matches: int
    back_at: datetime | None
    seen_ns: tuple[str, ...]
    code: str | None = None


@dataclass(frozen=True, slots=True)
class WaitingIncident:
    """An incident that waits in quarantine."""

    origin: str
    stix_id: str
    label: int
    received_at: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class StoredHijack:
    """What one version of an incident claims, as it is stored."""

    object_row: int
    origin: str
    stix_id: str
    noted_at: datetime
    facts: DelegationChange


def store_hijacks(tx: Transaction, claims: Sequence[StoredHijack]) -> set[str]:
    """Store what incidents claim; return the ids of those that were not known yet."""
    known: set[int] = set()
    for chunk in in_chunks([claim.object_row for claim in claims]):
        rows = tx.connection.execute(
            sa.select(HIJACK_CLAIMS.c.object_row).where(HIJACK_CLAIMS.c.object_row.in_(chunk))
        )
        known.update(rows.scalars())
    new = {each.object_row: each for each in claims if each.object_row not in known}
    if not new:
        return set()
    tx.connection.execute(HIJACK_CLAIMS.insert(), [_columns(claim) for claim in new.values()])
    servers = [
        (name, number)
        for number, each in new.items()
        for name in dict.fromkeys(each.facts.rogue_ns)
    ]
    insert_rows(tx, HIJACK_SERVERS, ("name", "object_row"), servers)
    return {claim.stix_id for claim in new.values()}


def _columns(claim: StoredHijack) -> dict[str, Any]:
    facts = claim.facts
    values = {name: getattr(facts, name) for name in _FACTS}
    values |= {name: list(values[name]) for name in _LISTS}
    return values | {
        "object_row": claim.object_row,
        "origin": claim.origin,
        "stix_id": claim.stix_id,
        "noted_at": claim.noted_at,
    }


def is_any_hijack(tx: Transaction) -> bool:
    """Tell whether any hijack was ever claimed here; mostly none was."""
    return tx.connection.execute(sa.select(HIJACK_CLAIMS.c.object_row).limit(1)).first() is not None


def versions_of_zones(tx: Transaction, zones: Collection[str]) -> list[HijackClaim]:
    """List every version of the claims on the very zones that are given."""
    return _in(tx, HIJACK_CLAIMS.c.zone, zones)


def versions_of_ids(tx: Transaction, stix_ids: Collection[str]) -> list[HijackClaim]:
    """List every version of the incidents with the given ids, of all their origins."""
    return _in(tx, HIJACK_CLAIMS.c.stix_id, stix_ids)


def every_version(tx: Transaction) -> list[HijackClaim]:
    """List every version of every claim, in the order of arrival."""
    return _claims(tx, sa.true())


def ids_naming_servers(tx: Transaction, names: Collection[str]) -> set[str]:
    """Find the incidents of which any version calls one of the name servers rogue."""
    found: set[str] = set()
    for chunk in in_chunks(sorted(names)):
        rows = tx.connection.execute(
            sa.select(HIJACK_CLAIMS.c.stix_id)
            .join(HIJACK_SERVERS, HIJACK_SERVERS.c.object_row == HIJACK_CLAIMS.c.object_row)
            .where(HIJACK_SERVERS.c.name.in_(chunk))
        )
        found.update(rows.scalars())
    return found


def _in(tx: Transaction, column: sa.Column[Any], values: Collection[str]) -> list[HijackClaim]:
    found: list[HijackClaim] = []
    for chunk in in_chunks(sorted(values)):
        found += _claims(tx, column.in_(chunk))
    return found


def _claims(tx: Transaction, where: sa.ColumnElement[bool]) -> list[HijackClaim]:
    rows = tx.connection.execute(
        sa.select(
            HIJACK_CLAIMS, _LABEL, OBJECTS.c.machine, OBJECTS.c.state, OBJECTS.c.revoked,
            OBJECTS.c.version, OBJECTS.c.version_at,
        )
        .join(OBJECTS, OBJECTS.c.object_row == HIJACK_CLAIMS.c.object_row)
        .where(where, OBJECTS.c.state.in_(_SHOWN))
        .order_by(HIJACK_CLAIMS.c.object_row)
    )  # fmt: skip
    found = []
    for row in rows:
        values: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 - documented accessor
        values |= {name: tuple(values[name]) for name in _LISTS}
        facts = DelegationChange(**{name: values.pop(name) for name in _FACTS})
        found.append(HijackClaim(facts=facts, **values))
    return found


def store_answer(tx: Transaction, answer: StoredAnswer) -> bool:
    """Store an answer; False where that version is known already."""
    if tx.connection.execute(
        sa.select(HIJACK_ANSWERS.c.object_row).where(
            HIJACK_ANSWERS.c.object_row == answer.object_row
        )
    ).first():
        return False
    tx.connection.execute(HIJACK_ANSWERS.insert().values(**asdict(answer)))
    return True


def answers_to(tx: Transaction, incident_ids: Iterable[str]) -> list[HijackAnswer]:
    """List the answers to incidents, taken-back ones included, in the order of arrival."""
    found: list[HijackAnswer] = []
    for chunk in in_chunks(sorted(set(incident_ids))):
        rows = tx.connection.execute(
            sa.select(
                HIJACK_ANSWERS, OBJECTS.c.stix_id, _LABEL, OBJECTS.c.machine, OBJECTS.c.state,
                OBJECTS.c.revoked,
                (OBJECTS.c.strength == 1).label("proven"),
            )
            .join(OBJECTS, OBJECTS.c.object_row == HIJACK_ANSWERS.c.object_row)
            .where(
                HIJACK_ANSWERS.c.incident_id.in_(chunk),
                sa.or_(
                    OBJECTS.c.state.in_(_SHOWN),
                    # Not what waits because nobody here understands its marking.
                    sa.and_(OBJECTS.c.state == "quarantined", OBJECTS.c.code.in_(_WAITING)),
                ),
            )
        )  # fmt: skip
        found += [HijackAnswer(**row._mapping) for row in rows]  # noqa: SLF001 - documented
    return sorted(found, key=lambda answer: answer.object_row)


def waiting_incidents(tx: Transaction, limit: int = 1_000) -> list[WaitingIncident]:
    """List the incidents that wait in quarantine, in the order of arrival."""
    rows = tx.connection.execute(
        sa.select(
            OBJECTS.c.origin, OBJECTS.c.stix_id, _LABEL, OBJECTS.c.received_at, OBJECTS.c.content
        )
        .where(_RARE, OBJECTS.c.stix_type == "incident", OBJECTS.c.state == "quarantined")
        .order_by(OBJECTS.c.object_row)
        .limit(limit)
    )
    return [
        WaitingIncident(r.origin, r.stix_id, r.label, r.received_at, bytes(r.content)) for r in rows
    ]


def every_watch(tx: Transaction) -> dict[tuple[str, str], WatchRow]:
    """Map origin and id of incidents to what was seen of their delegations here."""
    found: dict[tuple[str, str], WatchRow] = {}
    for row in tx.connection.execute(sa.select(DELEGATION_WATCHES)):
        values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor
        found[row.origin, row.stix_id] = WatchRow(**values | {"seen_ns": tuple(values["seen_ns"])})
    return found


def put_watches(tx: Transaction, rows: Sequence[WatchRow]) -> None:
    """Store what was seen, in the place of what was seen before."""
    table = DELEGATION_WATCHES
    for row in rows:
        tx.connection.execute(
            table.delete().where(table.c.origin == row.origin, table.c.stix_id == row.stix_id)
        )
        tx.connection.execute(table.insert().values(**asdict(row) | {"seen_ns": list(row.seen_ns)}))


def accepted_identities(tx: Transaction) -> list[tuple[str, str, bool, bytes]]:
    """List accepted identities as (origin, id, revoked, content), each one's newest version last.

    There are about as many as there are organisations.
    """
    rows = tx.connection.execute(
        sa.select(OBJECTS.c.origin, OBJECTS.c.stix_id, OBJECTS.c.revoked, OBJECTS.c.content)
        .where(_RARE, OBJECTS.c.stix_type == "identity", OBJECTS.c.state == "accepted")
        .order_by(OBJECTS.c.version_at, OBJECTS.c.object_row)
    )
    return [(row.origin, row.stix_id, row.revoked, bytes(row.content)) for row in rows]
