"""Proofs, the other branch of a forked feed, and which feeds are frozen since when."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.counters import claim_numbers
from hub.storage.tables.evidence import EVIDENCE, EVIDENCE_TOLD, FREEZES, OTHER_BRANCH
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, NodeId


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One proof; ``body`` is what goes over the wire, ``sender`` None when it was found here."""

    evidence_id: int
    digest: str
    kind: str
    accused: NodeId
    feed: str | None
    seq: int | None
    body: bytes
    sender: NodeId | None
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class UntoldEvidence:
    """What tells whom a proof concerns; not the proof itself, which may be large."""

    evidence_id: int
    kind: str
    accused: NodeId
    feed: str | None
    seq: int | None


@dataclass(frozen=True, slots=True)
class BranchEntry:
    """An entry of the branch that was not taken; ``dsse`` as JSON bytes."""

    hash: EntryHash
    feed: str
    seq: int
    dsse: bytes
    sender: NodeId
    received_at: datetime


@dataclass(frozen=True, slots=True)
class FreezeRow:
    """One time that a feed was frozen; it is now while ``thawed_at`` is None."""

    freeze_id: int
    feed: str
    why: str
    state_before: str
    frozen_at: datetime
    thawed_at: datetime | None = None
    thawed_by: str | None = None
    reason: str | None = None


def _evidence(row: sa.Row[tuple[object, ...]]) -> EvidenceRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor
    values["body"] = bytes(values["body"])
    return EvidenceRow(**values)


def store_evidence(
    tx: Transaction,
    *,
    digest: str,
    kind: str,
    accused: NodeId,
    feed: str | None,
    seq: int | None,
    body: bytes,
    sender: NodeId | None,
    at: datetime,
) -> EvidenceRow:
    """Store a proof that is not held yet."""
    number = claim_numbers(tx, "evidence_id", 1)
    row = EvidenceRow(number, digest, kind, accused, feed, seq, body, sender, at)
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    tx.connection.execute(EVIDENCE.insert().values(**values))
    return row


def find_evidence(tx: Transaction, evidence_id: int) -> EvidenceRow | None:
    """Find a proof by its number."""
    row = tx.connection.execute(
        sa.select(EVIDENCE).where(EVIDENCE.c.evidence_id == evidence_id)
    ).one_or_none()
    return None if row is None else _evidence(row)


def holds_evidence(tx: Transaction, digest: str) -> bool:
    """Tell whether a proof of the same thing is held."""
    found = tx.connection.execute(
        sa.select(EVIDENCE.c.evidence_id).where(EVIDENCE.c.digest == digest)
    ).one_or_none()
    return found is not None


def list_evidence(
    tx: Transaction, *, feed: str | None = None, kind: str | None = None
) -> tuple[EvidenceRow, ...]:
    """List the proofs in the order in which they came."""
    statement = sa.select(EVIDENCE).order_by(EVIDENCE.c.evidence_id)
    if feed is not None:
        statement = statement.where(EVIDENCE.c.feed == feed)
    if kind is not None:
        statement = statement.where(EVIDENCE.c.kind == kind)
    return tuple(map(_evidence, tx.connection.execute(statement)))


def count_evidence(
    tx: Transaction,
    *,
    accused: NodeId | None = None,
    sender: NodeId | None = None,
    since: datetime | None = None,
) -> int:
    """Count the proofs against a node, or those that a peer brought, since a moment."""
    statement = sa.select(sa.func.count()).select_from(EVIDENCE)
    if accused is not None:
        statement = statement.where(EVIDENCE.c.accused == accused)
    if sender is not None:
        statement = statement.where(EVIDENCE.c.sender == sender)
    if since is not None:
        statement = statement.where(EVIDENCE.c.stored_at > since)
    return int(tx.connection.execute(statement).scalar_one())


def evidence_untold(tx: Transaction, node_id: NodeId) -> tuple[UntoldEvidence, ...]:
    """List the proofs that a peer was not told of, nor brought itself."""
    told = sa.select(EVIDENCE_TOLD.c.evidence_id).where(EVIDENCE_TOLD.c.node_id == node_id)
    rows = tx.connection.execute(
        sa.select(*(EVIDENCE.c[column.name] for column in fields(UntoldEvidence)))
        .where(
            EVIDENCE.c.evidence_id.not_in(told),
            sa.or_(EVIDENCE.c.sender.is_(None), EVIDENCE.c.sender != node_id),
        )
        .order_by(EVIDENCE.c.evidence_id)
    )
    return tuple(UntoldEvidence(*row) for row in rows)


