"""Which domain sets, entries and feeds name a blob (PROTOCOL 2.6, DNS 1).

A set names its whole list, and the two lists of its delta. What an entry of an exercise carried,
or one whose bytes were taken back, names nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.blob_gifts import counts_for_its_origin
from hub.storage.queries.blobs import HELD, WAITS
from hub.storage.queries.feeds import FeedRow
from hub.storage.tables.domain_sets import ADOPTED_SETS, BLOB_GIFTS, BLOBS, DOMAIN_SETS
from hub.storage.tables.feeds import ENTRIES, FEEDS
from hub.storage.tables.objects import CARRIED, OBJECTS
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId

_KEPT = ("accepted", "quarantined", "suspended", "withheld")
"""States of objects whose lists stay: they count, wait for a person, or may count again."""
_LISTS = (DOMAIN_SETS.c.sha256, DOMAIN_SETS.c.added_sha256, DOMAIN_SETS.c.removed_sha256)

_CARRIES = sa.and_(ENTRIES.c.feed_row == CARRIED.c.feed_row, ENTRIES.c.seq == CARRIED.c.seq)
_IS_THERE = (
    ENTRIES.c.state == "stored",
    ENTRIES.c.exercise == sa.false(),
    OBJECTS.c.exercise == sa.false(),
    sa.func.length(ENTRIES.c.record) > 0,
)
"""Of an entry: its bytes were not taken back, and it is no exercise."""

_WAITS_FOR_IT = (
    DOMAIN_SETS.c.state == WAITS,
    OBJECTS.c.state == "accepted",
    OBJECTS.c.exercise == sa.false(),
)
_IS_HERE = sa.and_(
    sa.exists(
        sa.select(BLOBS.c.sha256)
        .where(BLOBS.c.sha256 == DOMAIN_SETS.c.sha256, BLOBS.c.state == HELD)
        .correlate(DOMAIN_SETS)
    ),
    counts_for_its_origin(DOMAIN_SETS.c.sha256),
)
"""Of a set: its whole list is here, and was given for its origin's sets."""


@dataclass(frozen=True, slots=True)
class NamedFeed:
    """A feed of which an entry names a blob, and the last such entry."""

    feed: FeedRow
    last_seq: int


@dataclass(frozen=True, slots=True)
class NamingSet:
    """A domain set that names a list as its whole one, with what its delta needs."""

    origin: NodeId
    base_sha256: str | None
    added_sha256: str | None
    removed_sha256: str | None
    dated: bool


@dataclass(frozen=True, slots=True)
class Giver:
    """From whom an entry came that names a blob; ``sender`` is None for own ones."""

    feed: str
    origin: NodeId
    sender: NodeId | None


def feeds_naming(tx: Transaction, sha256: str) -> tuple[NamedFeed, ...]:
    """List the feeds of which an accepted entry names a blob that was given for its origin."""
    named = (
        sa.select(CARRIED.c.feed_row, sa.func.max(CARRIED.c.seq).label("named_at"))
        .join(ENTRIES, _CARRIES)
        .join(OBJECTS, OBJECTS.c.object_row == CARRIED.c.object_row)
        .join(DOMAIN_SETS, DOMAIN_SETS.c.object_row == OBJECTS.c.object_row)
        .where(
            _names(sha256),
            OBJECTS.c.state == "accepted",
            counts_for_its_origin(sha256),
            *_IS_THERE,
        )
        .group_by(CARRIED.c.feed_row)
        .subquery()
    )
    rows = tx.connection.execute(
        sa.select(FEEDS, named.c.named_at).join(named, named.c.feed_row == FEEDS.c.feed_row)
    )
    return tuple(NamedFeed(_feed(row), row.named_at) for row in rows)


def sets_of_list(tx: Transaction, sha256: str) -> tuple[NamingSet, ...]:
    """List the accepted sets that wait for a blob as their whole list; not those of exercises."""
    rows = tx.connection.execute(
        sa.select(
            OBJECTS.c.origin,
            *(DOMAIN_SETS.c[n] for n in ("base_sha256", "added_sha256", "removed_sha256", "dated")),
        )
        .join(OBJECTS, OBJECTS.c.object_row == DOMAIN_SETS.c.object_row)
        .where(
            DOMAIN_SETS.c.sha256 == sha256,
            DOMAIN_SETS.c.state == WAITS,
            OBJECTS.c.state == "accepted",
            OBJECTS.c.exercise == sa.false(),
        )
        .order_by(OBJECTS.c.object_row)
    )
    return tuple(NamingSet(*row) for row in rows)


