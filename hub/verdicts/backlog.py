"""How far the verdicts are behind what is known (``tocsin verdict --progress``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.node import Node
from hub.storage.queries.claims import count_claims
from hub.storage.queries.set_claims import count_sets_left
from hub.storage.queries.verdict_work import count_due, state_of_work
from hub.storage.queries.verdicts import count_verdicts


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the verdicts are behind.

    Args:
        unread: objects that were not looked at for claims.
        set_names: names in the lists of sets that are to become claims.
        due: names whose verdicts are to be made anew.
        next_due: when time alone changes the next one.
    """

    claims: int
    unread: int
    due: int
    published: int
    blocking: int
    next_due: datetime | None
    set_names: int = 0


def progress(node: Node) -> Progress:
    """Tell how far the verdicts are behind what is known."""
    with node.database.read() as tx:
        live, blocking = count_verdicts(tx)
        state = state_of_work(tx)
        return Progress(
            claims=count_claims(tx),
            unread=max(0, state.newest - state.read),
            due=count_due(tx, node.now()),
            published=live,
            blocking=blocking,
            next_due=state.due_at,
            set_names=count_sets_left(tx),
        )
