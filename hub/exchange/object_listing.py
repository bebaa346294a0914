"""List and show objects to the operator, and decide what waits in quarantine.

The operator sees every origin's claims; readers see views (``reading``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.errors import Conflict, NotFound
from hub.exchange.readmission import release
from hub.node import Node
from hub.storage.queries import objects as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.objects import Carriage, ObjectRow
from hub.storage.queries.peers import list_peers
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId
from schemas.markings import Tlp


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One version of one origin's claim as the operator sees it."""

    id: str
    type: str
    origin: str
    origin_name: str
    tlp: str
    state: str
    code: str | None
    version: str
    revoked: bool
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ShownObject:
    """An object with its content and where it came from."""

    listed: ListedObject
    content: bytes
    carriages: tuple[Carriage, ...]


def list_objects(
    node: Node,
    *,
    origin: NodeId | None = None,
    state: str | None = None,
    stix_type: str | None = None,
    limit: int | None = None,
) -> tuple[ListedObject, ...]:
    """List object versions in the order of their arrival."""
    with node.database.read() as tx:
        rows = stored.list_objects(tx, origin=origin, state=state, stix_type=stix_type, limit=limit)
        names = _names(tx, node)
    return tuple(_listed(row, names) for row in rows)


def show_object(
    node: Node, stix_id: str, *, origin: NodeId | None = None
) -> tuple[ShownObject, ...]:
    """Show every version of an object, by one origin or by all, oldest first.

    Raises:
        NotFound: ``E_NOT_FOUND``.
    """
    with node.database.read() as tx:
        rows = find_claims(tx, stix_id, origin)
        numbers = [row.object_row for row in rows]
        contents = stored.contents_of(tx, numbers)
        carriages = stored.carriages_of(tx, numbers)
        names = _names(tx, node)
    return tuple(
        ShownObject(
            _listed(row, names),
            contents[row.object_row],
            tuple(c for c in carriages if c.object_row == row.object_row),
        )
        for row in rows
    )


def find_claims(tx: Transaction, stix_id: str, origin: NodeId | None) -> tuple[ObjectRow, ...]:
    """Find the versions of an object, oldest first.

    Raises:
        NotFound: ``E_NOT_FOUND``.
    """
    rows = tuple(
        row
        for row in stored.claims_of(tx, [stix_id]).get(stix_id, ())
        if origin is None or row.origin == origin
    )
    if not rows:
        raise NotFound(
            "E_NOT_FOUND", f"no object {stix_id} is held here", "`tocsin objects list` lists all."
        )
    return rows


def accept_quarantined(
    node: Node, stix_ids: Sequence[str], *, origin: NodeId | None = None, actor: str = "operator"
) -> int:
    """Accept objects out of quarantine; return how many versions became visible.

    Raises:
        NotFound: ``E_NOT_FOUND``. Conflict: ``E_NOT_QUARANTINED``, ``E_ID_CONFLICT``. Nothing was
            changed.
    """
    with node.database.write() as tx:
        now = node.now()
        released = release(tx, _waiting(tx, stix_ids, origin), now)
        for row in released:
            if row.state == "quarantined":
                raise Conflict(
                    "E_ID_CONFLICT",
                    f"another origin has the stronger claim to {row.stix_id}",
                    "Reject this claim; accepting it would shadow the rightful one.",
                )
        store_event(tx, now, actor, "QUARANTINE_ACCEPTED", stix_ids=list(stix_ids))
    return len(released)


def reject_quarantined(
    node: Node,
    stix_ids: Sequence[str],
    reason: str,
    *,
    origin: NodeId | None = None,
    actor: str = "operator",
) -> int:
    """Reject objects that wait in quarantine; return how many versions."""
    with node.database.write() as tx:
        rows = _waiting(tx, stix_ids, origin)
        stored.update_objects(
            tx, [row.object_row for row in rows], state="rejected", code="REJECTED_BY_OPERATOR"
        )
        store_event(
            tx,
            node.now(),
            actor,
            "QUARANTINE_REJECTED",
            stix_ids=list(stix_ids),
            reason=reason,
        )
    return len(rows)


def _waiting(tx: Transaction, stix_ids: Sequence[str], origin: NodeId | None) -> list[ObjectRow]:
    waiting = []
    for stix_id in dict.fromkeys(stix_ids):
        rows = [row for row in find_claims(tx, stix_id, origin) if row.state == "quarantined"]
        if not rows:
            raise Conflict("E_NOT_QUARANTINED", f"{stix_id} does not wait in quarantine")
        waiting += rows
    return waiting


def _names(tx: Transaction, node: Node) -> dict[str, str]:
    names: dict[str, str] = {peer.node_id: peer.name for peer in list_peers(tx)}
    names[node.node_id] = "this node"
    return names


def _listed(row: ObjectRow, names: dict[str, str]) -> ListedObject:
    return ListedObject(
        id=row.stix_id,
        type=row.stix_type,
        origin=row.origin,
        origin_name=names.get(row.origin, row.origin[:8]),
        tlp=Tlp(row.tlp).wire,
        state=row.state,
        code=row.code,
        version=row.version,
        revoked=row.revoked,
        received_at=row.received_at,
    )
