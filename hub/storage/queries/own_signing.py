"""Whether own entries may be signed: the one row about it, and feeds that peers contradict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.hard_networks import OWN_FEED_CHECKS, OWN_SIGNING
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, NodeId

_ONLY = 1


@dataclass(frozen=True, slots=True)
class OwnSigning:
    """What is recorded of the node's own signing.

    Args:
        generation: how many writes have signed own entries; never goes back by itself.
        began_at: when a process last began to ask the peers.
        pending: that first check has not ended.
        suspected_at: since then this database may be older than what was published from it.
        checked_at: when enough peers were last heard.
    """

    generation: int = 0
    began_at: datetime | None = None
    pending: bool = False
    suspected_at: datetime | None = None
    checked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OwnFeedCheck:
    """An own feed of which a peer holds what this node does not.

    Args:
        verdict: ``behind``, ``alien`` or ``contradicted``.
        seq: what the peer holds, with ``hash``.
        told_by: the peer.
    """

    feed: str
    verdict: str
    seq: int
    hash: EntryHash
    told_by: NodeId
    at: datetime


def own_signing(tx: Transaction) -> OwnSigning:
    """Return what is recorded; nothing recorded is a node that never signed under this release."""
    row = tx.connection.execute(sa.select(OWN_SIGNING)).one_or_none()
    if row is None:
        return OwnSigning()
    return OwnSigning(row.generation, row.began_at, row.pending, row.suspected_at, row.checked_at)


def update_own_signing(tx: Transaction, **values: object) -> None:
    """Change what is recorded of the node's own signing."""
    if tx.connection.execute(OWN_SIGNING.update().values(**values)).rowcount == 0:
        tx.connection.execute(
            OWN_SIGNING.insert().values(
                **{"only_row": _ONLY, "generation": 0, "pending": False} | values
            )
        )


def list_feed_checks(tx: Transaction) -> tuple[OwnFeedCheck, ...]:
    """List the own feeds that stay closed, by name."""
    rows = tx.connection.execute(sa.select(OWN_FEED_CHECKS).order_by(OWN_FEED_CHECKS.c.feed))
    return tuple(
        OwnFeedCheck(r.feed, r.verdict, r.seq, EntryHash(r.hash), r.told_by, r.at) for r in rows
    )


def store_feed_check(tx: Transaction, check: OwnFeedCheck) -> None:
    """Note what a peer holds of an own feed, in the place of what was noted of it before."""
    drop_feed_check(tx, check.feed)
    tx.connection.execute(
        OWN_FEED_CHECKS.insert().values(
            feed=check.feed,
            verdict=check.verdict,
            seq=check.seq,
            hash=check.hash,
            told_by=check.told_by,
            at=check.at,
        )
    )


def drop_feed_check(tx: Transaction, feed: str) -> None:
    """Forget what was noted of an own feed."""
    tx.connection.execute(OWN_FEED_CHECKS.delete().where(OWN_FEED_CHECKS.c.feed == feed))
