"""The registered zones and prefixes of organisations, taken from their live tokens."""

from __future__ import annotations

import sqlalchemy as sa

from hub.storage.tables.readers import TOKENS
from hub.storage.transaction import Transaction


def zones_of_organisations(
    tx: Transaction,
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Map an organisation's id to its zones and prefixes; those without any are left out."""
    rows = tx.connection.execute(
        sa.select(TOKENS.c.organisation_id, TOKENS.c.zones, TOKENS.c.prefixes).where(
            TOKENS.c.kind == "constituent", TOKENS.c.revoked_at.is_(None)
        )
    )
    found: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for row in rows:
        zones, prefixes = found.get(row.organisation_id, ((), ()))
        merged = (zones + tuple(row.zones), prefixes + tuple(row.prefixes))
        if merged != ((), ()):
            found[row.organisation_id] = merged
    return found
