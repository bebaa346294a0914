"""Which objects stand for lists that a person adopted, and the names of these."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.objects import in_chunks
from hub.storage.tables.domain_sets import ADOPTED_SETS, DOMAIN_SETS
from hub.storage.tables.objects import OBJECTS
from hub.storage.tables.verdicts import CLAIMS
from hub.storage.transaction import Transaction


def adopted_objects(tx: Transaction, *, ended_since: datetime | None = None) -> dict[int, int]:
    """Map the accepted objects whose list is adopted to the label from which on that shows.

    Args:
        ended_since: lists that were released since then count too.
    """
    adopted: sa.ColumnElement[bool] = ADOPTED_SETS.c.ended_at.is_(None)
    if ended_since is not None:
        adopted |= ADOPTED_SETS.c.ended_at >= ended_since
    rows = tx.connection.execute(
        sa.select(
            DOMAIN_SETS.c.object_row,
            DOMAIN_SETS.c.sha256,
            DOMAIN_SETS.c.match_scope,
            sa.func.coalesce(OBJECTS.c.released_tlp, OBJECTS.c.tlp).label("label"),
            (OBJECTS.c.received_at <= ADOPTED_SETS.c.adopted_at).label("was_here"),
        )
        .join(ADOPTED_SETS, ADOPTED_SETS.c.sha256 == DOMAIN_SETS.c.sha256)
        .join(OBJECTS, OBJECTS.c.object_row == DOMAIN_SETS.c.object_row)
        .where(adopted, OBJECTS.c.state == "accepted")
    ).all()
    # Who adopted names has not adopted all that is below them: what reaches elsewhere than the
    # sets that were here is another list to a resolver, though its bytes are the same.
    lowest: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.was_here:
            known = row.sha256, row.match_scope
            lowest[known] = min(row.label, lowest.get(known, row.label))
    return {
        row.object_row: max(row.label, lowest[row.sha256, row.match_scope])
        for row in rows
        if (row.sha256, row.match_scope) in lowest
    }


def names_of_sets(tx: Transaction, object_rows: Collection[int]) -> frozenset[str]:
    """List what sets have claims on."""
    rows = tx.connection.execute(
        sa.select(CLAIMS.c.name).where(CLAIMS.c.object_row.in_(object_rows)).distinct()
    )
    return frozenset(rows.scalars())


def names_of_sets_among(
    tx: Transaction, object_rows: Collection[int], names: Collection[str]
) -> frozenset[str]:
    """Choose the names that sets have claims on."""
    found: set[str] = set()
    for chunk in in_chunks(sorted(names)):
        rows = tx.connection.execute(
            sa.select(CLAIMS.c.name).where(
                CLAIMS.c.object_row.in_(object_rows), CLAIMS.c.name.in_(chunk)
            )
        )
        found.update(rows.scalars())
    return frozenset(found)
