"""What objects ask resolvers to do, and on which names that could count."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from hub.storage.queries.objects import in_chunks
from hub.storage.tables.exports import ASKED_ACTIONS
from hub.storage.tables.objects import OBJECTS
from hub.storage.tables.verdicts import CLAIMS
from hub.storage.transaction import Transaction


def note_actions(tx: Transaction, actions: Mapping[int, str]) -> None:
    """Note what objects ask for, each in the place of what was noted before."""
    for chunk in in_chunks(actions):
        tx.connection.execute(
            ASKED_ACTIONS.delete().where(ASKED_ACTIONS.c.object_row.in_(list(chunk)))
        )
    if actions:
        rows = [{"object_row": row, "action": action} for row, action in actions.items()]
        tx.connection.execute(ASKED_ACTIONS.insert(), rows)


def actions_of(tx: Transaction, object_rows: Collection[int]) -> dict[int, str]:
    """Tell what objects ask for; one that asks for nothing is not among them."""
    found: dict[int, str] = {}
    for chunk in in_chunks(object_rows):
        rows = tx.connection.execute(
            sa.select(ASKED_ACTIONS.c.object_row, ASKED_ACTIONS.c.action).where(
                ASKED_ACTIONS.c.object_row.in_(list(chunk))
            )
        )
        found |= {row.object_row: row.action for row in rows}
    return found


def names_asked_for(tx: Transaction, actions: Collection[str]) -> frozenset[str]:
    """List the keys of subjects on which an accepted object asks for one of these actions."""
    rows = tx.connection.execute(
        sa.select(CLAIMS.c.name)
        .distinct()
        .join(ASKED_ACTIONS, ASKED_ACTIONS.c.object_row == CLAIMS.c.object_row)
        .join(OBJECTS, OBJECTS.c.object_row == CLAIMS.c.object_row)
        .where(ASKED_ACTIONS.c.action.in_(list(actions)), OBJECTS.c.state == "accepted")
    )
    return frozenset(rows.scalars())
