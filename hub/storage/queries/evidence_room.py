"""How much room proofs and other branches take, and which of them makes room first.

What is about a node with which this one has a relation, or about this one, never makes room here.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from hub.storage.tables.evidence import EVIDENCE, EVIDENCE_TOLD, OTHER_BRANCH
from hub.storage.tables.nodes import OWN_NODE
from hub.storage.tables.peers import PEERS
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId

_ORIGIN: sa.ColumnElement[str] = sa.func.substr(OTHER_BRANCH.c.feed, 1, 52)
"""The node whose feed it is: a feed's name begins with it."""
_BROUGHT_BY = sa.func.coalesce(EVIDENCE.c.sender, EVIDENCE.c.accused)
"""Who is to answer for a proof: who brought it, else who was found out."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is taken up: rows, and bytes of what was signed."""

    rows: int
    size: int


def _unrelated(node_id: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    related = sa.union(sa.select(PEERS.c.node_id), sa.select(OWN_NODE.c.node_id))
    return node_id.not_in(related)


def _taken(tx: Transaction, size: sa.Column[bytes], *where: sa.ColumnElement[bool]) -> Taken:
    columns = sa.func.count(), sa.func.coalesce(sa.func.sum(sa.func.length(size)), 0)
    rows, found = tx.connection.execute(sa.select(*columns).where(*where)).one()
    return Taken(int(rows), int(found))


def taken_against(tx: Transaction, accused: NodeId) -> Taken:
    """Measure the proofs against one node."""
    return _taken(tx, EVIDENCE.c.body, EVIDENCE.c.accused == accused)


def taken_by_unrelated(tx: Transaction, *, sender: NodeId | None = None) -> Taken:
    """Measure the proofs against nodes without a relation; those that one peer brought, or all."""
    where = [_unrelated(EVIDENCE.c.accused)]
    if sender is not None:
        where.append(EVIDENCE.c.sender == sender)
    return _taken(tx, EVIDENCE.c.body, *where)


def next_to_evict(tx: Transaction, *, sender: NodeId | None = None) -> int | None:
    """Choose the oldest proof of a sender, or of whoever has most; None where none may go."""
    unrelated = _unrelated(EVIDENCE.c.accused)
    if sender is not None:
        statement = sa.select(sa.func.min(EVIDENCE.c.evidence_id)).where(
            unrelated, EVIDENCE.c.sender == sender
        )
    else:
        oldest = sa.func.min(EVIDENCE.c.evidence_id)
        statement = (
            sa.select(oldest)
            .where(unrelated)
            .group_by(_BROUGHT_BY)
            .order_by(sa.func.count().desc(), oldest)
            .limit(1)
        )
    found = tx.connection.execute(statement).scalar()
    return None if found is None else int(found)


def drop_evidence(tx: Transaction, evidence_id: int) -> None:
    """Forget a proof and who was told of it."""
    told = EVIDENCE_TOLD.c.evidence_id == evidence_id
    tx.connection.execute(EVIDENCE_TOLD.delete().where(told))
    tx.connection.execute(EVIDENCE.delete().where(EVIDENCE.c.evidence_id == evidence_id))


def branch_of_origin_taken(tx: Transaction, origin: NodeId) -> Taken:
    """Measure the entries kept of the other branches of one node's feeds."""
    return _taken(tx, OTHER_BRANCH.c.dsse, _ORIGIN.in_([origin]))


def branches_of_unrelated_taken(tx: Transaction) -> Taken:
    """Measure the entries kept of the other branches of nodes without a relation."""
    return _taken(tx, OTHER_BRANCH.c.dsse, _unrelated(_ORIGIN))


def evict_branch_entry(tx: Transaction) -> bool:
    """Forget the first entry of the node without a relation of which most is kept.

    By its seq, which stands before the bytes: SQLite would walk through them to when it came.
    """
    noisiest = (
        sa.select(_ORIGIN)
        .where(_unrelated(_ORIGIN))
        .group_by(_ORIGIN)
        .order_by(sa.func.sum(sa.func.length(OTHER_BRANCH.c.dsse)).desc(), _ORIGIN)
        .limit(1)
        .scalar_subquery()
    )
    oldest = (
        sa.select(OTHER_BRANCH.c.hash)
        .where(noisiest == _ORIGIN)
        .order_by(OTHER_BRANCH.c.seq, OTHER_BRANCH.c.hash)
        .limit(1)
    )
    found = tx.connection.execute(oldest).scalar()
    if found is None:
        return False
    tx.connection.execute(OTHER_BRANCH.delete().where(OTHER_BRANCH.c.hash == found))
    return True
