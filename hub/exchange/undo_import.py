"""Undo a whole import: withdraw what it brought, and nothing that somebody else stands for.

Invariants:
* an object that another standing import brought too, or that a publication stands for, stays;
* one write is bounded, so that nobody waits for its turn; an undoing that ends in the middle goes
  on when it is asked for again;
* a withdrawal is for good (PROTOCOL 2.4): names that are imported again get new indicators, while
  STIX objects with ids of their own stay withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hub.errors import Conflict, NotFound
from hub.exchange.withdraw import MAX_REASON, withdraw_object
from hub.exchange.withdraw_together import WithdrawnTogether, withdraw_together
from hub.node import Node
from hub.storage.queries import imports as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.imports import ImportedObject, ImportRow
from schemas.errors import TocsinError

OBJECTS_A_WRITE = 256
"""Four entries of a feed: what a write does in a fifth of a second."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What undoing did.

    Args:
        withdrawn: how many objects.
        kept: how many stay, because another import or a publication stands for them.
        gone: how many were withdrawn before.
        failed: what could not be withdrawn, by code.
    """

    import_id: int
    feed: str
    withdrawn: int
    kept: int
    gone: int
    failed: dict[str, int]


def require_import(node: Node, import_id: int) -> ImportRow:
    """Find an import.

    Raises:
        NotFound: ``E_IMPORT_UNKNOWN``.
    """
    with node.database.read() as tx:
        row = stored.find_import(tx, import_id)
    if row is None:
        raise NotFound(
            "E_IMPORT_UNKNOWN", f"no import has number {import_id}", "See `tocsin import list`."
        )
    return row


def undo_import(
    node: Node,
    import_id: int,
    reason: str,
    *,
    actor: str = "operator",
    progress: Callable[[int], None] = lambda _count: None,
) -> Undone:
    """Withdraw what an import brought.

    Args:
        reason: told to every peer that may have it; at most 1,024 characters.

    Raises:
        NotFound: ``E_IMPORT_UNKNOWN``.
        Conflict: ``E_IMPORT_UNDONE``; ``E_REASON``; what forbids signing just now.
    """
    if not 1 <= len(reason) <= MAX_REASON:
        raise Conflict("E_REASON", "a reason has 1 to 1,024 characters", "Shorten it.")
    row = require_import(node, import_id)
    if row.state == stored.UNDONE:
        raise Conflict("E_IMPORT_UNDONE", f"import {import_id} is undone already")
    with node.database.write() as tx:
        stored.update_import(tx, import_id, state=stored.UNDOING, reason=reason)
    done = _Counts()
    after = 0
    while objects := _next(node, import_id, after):
        _withdraw(node, row, objects, reason, actor, done)
        after = objects[-1].place
        progress(len(objects))
    with node.database.write() as tx:
        now = node.now()
        # What could not be withdrawn is tried again when the undoing is asked for again.
        state = stored.UNDOING if done.failed else stored.UNDONE
        stored.update_import(tx, import_id, state=state, ended_at=now)
        store_event(
            tx, now, actor, "IMPORT_UNDONE", import_id=import_id, feed=row.feed, reason=reason,
            withdrawn=done.withdrawn, kept=done.kept,
        )  # fmt: skip
    return Undone(import_id, row.feed, done.withdrawn, done.kept, done.gone, done.failed)


class _Counts:
    def __init__(self) -> None:
        self.withdrawn = self.kept = self.gone = 0
        self.failed: dict[str, int] = {}


def _next(node: Node, import_id: int, after: int) -> tuple[ImportedObject, ...]:
    with node.database.read() as tx:
        return stored.objects_of_import(tx, import_id, after=after, limit=OBJECTS_A_WRITE)


def _withdraw(
    node: Node,
    row: ImportRow,
    objects: tuple[ImportedObject, ...],
    reason: str,
    actor: str,
    done: _Counts,
) -> None:
    """Withdraw one portion; who stands for it is asked in the write that counts."""
    with node.database.write() as tx:
        now = node.now()
        ids = [item.stix_id for item in objects]
        others = stored.stood_for(tx, ids, besides=row.import_id)
        # As it is now, not as it was listed: a publication may have come since.
        published = {i for i, stands in stored.published_of(tx, ids).items() if stands}
        going = [stix_id for stix_id in ids if stix_id not in others | published]
        together = withdraw_together(tx, node, going, reason, now)
        if together.stix_ids:
            store_event(
                tx, now, actor, "WITHDRAWN", import_id=row.import_id,
                objects=len(together.stix_ids), entries=together.entries,
            )  # fmt: skip
    done.kept += len(ids) - len(going)
    done.gone += together.gone
    done.withdrawn += len(together.stix_ids)
    _withdraw_apart(node, together, reason, actor, done)


def _withdraw_apart(
    node: Node, together: WithdrawnTogether, reason: str, actor: str, done: _Counts
) -> None:
    for stix_id in together.apart:
        try:
            withdraw_object(node, stix_id, reason, actor=actor)
        except TocsinError as error:
            done.failed[error.code] = done.failed.get(error.code, 0) + 1
        else:
            done.withdrawn += 1
