"""Read the audit: for the operator at this machine, and for an admin token.

Whoever may read everything that was done here is whoever may do everything here: the commands ask
for the home, the address for a token of kind ``admin``. A read through the address is an event
itself, since it may come from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.node import Node
from hub.storage.queries.audit import AuditEvent, newest_events, store_event

LARGEST_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """An event as it is shown; ``erased`` where its personal details are gone."""

    seq: int
    at: datetime
    actor: str
    code: str
    params: Mapping[str, Any]
    erased: bool
    hash: str


def list_events(
    node: Node,
    *,
    limit: int = 100,
    before: int | None = None,
    since: datetime | None = None,
    code: str | None = None,
    actor: str | None = None,
) -> tuple[ListedEvent, ...]:
    """List events, the newest first; see ``newest_events`` for the filters."""
    with node.database.read() as tx:
        found = newest_events(
            tx,
            limit=min(limit, LARGEST_PAGE),
            before=before,
            since=since,
            code=code,
            actor=actor,
        )
    return tuple(_listed(event) for event in found)


def read_events_as(
    node: Node, reader: str, *, limit: int, before: int | None, code: str | None
) -> tuple[ListedEvent, ...]:
    """List events for a token, and note that it read them.

    Args:
        reader: the token's name.
    """
    found = list_events(node, limit=limit, before=before, code=code)
    with node.database.write() as tx:
        store_event(tx, node.now(), f"token {reader}", "AUDIT_READ", events=len(found))
    return found


def _listed(event: AuditEvent) -> ListedEvent:
    return ListedEvent(
        event.seq,
        event.at,
        event.actor,
        event.code,
        event.params,
        event.salt is None,
        event.hash.hex(),
    )
