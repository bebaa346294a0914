"""Collections of the intel root, who is granted them, and the status of what was added."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.storage.queries.objects import in_chunks
from hub.storage.tables.objects import COLLECTIONS, OBJECTS, VIEW_ROWS, VIEWS
from hub.storage.tables.readers import GRANTS, STATUSES
from hub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection of the intel root."""

    collection_id: str
    alias: str | None
    title: str
    description: str | None
    kind: str
    default_tlp: int | None
    selection: str | None
    publish_to: str | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GrantedCollection:
    """A collection with what one token was granted in it."""

    collection: CollectionRow
    can_read: bool
    can_write: bool


@dataclass(frozen=True, slots=True)
class StatusRow:
    """The status of one Add Objects request, as its resource's bytes."""

    status_id: str
    token_name: str
    collection_id: str
    total: int
    body: bytes
    created_at: datetime


_COLUMNS = [COLLECTIONS.c[field.name] for field in fields(CollectionRow)]

# Built once: every request of a reader asks it, and building it takes longer than answering it.
_GRANTED = (
    sa.select(*_COLUMNS, GRANTS.c.can_read, GRANTS.c.can_write)
    .join(
        GRANTS,
        sa.and_(
            GRANTS.c.collection_id == COLLECTIONS.c.collection_id,
            GRANTS.c.token_name == sa.bindparam("token"),
        ),
        isouter=True,
    )
    .order_by(COLLECTIONS.c.created_at, COLLECTIONS.c.collection_id)
)
_GRANTED_ONE = _GRANTED.where(
    sa.or_(
        COLLECTIONS.c.collection_id == sa.bindparam("reference"),
        COLLECTIONS.c.alias == sa.bindparam("reference"),
    )
)


def _collection(row: Any) -> CollectionRow:
    mapping = row._mapping  # noqa: SLF001 - SQLAlchemy's documented accessor
    return CollectionRow(**{column.name: mapping[column] for column in _COLUMNS})


def store_collection(tx: Transaction, row: CollectionRow) -> None:
    """Store a new collection."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    tx.connection.execute(COLLECTIONS.insert().values(**values))


def find_collection(tx: Transaction, reference: str) -> CollectionRow | None:
    """Find a collection by its id or alias."""
    row = tx.connection.execute(
        sa.select(*_COLUMNS).where(
            sa.or_(COLLECTIONS.c.collection_id == reference, COLLECTIONS.c.alias == reference)
        )
    ).one_or_none()
    return None if row is None else _collection(row)


def list_collection_rows(tx: Transaction) -> tuple[CollectionRow, ...]:
    """List every collection in the order of its making."""
    rows = tx.connection.execute(
        sa.select(*_COLUMNS).order_by(COLLECTIONS.c.created_at, COLLECTIONS.c.collection_id)
    )
    return tuple(_collection(row) for row in rows)


def collections_of_kind(tx: Transaction, kind: str) -> tuple[CollectionRow, ...]:
    """List the collections of one kind in the order of their making."""
    rows = tx.connection.execute(
        sa.select(*_COLUMNS)
        .where(COLLECTIONS.c.kind == kind)
        .order_by(COLLECTIONS.c.created_at, COLLECTIONS.c.collection_id)
    )
    return tuple(_collection(row) for row in rows)


def granted_collections(
    tx: Transaction, token_name: str, reference: str | None = None
) -> tuple[GrantedCollection, ...]:
    """List collections, each with what the token was granted; one statement for one and for all.

    Args:
        tx: the open transaction.
        token_name: whose grants.
        reference: an id or alias, or None for every collection.
    """
    asked: dict[str, str] = {"token": token_name}
    statement = _GRANTED
    if reference is not None:
        asked["reference"] = reference
        statement = _GRANTED_ONE
    return tuple(
        GrantedCollection(_collection(row), bool(row.can_read), bool(row.can_write))
        for row in tx.connection.execute(statement, asked)
    )


def store_grant(
    tx: Transaction,
    collection_id: str,
    token_name: str,
    *,
    can_read: bool,
    can_write: bool,
    at: datetime,
) -> None:
    """Store what a token may do in a collection, in place of what it might before."""
    mine = (GRANTS.c.collection_id == collection_id, GRANTS.c.token_name == token_name)
    tx.connection.execute(GRANTS.delete().where(*mine))
    if can_read or can_write:
        tx.connection.execute(
            GRANTS.insert().values(
                collection_id=collection_id,
                token_name=token_name,
                can_read=can_read,
                can_write=can_write,
                granted_at=at,
            )
        )


def store_status(tx: Transaction, status: StatusRow) -> None:
    """Store the status of one request."""
    values = {field.name: getattr(status, field.name) for field in fields(status)}
    tx.connection.execute(STATUSES.insert().values(**values))


def find_status(tx: Transaction, status_id: str, token_name: str) -> bytes | None:
    """Find a status by its id, for its submitter alone."""
    body = tx.connection.execute(
        sa.select(STATUSES.c.body).where(
            STATUSES.c.status_id == status_id, STATUSES.c.token_name == token_name
        )
    ).scalar_one_or_none()
    return None if body is None else bytes(body)


def drop_view(tx: Transaction, view_id: int) -> None:
    """Drop a view with its rows."""
    tx.connection.execute(VIEW_ROWS.delete().where(VIEW_ROWS.c.view_id == view_id))
    tx.connection.execute(VIEWS.delete().where(VIEWS.c.view_id == view_id))


def drop_objects(tx: Transaction, object_rows: list[int]) -> None:
    """Delete objects that local producers added, and their places in every view."""
    for chunk in in_chunks(object_rows):
        tx.connection.execute(VIEW_ROWS.delete().where(VIEW_ROWS.c.object_row.in_(chunk)))
        tx.connection.execute(OBJECTS.delete().where(OBJECTS.c.object_row.in_(chunk)))


def set_latest(tx: Transaction, view_id: int, dates: list[int], *, latest: bool) -> None:
    """Mark rows of a view as the latest version of their object, or as an older one."""
    for chunk in in_chunks(dates):
        tx.connection.execute(
            VIEW_ROWS.update()
            .where(VIEW_ROWS.c.view_id == view_id, VIEW_ROWS.c.date_added.in_(chunk))
            .values(latest=latest)
        )
