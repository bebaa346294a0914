"""See that there is always something planned: a pull for every peer, a fresh head for every feed.

Run every half minute or so; several processes at once are safe, for each step looks again inside
its own write.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hub.audit.heads import keep_head
from hub.exchange.heartbeats import send_due_heartbeats
from hub.exchange.import_servers import IMPORT
from hub.exchange.own_feeds import ENDED, refresh_head
from hub.exchange.relaying_again import relay_again
from hub.exchange.releases import honour_releases
from hub.exports.keep_current import request_exports
from hub.incidents.concentration import watch_concentration
from hub.incidents.watch_delegations import DELEGATIONS
from hub.monitoring.alarm_syslog import has_untold
from hub.monitoring.watch import watch_exchange
from hub.node import Node
from hub.peers.admit import is_reading
from hub.peers.groups import finish_removals
from hub.peers.own_document import TELL, untold_peers
from hub.peers.push import PUSH, has_news
from hub.peers.rotate_keys import turn_keys
from hub.peers.wanted_blobs import plan_blobs
from hub.storage.queries.feeds import FeedRow, list_feeds
from hub.storage.queries.import_servers import list_servers
from hub.storage.queries.incidents import is_any_hijack
from hub.storage.queries.jobs import request_job, subjects_with_job
from hub.storage.queries.peers import list_peers
from hub.storage.transaction import Transaction
from hub.verdicts.fuse import is_verdict_due
from hub.verdicts.marks import VERDICTS
from hub.verdicts.sightings import tell_sightings
from hub.workers.jobs import ALARMS, NAMES, PULL
from schemas.identifiers import NodeId

HEAD_AGE = timedelta(hours=5)
"""Heads are signed anew at least every six hours (PROTOCOL 2.5); this leaves an hour."""


def plan_work(node: Node) -> None:
    """Plan a pull for each peer that has none, sign old heads anew, and look for alarms."""
    now = node.now()
    watch_exchange(node)
    turn_keys(node)
    finish_removals(node)
    relay_again(node)
    honour_releases(node)
    keep_head(node)
    send_due_heartbeats(node)
    tell_sightings(node)
    watch_concentration(node)
    request_exports(node)
    plan_blobs(node)
    with node.database.read() as tx:
        nothing_to_do = not _missing_jobs(tx, node) and not _old_heads(tx, now)
    if nothing_to_do:
        return
    with node.database.write() as tx:
        for kind, subject in _missing_jobs(tx, node):
            request_job(tx, kind, subject, now)
        for feed in _old_heads(tx, now):
            refresh_head(tx, node, feed, now)


def _missing_jobs(tx: Transaction, node: Node) -> list[tuple[str, str]]:
    """List the jobs that every peer should always have and that some lack, by kind and subject."""
    kinds = (PULL, NAMES) if node.settings.resolver else (PULL,)
    peers = [peer for peer in list_peers(tx) if is_reading(peer)]
    wanted = [(kind, peer.node_id) for kind in kinds for peer in peers]
    wanted += [(TELL, peer.node_id) for peer in untold_peers(tx, node)]
    wanted += [(PUSH, peer.node_id) for peer in peers if peer.push_on and has_news(tx, node, peer)]
    if is_verdict_due(tx, node.now()):
        wanted.append((VERDICTS, NodeId("")))  # one job of the whole node
    if has_untold(tx, node):
        wanted.append((ALARMS, NodeId("")))
    if is_any_hijack(tx):
        wanted.append((DELEGATIONS, NodeId("")))
    wanted += [(IMPORT, NodeId(server.name)) for server in list_servers(tx)]
    every = (*kinds, TELL, PUSH, VERDICTS, ALARMS, DELEGATIONS, IMPORT)
    planned = {kind: subjects_with_job(tx, kind) for kind in every}
    return [(kind, subject) for kind, subject in wanted if subject not in planned[kind]]


def _old_heads(tx: Transaction, now: datetime) -> list[FeedRow]:
    # Closed feeds need no fresh head, and a frozen one must not look alive.
    return [
        feed
        for feed in list_feeds(tx, own=True)
        if (feed.state == "open" and feed.head_ts is not None and feed.head_ts < now - HEAD_AGE)
        # An epoch that ended while nothing could be signed is served again with a last head.
        or (feed.state == ENDED and feed.head is None and feed.last_seq > 0)
    ]