def is_named_by(tx: Transaction, sha256: str, origin: NodeId) -> bool:
    """Tell whether a set of an origin names a blob, accepted or waiting; not of an exercise."""
    found = tx.connection.execute(
        sa.select(OBJECTS.c.object_row)
        .join(DOMAIN_SETS, DOMAIN_SETS.c.object_row == OBJECTS.c.object_row)
        .where(
            _names(sha256),
            OBJECTS.c.origin == origin,
            OBJECTS.c.state.in_(_KEPT),
            OBJECTS.c.exercise == sa.false(),
        )
        .limit(1)
    )
    return found.first() is not None


def origins_of(tx: Transaction, sha256: str) -> tuple[NodeId, ...]:
    """List whose sets name a blob, accepted ones before those that wait."""
    rows = tx.connection.execute(
        sa.select(OBJECTS.c.origin)
        .join(DOMAIN_SETS, DOMAIN_SETS.c.object_row == OBJECTS.c.object_row)
        .where(_names(sha256), OBJECTS.c.state.in_(_KEPT), OBJECTS.c.exercise == sa.false())
        .order_by(OBJECTS.c.state, OBJECTS.c.object_row)  # accepted is the first of them
    )
    return tuple(dict.fromkeys(rows.scalars()))


def givers_of(tx: Transaction, sha256: str) -> tuple[Giver, ...]:
    """List who wrote and who handed over the entries that name a blob."""
    rows = tx.connection.execute(
        sa.select(FEEDS.c.feed, FEEDS.c.node_id, ENTRIES.c.sender)
        .join(CARRIED, CARRIED.c.feed_row == FEEDS.c.feed_row)
        .join(ENTRIES, _CARRIES)
        .join(DOMAIN_SETS, DOMAIN_SETS.c.object_row == CARRIED.c.object_row)
        .where(_names(sha256))
        .distinct()
        .order_by(FEEDS.c.feed, ENTRIES.c.sender)
    )
    return tuple(Giver(*row) for row in rows)


def lists_waited_for(tx: Transaction, most: int) -> tuple[tuple[str, NodeId], ...]:
    """List the lists of accepted sets that nobody asked for yet, with their origins.

    Args:
        most: how many of one origin, its oldest.
    """
    asked = sa.select(BLOB_GIFTS.c.at).where(
        BLOB_GIFTS.c.sha256 == DOMAIN_SETS.c.sha256, BLOB_GIFTS.c.origin == OBJECTS.c.origin
    )
    waiting = (
        sa.select(
            DOMAIN_SETS.c.sha256,
            OBJECTS.c.origin,
            sa.func.min(DOMAIN_SETS.c.object_row).label("first"),
        )
        .join(OBJECTS, OBJECTS.c.object_row == DOMAIN_SETS.c.object_row)
        .where(*_WAITS_FOR_IT, ~_IS_HERE, ~sa.exists(asked))
        .group_by(DOMAIN_SETS.c.sha256, OBJECTS.c.origin)
        .subquery()
    )
    place = sa.func.row_number().over(partition_by=waiting.c.origin, order_by=waiting.c.first)
    ranked = sa.select(waiting, place.label("place")).subquery()
    rows = tx.connection.execute(
        sa.select(ranked.c.sha256, ranked.c.origin)
        .where(ranked.c.place <= most)
        .order_by(ranked.c.first)
    )
    return tuple((row.sha256, row.origin) for row in rows)


