"""The room that proofs may fill over time, whoever brings them, whoever they accuse (THREATS 36).

Anybody can make nodes that contradict themselves, and proofs against them hold. So what is about a
node with which this one has no relation is kept as long as there is room, and the oldest of the
noisiest goes first: that peer's which brought most, or, of what was found here, that node's against
which most was found.

Invariants:
* a proof against a peer of this node, whatever its state, or against this node never makes room for
  another: it is what a person will ask for. Against one node so many are kept, and no further ones;
* a feed that was frozen stays frozen, and the audit has what went;
* of a day's proofs from one peer none goes for another of its own (``MOST_A_DAY`` counts them).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from hub.monitoring.alarms import EVIDENCE_RECEIVED, end_alarm
from hub.storage.queries.audit import store_event
from hub.storage.queries.evidence import BranchEntry, store_branch
from hub.storage.queries.evidence_room import (
    branch_of_origin_taken,
    branches_of_unrelated_taken,
    drop_evidence,
    evict_branch_entry,
    next_to_evict,
    taken_against,
    taken_by_unrelated,
)
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, NodeId

MIB: Final = 1024 * 1024
MOST_AGAINST_ONE: Final = 64
BYTES_AGAINST_ONE: Final = 8 * MIB
"""Of proofs kept against one node; its feeds are frozen by then. The largest proof has 0.7 MiB."""
MOST_OF_SENDER: Final = 256
BYTES_OF_SENDER: Final = 16 * MIB
"""Of proofs against nodes without a relation that one peer brought."""
MOST_IN_ALL: Final = 1_024
BYTES_IN_ALL: Final = 64 * MIB
"""Of all proofs against nodes without a relation."""
BRANCH_OF_FEED: Final = 32
BRANCH_OF_ORIGIN: Final = 256
BRANCH_BYTES_OF_ORIGIN: Final = 16 * MIB
BRANCH_BYTES_IN_ALL: Final = 64 * MIB
"""Of entries of branches that were not taken; in all: of nodes without a relation."""
ACTOR: Final = "federation"


def make_room(
    tx: Transaction, *, accused: NodeId, sender: NodeId | None, size: int, at: datetime
) -> bool:
    """Make room for a proof; False when there is enough against that node already.

    Args:
        sender: the peer that brought it; None when it was found here.
        size: of its bytes.
    """
    against = taken_against(tx, accused)
    if against.rows >= MOST_AGAINST_ONE or against.size + size > BYTES_AGAINST_ONE:
        return False
    while sender is not None:
        brought = taken_by_unrelated(tx, sender=sender)
        if brought.rows < MOST_OF_SENDER and brought.size + size <= BYTES_OF_SENDER:
            break
        if not _evict(tx, next_to_evict(tx, sender=sender), at):
            break
    while True:
        every = taken_by_unrelated(tx)
        if every.rows < MOST_IN_ALL and every.size + size <= BYTES_IN_ALL:
            return True
        if not _evict(tx, next_to_evict(tx), at):
            return True


def keep_branch_entry(tx: Transaction, entry: BranchEntry) -> None:
    """Keep an entry of a branch that was not taken, where its origin has room left."""
    origin = FeedName.read(entry.feed).node_id
    size = len(entry.dsse)
    if branch_of_origin_taken(tx, origin).size + size > BRANCH_BYTES_OF_ORIGIN:
        return
    while branches_of_unrelated_taken(tx).size + size > BRANCH_BYTES_IN_ALL:
        if not evict_branch_entry(tx):
            break
    store_branch(tx, entry, of_feed=BRANCH_OF_FEED, of_origin=BRANCH_OF_ORIGIN)


def _evict(tx: Transaction, evidence_id: int | None, at: datetime) -> bool:
    if evidence_id is None:
        return False
    drop_evidence(tx, evidence_id)
    end_alarm(tx, EVIDENCE_RECEIVED, str(evidence_id), at, by=ACTOR)
    store_event(tx, at, ACTOR, "EVIDENCE_EVICTED", evidence=evidence_id)
    return True
