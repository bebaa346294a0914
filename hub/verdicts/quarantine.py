"""The queue of what waits for a person, and how one person clears it (issue 5, point 2).

Invariants:
* what is decided is what the filter chose when the command began; what arrives meanwhile waits;
* thousands are decided in bounded writes, each whole and audited; ended in the middle, the rest
  waits on and the same command goes on with it;
* a claim that lost to a stronger one is not accepted with the others: it would shadow that one.

What it does not do: decide by itself (``corroborate`` does, where two lineages agree).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from hub.errors import Conflict
from hub.exchange.readmission import release
from hub.node import Node
from hub.storage.queries.audit import store_event
from hub.storage.queries.claims import last_object_row
from hub.storage.queries.objects import ObjectRow, update_objects
from hub.storage.queries.peers import list_peers
from hub.storage.queries.quarantine import QuarantineFilter, count_waiting, waiting_objects
from hub.storage.transaction import Transaction
from schemas.markings import Tlp

__all__ = ["REASONS", "QuarantineFilter", "decide_waiting", "list_waiting", "summarise"]

AT_ONCE: Final = 500
REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "QUARANTINED_INBOUND": "the inbound dial of its origin says that a person looks first",
        "QUARANTINED_CORROBORATION": "nobody else at member or above says the same yet",
        "QUARANTINED_TYPE": "objects of this type are not accepted from its origin by themselves",
        "QUARANTINED_DIAL_UNKNOWN": "the inbound dial has a word that this release does not know",
        "E_UNKNOWN_MARKING": "it bears a marking that this node does not understand",
        "E_ID_CONFLICT": "another origin has the stronger claim to its id",
        "ERASED_HERE": "an earlier version was erased here by law",
    }
)
"""Why something waits, in words, by its code."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One version that waits.

    Args:
        why: its code in words.
        name: what an indicator is about.
    """

    id: str
    type: str
    origin: str
    origin_name: str
    tlp: str
    state: str
    code: str
    why: str
    name: str | None
    version: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class WaitingGroup:
    """How many versions of one origin wait for one reason."""

    origin: str
    origin_name: str
    code: str
    why: str
    objects: int


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision about many did.

    Args:
        objects: how many versions were accepted or rejected.
        left: how many wait on, because another origin has the stronger claim.
    """

    objects: int
    left: int = 0


def list_waiting(
    node: Node, chosen: QuarantineFilter, *, limit: int | None = None
) -> tuple[Waiting, ...]:
    """List what waits, in the order of its arrival."""
    with node.database.read() as tx:
        rows = waiting_objects(tx, chosen, limit=limit)
        names = _peer_names(tx, node)
    return tuple(_waiting(row, names) for row in rows)


def summarise(node: Node, chosen: QuarantineFilter) -> tuple[WaitingGroup, ...]:
    """Count what waits by origin and reason, the most first."""
    with node.database.read() as tx:
        counted = count_waiting(tx, chosen)
        names = _peer_names(tx, node)
    return tuple(
        WaitingGroup(origin, names.get(origin, origin[:8]), code, _why(code), number)
        for (origin, code), number in counted.items()
    )


def decide_waiting(
    node: Node,
    chosen: QuarantineFilter,
    *,
    accept: bool,
    reason: str | None = None,
    everything: bool = False,
    actor: str = "operator",
    progress: Callable[[int], None] = lambda _done: None,
    at_once: int = AT_ONCE,
) -> Decided:
    """Accept or reject what a filter chooses.

    Args:
        everything: the filter may be open.
        progress: is told after each write how many were decided in it.
        at_once: how many one write decides.

    Raises:
        Conflict: ``E_QUARANTINE_ALL`` for an open filter that is not said to be meant.
    """
    if chosen.is_open and not everything:
        raise Conflict(
            "E_QUARANTINE_ALL",
            "no filter was given, so everything that waits would be decided",
            "Give --origin, --reason, --name, --type or --since, or say --all.",
        )
    with node.database.read() as tx:
        last = last_object_row(tx)
    after, objects, left = 0, 0, 0
    while True:
        with node.database.write() as tx:
            rows = waiting_objects(tx, chosen, after=after, limit=at_once)
            rows = tuple(row for row in rows if row.object_row <= last)
            if not rows:
                return Decided(objects, left)
            done = _decide(tx, node.now(), rows, accept=accept)
            code = "QUARANTINE_ACCEPTED" if accept else "QUARANTINE_REJECTED"
            why = {} if reason is None else {"reason": reason}
            store_event(
                tx, node.now(), actor, code, objects=done, filter=_plain(chosen),
                stix_ids=[row.stix_id for row in rows], **why,
            )  # fmt: skip
        objects += done
        left += len(rows) - done
        after = rows[-1].object_row
        progress(len(rows))


def _decide(tx: Transaction, now: datetime, rows: tuple[ObjectRow, ...], *, accept: bool) -> int:
    if accept:
        return sum(row.state != "quarantined" for row in release(tx, rows, now))
    numbers = [row.object_row for row in rows]
    update_objects(tx, numbers, state="rejected", code="REJECTED_BY_OPERATOR")
    return len(rows)


def _plain(chosen: QuarantineFilter) -> dict[str, object]:
    said = {
        "origin": chosen.origin,
        "code": chosen.code,
        "name": f"*.{chosen.name}" if chosen.below else chosen.name,
        "type": chosen.stix_type,
        "since": None if chosen.since is None else chosen.since.isoformat(),
    }
    return {name: value for name, value in said.items() if value is not None}


def _why(code: str) -> str:
    return REASONS.get(code, code)


def _peer_names(tx: Transaction, node: Node) -> dict[str, str]:
    return {str(peer.node_id): peer.name for peer in list_peers(tx)} | {node.node_id: "this node"}


def _waiting(row: ObjectRow, names: Mapping[str, str]) -> Waiting:
    return Waiting(
        id=row.stix_id,
        type=row.stix_type,
        origin=row.origin,
        origin_name=names.get(row.origin, row.origin[:8]),
        tlp=Tlp(row.tlp).wire,
        state=row.state,
        code=row.code or "",
        why=_why(row.code or ""),
        name=row.name_key,
        version=row.version,
        received_at=row.received_at,
    )
