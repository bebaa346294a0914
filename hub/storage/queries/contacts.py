"""When a peer was last heard of, and how far its clock is from ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hub.storage.tables.evidence import PEER_CONTACTS
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, slots=True)
class ContactRow:
    """What is remembered of a peer's words; offsets in seconds, positive when it is ahead."""

    node_id: NodeId
    last_request_at: datetime | None = None
    last_answer_at: datetime | None = None
    signed_offset: int | None = None
    signed_offset_at: datetime | None = None
    date_offset: int | None = None
    date_offset_at: datetime | None = None

    @property
    def last_word_at(self) -> datetime | None:
        """The last time that it was heard, in either direction."""
        return max(
            (at for at in (self.last_request_at, self.last_answer_at) if at is not None),
            default=None,
        )


def find_contact(tx: Transaction, node_id: NodeId) -> ContactRow:
    """Find what is remembered of a peer; nothing is no reason to fail."""
    row = tx.connection.execute(
        sa.select(PEER_CONTACTS).where(PEER_CONTACTS.c.node_id == node_id)
    ).one_or_none()
    if row is None:
        return ContactRow(node_id)
    return ContactRow(**row._mapping)  # noqa: SLF001 - documented accessor


def list_contacts(tx: Transaction) -> dict[NodeId, ContactRow]:
    """List what is remembered, by peer."""
    rows = tx.connection.execute(sa.select(PEER_CONTACTS))
    found = [ContactRow(**row._mapping) for row in rows]  # noqa: SLF001 - documented accessor
    return {contact.node_id: contact for contact in found}


def note_contact(tx: Transaction, node_id: NodeId, **values: object) -> None:
    """Remember columns of a peer's contact.

    One statement, whether it is the first or not: what a request costs says nothing (THREATS 46).
    """
    insert = _INSERTS[tx.connection.dialect.name]
    statement = insert(PEER_CONTACTS).values(node_id=node_id, **values)
    tx.connection.execute(
        statement.on_conflict_do_update(
            index_elements=["node_id"],
            set_={name: statement.excluded[name] for name in values},
        )
    )
