"""Wake-ups: signed heads, handed over so that nobody needs to ask all the time (PROTOCOL 2.6).

Invariants:
* a wake-up holds heads and never a URL; whatever else it holds is not looked at, and taking one
  in opens no connection (THREATS 34): it asks for a pull from the sender's pinned base;
* every head is judged by itself, with the keys of its origin; a bad or unknown one is ignored;
* a wake-up carries heads of feeds that the recipient may read, and of no others.
"""

from __future__ import annotations

from federation.feeds.heads import Head
from federation.transport.guarded_http import GuardedHttp
from federation.transport.peer_client import MAX_HEADS
from hub.exchange.serve_feeds import own_heads_for
from hub.node import Node
from hub.peers.outbound import http_or_own, reach
from hub.peers.stated_heads import Standing, compare, find_good_head
from hub.storage.queries.audit import store_event
from hub.storage.queries.evidence import is_noted
from hub.storage.queries.jobs import request_job
from hub.storage.queries.peers import PeerRow
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
    with node.database.read() as tx:
        heads = [strict_loads(head) for head in own_heads_for(tx, peer)]
    if heads:
        with http_or_own(node, http) as way:
            reach(node, peer.base, peer.node_id, way).wake(heads)
    return len(heads)


def accept_wake(node: Node, sender: PeerRow, body: bytes) -> None:
    """Take in a wake-up: ask for a pull from the sender when it knows of more than we hold.

    Raises:
        WireFormatError: ``E_JSON_*``, or ``E_SCHEMA`` for a body without heads or with over 100.
    """
    heads = read_list(read_object(strict_loads(body), "wake-up"), "heads")
    if len(heads) > MAX_HEADS:
        raise WireFormatError("E_SCHEMA", f"a wake-up of over {MAX_HEADS} heads")
    now = node.now()
    with node.database.read() as tx:
        good = [head for head in (find_good_head(tx, value) for value in heads) if head]
        standings = [
            (head, compare(tx, head)) for head in good if head.feed.node_id != node.node_id
        ]
    if all(standing is Standing.HELD for _, standing in standings):
        return
    with node.database.write(durable=False) as tx:
        for head, standing in standings:
            if standing is Standing.CONTRADICTS:
                _note_contradiction(tx, node, sender, head)
        # A peer that speaks is there again, so a wait after failures ends (hurry).
        request_job(tx, "pull", NodeId(sender.node_id), now, hurry=True)


def _note_contradiction(tx: Transaction, node: Node, sender: PeerRow, head: Head) -> None:
    """Keep a head that contradicts our chain: two statements that cannot both be true."""
    evidence = {"feed": str(head.feed), "seq": head.seq, "head": head.envelope.to_json()}
    if not is_noted(tx, "HEAD_CONTRADICTS", evidence):
        store_event(tx, node.now(), sender.node_id, "HEAD_CONTRADICTS", **evidence)
