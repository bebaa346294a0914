"""What ends within thirty days: own keys and documents, and those of peers (PROTOCOL 2.3).

Said as alarms, so that an operator who looks at nothing else is told once and not every day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from federation.identity.expiry import ExpiryWarning, expiry_warnings
from hub.node import Node
from hub.peers.known_nodes import find_pinned
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId


def endings(
    tx: Transaction, node: Node, peers: Iterable[PeerRow], now: datetime
) -> Iterator[tuple[NodeId, Mapping[str, object]]]:
    """List the nodes of which something ends, ourselves first, with the facts for a sentence."""
    named: list[tuple[NodeId, str | None]] = [(node.node_id, None)]
    named += [(peer.node_id, peer.name) for peer in peers]
    for node_id, name in named:
        chain = find_pinned(tx, node_id)
        found = () if chain is None else expiry_warnings(chain, now)
        if found:
            yield node_id, _facts(min(found, key=_ends_at), name)


def _ends_at(warning: ExpiryWarning) -> datetime:
    return warning.ends_at


def _facts(warning: ExpiryWarning, name: str | None) -> dict[str, object]:
    return {
        "name": name,
        "what": warning.what,
        "ends": warning.ends_at.isoformat(),
        "ended": warning.ended,
    }