def lists_being_fetched(tx: Transaction) -> tuple[tuple[str, NodeId], ...]:
    """List the lists of accepted sets that were asked for and were not given yet, with origins."""
    rows = tx.connection.execute(
        sa.select(DOMAIN_SETS.c.sha256, OBJECTS.c.origin)
        .join(OBJECTS, OBJECTS.c.object_row == DOMAIN_SETS.c.object_row)
        .join(
            BLOB_GIFTS,
            sa.and_(
                BLOB_GIFTS.c.sha256 == DOMAIN_SETS.c.sha256,
                BLOB_GIFTS.c.origin == OBJECTS.c.origin,
            ),
        )
        .where(*_WAITS_FOR_IT, ~_IS_HERE)
        .distinct()
        .order_by(DOMAIN_SETS.c.sha256, OBJECTS.c.origin)
    )
    return tuple((row.sha256, row.origin) for row in rows)


def has_sets_held(tx: Transaction) -> bool:
    """Tell whether a set waits for a list that is here by now."""
    found = tx.connection.execute(
        sa.select(DOMAIN_SETS.c.object_row)
        .join(OBJECTS, OBJECTS.c.object_row == DOMAIN_SETS.c.object_row)
        .where(DOMAIN_SETS.c.state == WAITS, OBJECTS.c.state == "accepted", _IS_HERE)
        .limit(1)
    )
    return found.first() is not None


def blobs_kept(tx: Transaction, ended_before: datetime) -> frozenset[str]:
    """List the blobs that something live names.

    Args:
        ended_before: what ended, or was followed by a later version, before then is not live.
    """
    rows = tx.connection.execute(
        sa.select(
            OBJECTS.c.origin, OBJECTS.c.stix_id, OBJECTS.c.received_at, OBJECTS.c.object_row,
            DOMAIN_SETS.c.sha256, DOMAIN_SETS.c.base_sha256, DOMAIN_SETS.c.added_sha256,
            DOMAIN_SETS.c.removed_sha256, DOMAIN_SETS.c.valid_until,
        )
        .join(OBJECTS, OBJECTS.c.object_row == DOMAIN_SETS.c.object_row)
        .where(OBJECTS.c.state.in_(_KEPT), OBJECTS.c.revoked == sa.false())
        .order_by(OBJECTS.c.object_row.desc())
    )  # fmt: skip
    adopted = sa.select(ADOPTED_SETS.c.sha256).where(ADOPTED_SETS.c.ended_at.is_(None))
    kept: set[str] = set(tx.connection.execute(adopted).scalars())
    followed_at: dict[tuple[str, str], datetime] = {}
    for row in rows:
        later = followed_at.get((row.origin, row.stix_id))
        followed_at[row.origin, row.stix_id] = row.received_at
        ends = [at for at in (row.valid_until, later) if at is not None]
        if not ends or min(ends) >= ended_before:
            kept.update(
                name
                for name in (row.sha256, row.base_sha256, row.added_sha256, row.removed_sha256)
                if name is not None
            )
    return frozenset(kept)


def blobs_named_in(tx: Transaction, feed_row: int, after: int, last: int) -> tuple[str, ...]:
    """List the blobs that are here and that entries ``after`` + 1 to ``last`` of a feed name."""
    found: dict[str, None] = {}
    for column in _LISTS:
        rows = tx.connection.execute(
            sa.select(column, CARRIED.c.seq)
            .join(CARRIED, CARRIED.c.object_row == DOMAIN_SETS.c.object_row)
            .join(OBJECTS, OBJECTS.c.object_row == DOMAIN_SETS.c.object_row)
            .join(ENTRIES, _CARRIES)
            .join(BLOBS, BLOBS.c.sha256 == column)
            .where(
                CARRIED.c.feed_row == feed_row,
                CARRIED.c.seq > after,
                CARRIED.c.seq <= last,
                OBJECTS.c.state == "accepted",
                OBJECTS.c.revoked == sa.false(),
                BLOBS.c.state == HELD,
                counts_for_its_origin(column),
                *_IS_THERE,
            )
            .order_by(CARRIED.c.seq)
        )
        found |= dict.fromkeys(row[0] for row in rows)
    return tuple(found)


def _feed(row: sa.Row[tuple[object, ...]]) -> FeedRow:
    values = {field.name: row._mapping[field.name] for field in fields(FeedRow)}  # noqa: SLF001
    values["head"] = None if values["head"] is None else bytes(values["head"])
    return FeedRow(**values)


def _names(sha256: str) -> sa.ColumnElement[bool]:
    return sa.or_(*(column == sha256 for column in _LISTS))
