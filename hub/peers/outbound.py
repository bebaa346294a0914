"""How this node reaches its peers: the guarded way out, signed with its http key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from federation.transport.guarded_http import GuardedHttp
from federation.transport.peer_client import HttpPeer
from hub.node import Node
from hub.storage.queries.contacts import note_contact
from schemas.identifiers import NodeId

MOST_OFFSET = timedelta(days=30)
"""A clock farther off is none that anybody set; also what a database's integer has room for."""
NONCE_BYTES = 24
"""Of a request's signature (PROTOCOL 2.7: 16 to 48)."""


def open_http(node: Node) -> GuardedHttp:
    """Open the way out for one or many peers; the caller closes it."""
    ca_file = node.settings.ca_file
    return GuardedHttp(
        allow_loopback=node.settings.allow_loopback_peers,
        ca_file=None if ca_file is None else str(ca_file),
    )


@contextmanager
def http_or_own(node: Node, http: GuardedHttp | None) -> Iterator[GuardedHttp]:
    """Use the given way out, or one that is closed afterwards."""
    if http is not None:
        yield http
        return
    with open_http(node) as own:
        yield own


def note_answers(node: Node, node_id: NodeId, peer: HttpPeer | None) -> None:
    """Remember that a peer answered, and what its server's clock said (PROTOCOL 4.7)."""
    if peer is None or not peer.answered:
        return
    now = node.now()
    values: dict[str, object] = {"last_answer_at": now}
    if peer.clock_ahead is not None and abs(peer.clock_ahead) < MOST_OFFSET:
        seconds = round(peer.clock_ahead.total_seconds())
        values |= {"date_offset": seconds, "date_offset_at": now}
    with node.database.write(durable=False) as tx:
        note_contact(tx, node_id, **values)


def reach(node: Node, base: str, node_id: NodeId, http: GuardedHttp) -> HttpPeer:
    """Make the seam to the node at ``base`` that has to be ``node_id``."""
    return HttpPeer(
        base,
        node_id,
        signer=node.keys.http,
        http=http,
        now=node.now,
        nonce=lambda: node.entropy(NONCE_BYTES),
    )
