"""Who gave the bytes of a blob for whose sets (THREATS 46, PROTOCOL 2.6).

To name a digest is not to have the bytes: who saw one in a log or guessed at a short list knows as
much. So a blob that is here counts for the sets of an origin only once it was given for them.

Does not: decide who may give for an origin (``blob_givers``), or keep bytes.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.domain_sets import BLOB_GIFTS, BLOBS
from hub.storage.tables.feeds import FEEDS
from hub.storage.tables.objects import OBJECTS
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId


def note_asked(tx: Transaction, sha256: str, origin: NodeId, at: datetime) -> None:
    """Note that a blob is asked for, for the sets of an origin."""
    if tx.connection.execute(sa.select(BLOB_GIFTS.c.at).where(*_of(sha256, origin))).first():
        return
    tx.connection.execute(BLOB_GIFTS.insert().values(sha256=sha256, origin=origin, at=at))


def note_given(tx: Transaction, sha256: str, origin: NodeId, giver: str, at: datetime) -> None:
    """Note who gave the bytes of a blob, whose digest was compared, for the sets of an origin."""
    note_asked(tx, sha256, origin, at)
    tx.connection.execute(
        BLOB_GIFTS.update()
        .where(*_of(sha256, origin), BLOB_GIFTS.c.giver.is_(None))
        .values(giver=giver)
    )


def is_given(tx: Transaction, sha256: str, origin: NodeId) -> bool:
    """Tell whether the bytes of a blob were given for the sets of an origin."""
    found = tx.connection.execute(
        sa.select(BLOB_GIFTS.c.at).where(*_of(sha256, origin), BLOB_GIFTS.c.giver.is_not(None))
    )
    return found.first() is not None


def first_asked_for(tx: Transaction, sha256: str) -> NodeId | None:
    """Find for whose sets a blob was asked for first: its bytes lie under the digest itself."""
    rows = tx.connection.execute(
        sa.select(BLOB_GIFTS.c.origin)
        .where(BLOB_GIFTS.c.sha256 == sha256)
        .order_by(BLOB_GIFTS.c.at, BLOB_GIFTS.c.origin)
        .limit(1)
    )
    found: NodeId | None = rows.scalar_one_or_none()
    return found


def bytes_of(tx: Transaction, origin: NodeId) -> int:
    """Count the bytes that are here for the sets of an origin, whole or not."""
    counted = sa.select(BLOB_GIFTS.c.sha256).where(
        BLOB_GIFTS.c.sha256 == BLOBS.c.sha256,
        BLOB_GIFTS.c.origin == origin,
        sa.or_(BLOB_GIFTS.c.giver.is_not(None), BLOBS.c.state == "wanted"),
    )
    total = tx.connection.execute(sa.select(sa.func.sum(BLOBS.c.held)).where(sa.exists(counted)))
    return int(total.scalar() or 0)


def counts_for_its_origin(
    name: sa.ColumnElement[str] | str,
) -> sa.ColumnElement[bool]:
    """Of an object's row: it is our own, or a blob was given for its origin's sets."""
    own = sa.select(FEEDS.c.feed_row).where(
        FEEDS.c.own == sa.true(), FEEDS.c.node_id == OBJECTS.c.origin
    )
    given = sa.select(BLOB_GIFTS.c.sha256).where(
        BLOB_GIFTS.c.sha256 == name,
        BLOB_GIFTS.c.origin == OBJECTS.c.origin,
        BLOB_GIFTS.c.giver.is_not(None),
    )
    # Correlated with the object alone: the statement around it may have feeds of its own.
    return sa.or_(
        sa.exists(own.correlate(OBJECTS)),
        sa.exists(given.correlate_except(BLOB_GIFTS)),
    )


def _of(sha256: str, origin: NodeId) -> tuple[sa.ColumnElement[bool], ...]:
    return BLOB_GIFTS.c.sha256 == sha256, BLOB_GIFTS.c.origin == origin
