"""Count what a peer served and what did not hold: signatures, and digests of blobs (PROTOCOL 4.3).

Invariants:
* what a relay garbled is the relay's: only feeds of the peer that served them count, and of a
  blob only bytes that all came from that peer, which could have compared them as we do;
* more than ten within an hour cost it one step of its dials, and are counted once.

What it does not do: stop the feed. The check itself did.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from federation.trust.reputation import SIGNATURE_FAILURES_WITHIN, Conduct, decide_demotion
from hub.monitoring.alarms import BLOB_WRONG, MONITORING, raise_alarm
from hub.node import Node
from hub.peers.pull_feed import FeedPulled
from hub.storage.queries.audit import store_event
from hub.storage.queries.conduct import (
    count_signature_failures,
    drop_signature_failures,
    note_signature_failures,
)
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
from hub.verdicts.outcomes import demote_and_tell
from schemas.identifiers import FeedName

_CODES = ("E_SIG_",)


def note_signatures(node: Node, sender: PeerRow, by_feed: Mapping[FeedName, FeedPulled]) -> None:
    """Note what came of a pull, and turn the peer down when it was too much."""
    failed = sum(
        feed.node_id == sender.node_id
        and pulled.error is not None
        and pulled.error.code.startswith(_CODES)
        for feed, pulled in by_feed.items()
    )
    if not failed:
        return
    with node.database.write() as tx:
        _count(tx, sender, failed, node.now())


def charge_for_blob(tx: Transaction, sender: PeerRow, sha256: str, now: datetime) -> None:
    """Note that a peer gave other bytes than a blob's digest names, and tell a person."""
    store_event(tx, now, MONITORING, "BLOB_REJECTED", peer=sender.node_id, sha256=sha256)
    raise_alarm(tx, BLOB_WRONG, sender.node_id, now, name=sender.name, sha256=sha256)
    _count(tx, sender, 1, now)


def _count(tx: Transaction, sender: PeerRow, failed: int, now: datetime) -> None:
    note_signature_failures(tx, sender.node_id, failed, now, now - SIGNATURE_FAILURES_WITHIN)
    number = count_signature_failures(tx, sender.node_id)
    cause = decide_demotion(Conduct(signature_failures=number))
    if cause is not None:
        drop_signature_failures(tx, sender.node_id)
        demote_and_tell(tx, sender, cause, now)
