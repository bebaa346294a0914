"""Freeze a feed whose origin contradicted itself, and thaw it by a person's word (PROTOCOL 2.5).

Invariants:
* nobody picks a winner: a frozen feed takes nothing more from any side (``E_FROZEN``), what was
  read before stays readable, and an own frozen feed is not written to;
* only a person thaws, with a reason; the feed goes on with the branch that is held. What the other
  branch had signed until then freezes it no second time, what is signed later does;
* the origin's dials go one step down, once, until no feed of it is frozen any more; never up.

What it does not do: check a proof (``federation.feeds.forks``) or keep it (``evidence``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from hub.errors import Conflict, NotFound
from hub.monitoring.alarms import FEED_FROZEN, end_alarm, raise_alarm
from hub.node import Node
from hub.peers.demote import demote_for_cause
from hub.storage.queries.audit import store_event
from hub.storage.queries.evidence import end_freeze, last_freeze, store_freeze
from hub.storage.queries.feeds import FeedRow, create_feed, find_feed, list_feeds, update_feed
from hub.storage.queries.jobs import request_job
from hub.storage.queries.peers import find_peer
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName

FROZEN: Final = "frozen"
LONGEST_REASON: Final = 1_024
ACTOR: Final = "federation"


def freeze_feed(
    tx: Transaction, feed: FeedName, why: str, at: datetime, *, own: bool = False
) -> bool:
    """Freeze a feed in the caller's write, with alarm and audit; False when it is frozen already.

    A feed of which nothing is held yet is frozen too, so that neither branch gets in first.

    Args:
        why: a code such as ``E_FORK``.
        own: it is this node's own feed.
    """
    held = find_feed(tx, feed) or create_feed(tx, feed, own=own)
    if held.state == FROZEN:
        return False
    store_freeze(tx, str(feed), why, held.state, at)
    update_feed(tx, held.feed_row, state=FROZEN)
    facts = frozen_facts(held, why)
    store_event(tx, at, ACTOR, "FEED_FROZEN", **facts)
    raise_alarm(tx, FEED_FROZEN, str(feed), at, **facts)
    return True


def frozen_facts(held: FeedRow, why: str) -> dict[str, object]:
    """Say of a frozen feed what its alarm and its audit say."""
    return {"feed": held.feed, "origin": held.node_id, "own": held.own, "why": why}


def demote_for_fork(tx: Transaction, feed: FeedName, at: datetime) -> None:
    """Turn the origin's dials one step down, unless another of its feeds was frozen before."""
    peer = find_peer(tx, feed.node_id)
    others = [
        held
        for held in list_feeds(tx)
        if held.node_id == feed.node_id and held.state == FROZEN and held.feed != str(feed)
    ]
    if peer is None or others:
        return
    demote_for_cause(tx, peer.node_id, "E_FORK", at, feed=str(feed))


def thaw_feed(node: Node, feed: FeedName, reason: str, *, actor: str = "operator") -> FeedRow:
    """Let a frozen feed go on with the branch that is held, by a person's decision.

    Raises:
        NotFound: ``E_FEED_UNKNOWN``.
        Conflict: ``E_NOT_FROZEN``.
        WireFormatError: ``E_REASON``.
    """
    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        raise WireFormatError("E_REASON", f"a reason has 1 to {LONGEST_REASON} characters")
    now = node.now()
    with node.database.write() as tx:
        held = require_feed(tx, feed)
        freeze = last_freeze(tx, str(feed))
        if held.state != FROZEN:
            raise Conflict("E_NOT_FROZEN", f"feed {feed} is not frozen", "Run `tocsin feed list`.")
        before = "open" if freeze is None else freeze.state_before
        update_feed(tx, held.feed_row, state=before)
        if freeze is not None:
            end_freeze(tx, freeze.freeze_id, now, actor, reason)
        end_alarm(tx, FEED_FROZEN, str(feed), now, by=actor)
        store_event(tx, now, actor, "FEED_THAWED", feed=str(feed), reason=reason)
        if find_peer(tx, feed.node_id) is not None:
            request_job(tx, "pull", feed.node_id, now, hurry=True)
        return require_feed(tx, feed)


def is_settled(tx: Transaction, feed: FeedName, ts: datetime) -> bool:
    """Tell whether a person thawed the feed after a statement of this time was signed."""
    freeze = last_freeze(tx, str(feed))
    return freeze is not None and freeze.thawed_at is not None and ts <= freeze.thawed_at


def require_feed(tx: Transaction, feed: FeedName) -> FeedRow:
    """Return a feed that is held.

    Raises:
        NotFound: ``E_FEED_UNKNOWN``.
    """
    held = find_feed(tx, feed)
    if held is None:
        raise NotFound("E_FEED_UNKNOWN", f"feed {feed} is not held here", "Run `tocsin feed list`.")
    return held
