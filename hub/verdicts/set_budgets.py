"""How many names of sets one origin may have read in a day (PROTOCOL 4.1; THREATS 36).

An entry is small and a list is large: one blob of a million names may be named by any number of
sets, and each name is a claim, a verdict and a row for every reader. So names count too.

Invariants:
* an origin's day has twenty names for each object of its limit; what is begun is finished, so that
  one list may go beyond it, and the next one waits for another day (``E_SET_QUOTA``);
* what waits takes no turn from anybody: it is not looked at again before its origin has room;
* this node's own sets wait for nobody.

Does not: count objects or bytes (``hub.peers.budgets``, ``hub.peers.incoming_blobs``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from federation.trust.presets import PRESETS, TrustLevel
from hub.node import Node
from hub.peers.standing import daily_limit_of
from hub.storage.queries.peers import count_objects_today, find_peer, objects_today
from hub.storage.queries.set_claims import origins_out_of_names, resume_sets
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId

NAMES_AN_OBJECT: Final = 20
"""Of one origin's sets in a day, for each object of its limit."""


def has_names_left(tx: Transaction, node: Node, origin: str, now: datetime) -> bool:
    """Tell whether another list of an origin may be begun today."""
    if origin == node.node_id:
        return True
    peer = find_peer(tx, NodeId(origin))
    limit = PRESETS[TrustLevel.KNOWN].limit if peer is None else daily_limit_of(peer)
    return objects_today(tx, NodeId(origin), _day(now)) < limit * NAMES_AN_OBJECT


def count_names(tx: Transaction, origin: str, names: int, now: datetime) -> None:
    """Count the names of a list that is begun."""
    count_objects_today(tx, NodeId(origin), _day(now), names)


def origins_with_room(tx: Transaction, node: Node, now: datetime) -> tuple[str, ...]:
    """List the origins whose sets waited for another day, and need not any longer."""
    return tuple(
        origin for origin in origins_out_of_names(tx) if has_names_left(tx, node, origin, now)
    )


def resume_waiting(tx: Transaction, node: Node, now: datetime) -> bool:
    """Let sets go on whose origins have room again; tell whether there were any."""
    origins = origins_with_room(tx, node, now)
    resume_sets(tx, origins)
    return bool(origins)


def _day(now: datetime) -> str:
    # Beside the count of objects, which has the day with its dashes.
    return f"N{now:%Y%m%d}"
