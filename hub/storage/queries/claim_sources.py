"""What lineage and naming ask of the entries behind claims: hashes, who held them, attribution."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from hub.storage.queries.objects import in_chunks
from hub.storage.tables.evidence import STATED_HEADS
from hub.storage.tables.feeds import ENTRIES, FEEDS
from hub.storage.tables.recall import POSITIONS
from hub.storage.tables.verdicts import CLAIMS
from hub.storage.transaction import Transaction


def hashes_of_entries(
    tx: Transaction, places: Collection[tuple[int, int]]
) -> dict[tuple[int, int], str]:
    """Find the hashes of entries by feed row and seq."""
    found: dict[tuple[int, int], str] = {}
    for feed_row in {feed_row for feed_row, _ in places}:
        seqs = sorted(seq for row, seq in places if row == feed_row)
        for chunk in in_chunks(seqs):
            rows = tx.connection.execute(
                sa.select(ENTRIES.c.seq, ENTRIES.c.hash).where(
                    ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq.in_(chunk)
                )
            )
            found |= {(feed_row, row.seq): row.hash for row in rows}
    return found


def held_by(
    tx: Transaction, feed_rows: Collection[int], origins: Collection[str]
) -> dict[tuple[int, str], int]:
    """Tell how far nodes are known to hold feeds: as they stated or confirmed, or by our pushes."""
    found: dict[tuple[int, str], int] = {}
    positions = sa.select(POSITIONS.c.feed_row, POSITIONS.c.node_id, POSITIONS.c.seq).where(
        POSITIONS.c.feed_row.in_(feed_rows), POSITIONS.c.node_id.in_(origins)
    )
    stated = (
        sa.select(FEEDS.c.feed_row, STATED_HEADS.c.node_id, STATED_HEADS.c.seq)
        .join(FEEDS, FEEDS.c.feed == STATED_HEADS.c.feed)
        .where(FEEDS.c.feed_row.in_(feed_rows), STATED_HEADS.c.node_id.in_(origins))
    )
    for feed_row, node_id, seq in tx.connection.execute(sa.union_all(positions, stated)):
        found[feed_row, node_id] = max(seq, found.get((feed_row, node_id), 0))
    return found


_ANYBODY = sa.select(
    sa.exists(sa.select(POSITIONS.c.seq)) | sa.exists(sa.select(STATED_HEADS.c.seq))
)


def is_anybody_known_to_hold(tx: Transaction) -> bool:
    """Tell whether anything at all is known of who holds which feed."""
    return bool(tx.connection.execute(_ANYBODY).scalar_one())


def names_of_several(tx: Transaction, names: Collection[str]) -> list[str]:
    """Choose the names on which more than one origin made claims."""
    found: list[str] = []
    for chunk in in_chunks(sorted(names)):
        rows = tx.connection.execute(
            sa.select(CLAIMS.c.name)
            .where(CLAIMS.c.name.in_(chunk))
            .group_by(CLAIMS.c.name)
            .having(sa.func.min(CLAIMS.c.origin) != sa.func.max(CLAIMS.c.origin))
        )
        found += rows.scalars()
    return found


def attribution_of(tx: Transaction, feed_row: int, seq: int) -> str | None:
    """Tell what an entry's policy says on naming its origin."""
    found: str | None = tx.connection.execute(
        sa.select(ENTRIES.c.attribution).where(ENTRIES.c.feed_row == feed_row, ENTRIES.c.seq == seq)
    ).scalar_one_or_none()
    return found
