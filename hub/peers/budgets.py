"""How much is taken in a day, and from whom (PROTOCOL 4.1 "inbound limits", THREATS 36).

Invariants:
* an origin that is no peer has the limit of trust ``known``, and what a peer brings of it counts
  against that peer's own limit too: new node ids cost a liar nothing, so without this a single
  peer could bring any number of origins with a fresh limit each;
* a relayed origin that *is* a peer has its own limit alone: whoever passes it on pays nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from federation.trust.presets import PRESETS, TrustLevel
from hub.peers.standing import daily_limit_of
from hub.storage.queries.peers import PeerRow, count_objects_today, objects_today
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId

BYTES_AN_OBJECT = 4096
"""What counts as one object where bytes are counted; a full payload counts as 64."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one node may still bring today."""

    node_id: NodeId
    whose: str
    day: str
    limit: int
    used: int


def budgets_of(
    tx: Transaction, origin: NodeId, peer: PeerRow | None, sender: PeerRow, now: datetime
) -> tuple[Budget, ...]:
    """List the budgets against which an entry counts.

    Args:
        origin: who wrote it.
        peer: the origin where it is a peer.
        sender: who handed it over.
    """
    day = now.date().isoformat()
    if peer is not None:
        return (_budget(tx, origin, "origin", day, daily_limit_of(peer)),)
    return (
        _budget(tx, origin, "origin", day, PRESETS[TrustLevel.KNOWN].limit),
        budget_of_sender(tx, sender, now),
    )


def budget_of_sender(tx: Transaction, sender: PeerRow, now: datetime) -> Budget:
    """Return what a peer may still bring today of nodes that are no peers."""
    limit = daily_limit_of(sender)
    return _budget(tx, NodeId(sender.node_id), "sender", now.date().isoformat(), limit)


def spend(tx: Transaction, budget: Budget, count: int) -> None:
    """Count what was taken."""
    count_objects_today(tx, budget.node_id, budget.day, count)


def _budget(tx: Transaction, node_id: NodeId, whose: str, day: str, limit: int) -> Budget:
    return Budget(node_id, whose, day, limit, objects_today(tx, node_id, day))
