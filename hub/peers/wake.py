"""Wake-ups: signed heads, handed over so that nobody needs to ask all the time (PROTOCOL 2.6).

Invariants:
* a wake-up holds heads and never a URL; whatever else it holds is not looked at, and taking one
  in opens no connection (THREATS 34): it asks for a pull from the sender's pinned base;
* every head is judged by itself, with the keys of its origin; a bad or unknown one is ignored;
* a wake-up carries heads of feeds that the recipient may read, and of no others;
* a fork is never ignored, and one of our own feeds is: there is nothing to pull, but what the
  sender holds of it is remembered, and what contradicts it is evidence against ourselves.
"""

from __future__ import annotations

from federation.transport.guarded_http import GuardedHttp
from federation.transport.peer_client import MAX_HEADS
from hub.exchange.serve_feeds import own_heads_for
from hub.node import Node
from hub.peers.admit import is_reading
from hub.peers.freeze import FROZEN
from hub.peers.gossip import HeadSeen, keep_seen, see_head
from hub.peers.outbound import http_or_own, note_answers, reach
from hub.peers.stated_heads import Standing, is_newer, keep_head
from hub.peers.wire_version import require_common_version
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.jobs import request_job
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId
from schemas.members import read_list, read_object
from schemas.strict_json import strict_loads


def wake_peer(node: Node, peer: PeerRow, *, http: GuardedHttp | None = None) -> int:
    """Tell a peer the newest heads of this node's feeds that it may read.

    Returns:
        How many heads were sent; nothing is sent when there are none.

    Raises:
        PeerUnreachable, PeerState, WireFormatError: it could not be told.
    """
    require_common_version(node, peer)
    with node.database.read() as tx:
        heads = [strict_loads(head) for head in own_heads_for(tx, peer)]
    if heads:
        with http_or_own(node, http) as way:
            direct = reach(node, peer.base, peer.node_id, way)
            direct.wake(heads)
        note_answers(node, peer.node_id, direct)
    return len(heads)


def accept_wake(node: Node, sender: PeerRow, body: bytes) -> None:
    """Take in a wake-up: ask for a pull from the sender when it knows of more than we hold.

    Raises:
        WireFormatError: ``E_JSON_*``, or ``E_SCHEMA`` for a body without heads or with over 100.
    """
    heads = read_list(read_object(strict_loads(body), "wake-up"), "heads")
    if len(heads) > MAX_HEADS:
        raise WireFormatError("E_SCHEMA", f"a wake-up of over {MAX_HEADS} heads")
    with node.database.read() as tx:
        seen = [found for value in heads if (found := see_head(tx, value)) is not None]
        wanted = [each for each in seen if _is_wanted(tx, node, each)]
        fresh = [each.head for each in seen if _is_fresh(tx, node, each)]
    keep_seen(node, sender, seen)
    if fresh:
        with node.database.write(durable=False) as tx:
            for head in fresh:
                keep_head(tx, head)
    if wanted:
        with node.database.write(durable=False) as tx:
            # A peer that speaks is there again, so a wait after failures ends (hurry).
            request_job(tx, "pull", NodeId(sender.node_id), node.now(), hurry=True)


def _is_fresh(tx: Transaction, node: Node, seen: HeadSeen) -> bool:
    """Tell whether a head is a newer one of what we hold: of a pushed feed no page brings one."""
    held = find_feed(tx, seen.head.feed)
    if held is None or seen.standing is not Standing.HELD or seen.head.feed.node_id == node.node_id:
        return False
    return is_newer(held, seen.head)


def _is_wanted(tx: Transaction, node: Node, seen: HeadSeen) -> bool:
    """Tell whether a head promises something that a pull would bring."""
    feed = seen.head.feed
    if seen.standing is not Standing.AHEAD or feed.node_id == node.node_id:
        return False
    held, origin = find_feed(tx, feed), find_peer(tx, feed.node_id)
    is_open = held is None or held.state != FROZEN
    return is_open and (origin is None or is_reading(origin))