def note_evidence_told(
    tx: Transaction, evidence_id: int, node_id: NodeId, at: datetime, code: str | None
) -> None:
    """Remember that a peer was told, and why it did not take it if it did not."""
    where = (EVIDENCE_TOLD.c.evidence_id == evidence_id, EVIDENCE_TOLD.c.node_id == node_id)
    tx.connection.execute(EVIDENCE_TOLD.delete().where(*where))
    tx.connection.execute(
        EVIDENCE_TOLD.insert().values(
            evidence_id=evidence_id, node_id=node_id, told_at=at, code=code
        )
    )


def nodes_told(tx: Transaction, evidence_id: int) -> dict[NodeId, str | None]:
    """List the peers that were told of a proof, with why one did not take it."""
    rows = tx.connection.execute(
        sa.select(EVIDENCE_TOLD).where(EVIDENCE_TOLD.c.evidence_id == evidence_id)
    )
    return {NodeId(row.node_id): row.code for row in rows}


def store_branch(tx: Transaction, entry: BranchEntry, *, of_feed: int, of_origin: int) -> bool:
    """Keep an entry of a branch that was not taken.

    Args:
        of_feed: how many are kept of one feed.
        of_origin: how many of all feeds of its origin.

    Returns:
        False when it is held already, or there is no room.
    """
    origin = entry.feed.split("/", 1)[0]
    known = sa.select(OTHER_BRANCH.c.hash).where(OTHER_BRANCH.c.hash == entry.hash)
    if tx.connection.execute(known).one_or_none() is not None:
        return False
    rooms = (
        (OTHER_BRANCH.c.feed == entry.feed, of_feed),
        (OTHER_BRANCH.c.feed.startswith(f"{origin}/", autoescape=True), of_origin),
    )
    for where, room in rooms:
        count = sa.select(sa.func.count()).select_from(OTHER_BRANCH).where(where)
        if tx.connection.execute(count).scalar_one() >= room:
            return False
    values = {field.name: getattr(entry, field.name) for field in fields(entry)}
    tx.connection.execute(OTHER_BRANCH.insert().values(**values))
    return True


def branch_of(tx: Transaction, feed: str) -> tuple[BranchEntry, ...]:
    """List what is kept of the branch that was not taken, by seq."""
    rows = tx.connection.execute(
        sa.select(OTHER_BRANCH)
        .where(OTHER_BRANCH.c.feed == feed)
        .order_by(OTHER_BRANCH.c.seq, OTHER_BRANCH.c.hash)
    )
    return tuple(
        BranchEntry(r.hash, r.feed, r.seq, bytes(r.dsse), r.sender, r.received_at) for r in rows
    )


def store_freeze(tx: Transaction, feed: str, why: str, state_before: str, at: datetime) -> None:
    """Remember that a feed was frozen."""
    tx.connection.execute(
        FREEZES.insert().values(
            freeze_id=claim_numbers(tx, "freeze_id", 1),
            feed=feed,
            why=why,
            state_before=state_before,
            frozen_at=at,
        )
    )


def last_freeze(tx: Transaction, feed: str) -> FreezeRow | None:
    """Find the last time that a feed was frozen, thawed or not."""
    row = tx.connection.execute(
        sa.select(FREEZES).where(FREEZES.c.feed == feed).order_by(FREEZES.c.freeze_id.desc())
    ).first()
    return None if row is None else FreezeRow(**row._mapping)  # noqa: SLF001 - documented accessor


def end_freeze(tx: Transaction, freeze_id: int, at: datetime, by: str, reason: str) -> None:
    """Remember that a person thawed a feed, and why."""
    tx.connection.execute(
        FREEZES.update()
        .where(FREEZES.c.freeze_id == freeze_id)
        .values(thawed_at=at, thawed_by=by, reason=reason)
    )
