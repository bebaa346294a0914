"""What organisations without a node see beside the common views, taken from their live tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.nodes import OWN_NODE
from hub.storage.tables.readers import TOKENS
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId

GroupKey = tuple[NodeId, str]
"""Whose group, and its name."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one organisation sees beside the common views.

    Args:
        zones: the registered zones of a constituent.
        prefixes: its registered prefixes.
        groups: the groups of this node that a subscriber follows.
        clearance: the strictest label that it reads there.
    """

    zones: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    groups: frozenset[GroupKey] = frozenset()
    clearance: int = 0


NO_SCOPE = Scope()


def scopes_of_organisations(tx: Transaction) -> dict[str, Scope]:
    """Map an organisation's id to its scope; those without any are left out."""
    rows = tx.connection.execute(
        sa.select(
            TOKENS.c.organisation_id,
            TOKENS.c.kind,
            TOKENS.c.zones,
            TOKENS.c.prefixes,
            TOKENS.c.groups,
            TOKENS.c.max_tlp,
        ).where(TOKENS.c.kind.in_(("constituent", "subscriber")), TOKENS.c.revoked_at.is_(None))
    ).all()
    followed = any(row.kind == "subscriber" and row.groups for row in rows)
    own = tx.connection.execute(sa.select(OWN_NODE.c.node_id)).scalar_one() if followed else ""
    found: dict[str, Scope] = {}
    for row in rows:
        scope = found.get(row.organisation_id, NO_SCOPE)
        if row.kind == "constituent":
            zones, prefixes = tuple(row.zones), tuple(row.prefixes)
            merged = Scope(scope.zones + zones, scope.prefixes + prefixes)
        else:
            names = frozenset((NodeId(own), name) for name in row.groups)
            merged = Scope(groups=scope.groups | names, clearance=row.max_tlp)
        if merged.zones or merged.prefixes or merged.groups:
            found[row.organisation_id] = merged
    return found


def followers_of_groups(tx: Transaction, now: datetime) -> dict[str, dict[str, int]]:
    """Map the name of a group to the tokens that follow it, each with its clearance."""
    rows = tx.connection.execute(
        sa.select(TOKENS.c.name, TOKENS.c.groups, TOKENS.c.max_tlp, TOKENS.c.expires_at)
        .where(TOKENS.c.kind == "subscriber", TOKENS.c.revoked_at.is_(None))
        .order_by(TOKENS.c.name)
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        if row.expires_at is None or row.expires_at > now:
            for group in row.groups:
                found.setdefault(group, {})[row.name] = row.max_tlp
    return found
