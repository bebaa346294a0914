"""Make own entries that were fetched back what they were after their publication (PROTOCOL 4.6).

``receive_page`` has stored them by then, as own entries, each verified with our own pinned keys and
in its place of the chain. What it judges as it does a peer's is set right here:

* what this node published it accepts, whatever an unknown marking would mean from somebody else;
* who was in a group is written down again as far as the roster tells it;
* what producers here had handed in of erased objects is erased with them.

Invariant: run twice, it changes nothing the second time; so a crash in between does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hub.exchange import taking_back
from hub.exchange.readmission import release
from hub.node import Node
from hub.peers.groups import adopt_recovered_group
from hub.storage.queries import objects as stored
from hub.storage.queries.acks import recalled_since
from hub.storage.queries.feeds import find_feed
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, is_node_id


def complete_own(node: Node, feeds: Iterable[FeedName]) -> None:
    """Set right what was fetched back of these own feeds."""
    now = node.now()
    with node.database.write() as tx:
        waiting = stored.list_objects(tx, origin=node.node_id, state="quarantined")
        release(tx, waiting, now)
        _erase_local_copies(tx, now)
        for name in feeds:
            held = find_feed(tx, name)
            if held is not None and name.kind == "group":
                adopt_recovered_group(tx, node, name, now)


def _erase_local_copies(tx: Transaction, now: datetime) -> None:
    """Erase what producers here had handed in of objects that were erased everywhere since."""
    erased = recalled_since(tx, taking_back.ERASED)
    rows = [
        row
        for found in stored.claims_of(tx, erased).values()
        for row in found
        if not is_node_id(row.origin)
        and row.state != taking_back.ERASED
        and row.received_at <= erased[row.stix_id]
    ]
    taking_back.erase_objects(tx, rows, now)
