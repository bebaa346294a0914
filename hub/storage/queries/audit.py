"""The audit: what was done, by whom, as code and params; words come at the door.

Every event hangs on the one before it (``hub.storage.audit_links``), in the transaction that it
tells of. Writers are serialised, so the last link is read and the next one written without a race.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from hub.storage.audit_links import FIRST, PERSONAL, SALT_SIZE, Digests, digest_event, link_of
from hub.storage.tables.operations import AUDIT_CHAIN, AUDIT_EVENTS
from hub.storage.transaction import OPERATOR, Transaction

ERASED: Final = "(erased)"
"""What stands in the place of an actor whose details were erased."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event with its link.

    Attributes:
        seq: its place in the chain, from 1 on.
        salt: None once its personal details were erased.
        event_row: its number in the table of events.
        digests: what the link was made of.
        hash: the link.
    """

    seq: int
    at: datetime
    actor: str
    code: str
    params: Mapping[str, Any]
    salt: bytes | None
    event_row: int
    digests: Digests
    hash: bytes
    linked_at: datetime
    linked_code: str


def store_event(tx: Transaction, at: datetime, actor: str, code: str, **params: object) -> None:
    """Store one event in the transaction that it tells of.

    Args:
        actor: who did it; ``operator`` is whoever sits at this machine, by name where known.
    """
    actor = tx.operator if actor == OPERATOR else actor
    salt = os.urandom(SALT_SIZE)
    stored = tx.connection.execute(
        AUDIT_EVENTS.insert().values(at=at, actor=actor, code=code, params=params, salt=salt)
    )
    key: Any = stored.inserted_primary_key
    seq, previous = last_link(tx)
    digests = digest_event(actor, params, salt)
    tx.connection.execute(
        AUDIT_CHAIN.insert().values(
            seq=seq + 1,
            event_row=key[0],
            at=at,
            code=code,
            facts=digests.facts,
            personal=digests.personal,
            hash=link_of(seq + 1, previous, at, code, digests),
        )
    )


def last_link(tx: Transaction) -> tuple[int, bytes]:
    """Return place and hash of the last link; 0 and ``FIRST`` before the first event."""
    found = tx.connection.execute(
        sa.select(AUDIT_CHAIN.c.seq, AUDIT_CHAIN.c.hash).order_by(AUDIT_CHAIN.c.seq.desc()).limit(1)
    ).one_or_none()
    return (0, FIRST) if found is None else (found.seq, found.hash)


def events_after(tx: Transaction, seq: int, limit: int) -> list[AuditEvent]:
    """List the events behind a place of the chain, in its order."""
    return list(_events(tx, (AUDIT_CHAIN.c.seq > seq,), AUDIT_CHAIN.c.seq.asc(), limit))


def newest_events(
    tx: Transaction,
    *,
    limit: int,
    before: int | None = None,
    since: datetime | None = None,
    code: str | None = None,
    actor: str | None = None,
) -> list[AuditEvent]:
    """List events, the newest first.

    Args:
        before: only those before this place of the chain: the next page.
        since: only those at or after this instant.
        code: only of this code.
        actor: only of this actor.
    """
    where: list[sa.ColumnElement[bool]] = []
    if before is not None:
        where.append(AUDIT_CHAIN.c.seq < before)
    if since is not None:
        where.append(AUDIT_EVENTS.c.at >= since)
    if code is not None:
        where.append(AUDIT_EVENTS.c.code == code)
    if actor is not None:
        where.append(AUDIT_EVENTS.c.actor == actor)
    return list(_events(tx, where, AUDIT_CHAIN.c.seq.desc(), limit))


def find_event(tx: Transaction, seq: int) -> AuditEvent | None:
    """Find the event at a place of the chain."""
    return next(_events(tx, (AUDIT_CHAIN.c.seq == seq,), AUDIT_CHAIN.c.seq.asc(), 1), None)


def count_unlinked(tx: Transaction) -> int:
    """Count events that hang on no link: put in by somebody who went past ``store_event``."""
    return tx.connection.execute(
        sa.select(sa.func.count())
        .select_from(AUDIT_EVENTS)
        .where(AUDIT_EVENTS.c.event_row.not_in(sa.select(AUDIT_CHAIN.c.event_row)))
    ).scalar_one()


def erase_personal(tx: Transaction, event: AuditEvent) -> None:
    """Forget who did it and what people wrote; facts, and the link, stay as they are."""
    facts = {name: value for name, value in event.params.items() if name not in PERSONAL}
    tx.connection.execute(
        AUDIT_EVENTS.update()
        .where(AUDIT_EVENTS.c.event_row == event.event_row)
        .values(actor=ERASED, params=facts, salt=None)
    )


def is_noted(tx: Transaction, code: str, params: Mapping[str, object]) -> bool:
    """Tell whether there is an event of this code with exactly these params, in this order."""
    found = tx.connection.execute(
        sa.select(AUDIT_EVENTS.c.event_row)
        .where(AUDIT_EVENTS.c.code == code, AUDIT_EVENTS.c.params == dict(params))
        .limit(1)
    ).one_or_none()
    return found is not None


def _events(tx: Transaction, where: Any, order: Any, limit: int) -> Iterator[AuditEvent]:
    found = tx.connection.execute(
        sa.select(
            AUDIT_EVENTS, AUDIT_CHAIN.c.seq, AUDIT_CHAIN.c.facts, AUDIT_CHAIN.c.personal,
            AUDIT_CHAIN.c.hash, AUDIT_CHAIN.c.at.label("linked_at"),
            AUDIT_CHAIN.c.code.label("linked_code"),
        )
        # A link whose event is gone has to be seen, not skipped.
        .select_from(AUDIT_CHAIN.outerjoin(AUDIT_EVENTS))
        .where(*where)
        .order_by(order)
        .limit(limit)
    )  # fmt: skip
    for row in found:
        gone = row.event_row is None
        yield AuditEvent(
            seq=row.seq,
            at=row.linked_at if gone else row.at,
            actor="" if gone else row.actor,
            code=row.linked_code if gone else row.code,
            params={} if gone else row.params,
            salt=row.salt,
            event_row=0 if gone else row.event_row,
            digests=Digests(row.facts, row.personal),
            hash=row.hash,
            linked_at=row.linked_at,
            linked_code=row.linked_code,
        )
