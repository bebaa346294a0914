"""Sign this node's next document, store it, and see that every peer is told.

Invariants:
* the document is read as a peer will read it before it is stored, so that none is ever published
  that peers refuse;
* every peer is told by a job of its own, with a wait after failures, before a new key is used;
* what the document says of our own entries is true in the same transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from federation.identity.node_document import PinnedNode, pin_chain
from federation.identity.rotation import (
    ChainUpdate,
    NextDocument,
    decide_update,
    next_issued,
    next_payload,
)
from federation.signing.signer import Signer, seal
from federation.transport.peer_client import FeedSource
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.peers.node_documents import LARGEST_CHAIN, store_chain, take_update
from hub.peers.standing import is_reading
from hub.storage.queries.audit import store_event
from hub.storage.queries.feeds import list_feeds
from hub.storage.queries.jobs import request_job
from hub.storage.queries.node_updates import PAIRED_WITH, told_versions
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.transaction import Transaction
from schemas.errors import TocsinError
from schemas.signed_envelope import NODE_TYPE

TELL = "node"
"""The kind of job that posts our newer documents to a peer."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Moment:
    """The chain to go on with, and when the next document is issued."""

    own: PinnedNode
    issued: datetime


def moment_of(tx: Transaction, node: Node) -> Moment:
    """Choose when the next document is issued: not before anything that this node has signed."""
    own = pinned(tx, node.node_id)
    signed = [
        at
        for feed in list_feeds(tx, own=True)
        for at in (feed.last_ts, feed.head_ts)
        if at is not None
    ]
    return Moment(own, next_issued(own.newest, node.now(), signed))


def sign_next(
    tx: Transaction,
    node: Node,
    moment: Moment,
    change: NextDocument,
    signers: Sequence[Signer],
    *,
    actor: str,
) -> PinnedNode:
    """Sign and store the next document in the caller's write, and ask for its telling.

    Raises:
        WireFormatError: ``E_TOO_BIG`` or ``E_SCHEMA`` when it cannot be one that peers read.
        SignatureRejected: the signers are not those that the document needs.
    """
    envelope = seal(signers, NODE_TYPE, next_payload(moment.own.newest, change, moment.issued))
    update: ChainUpdate = decide_update(moment.own, [envelope.to_json()], allow_demo=node.own.demo)
    take_update(tx, node, moment.own, update)
    for peer in untold_peers(tx, node):
        request_job(tx, TELL, peer.node_id, node.now(), hurry=True)
    version = update.pinned.newest.version
    store_event(tx, node.now(), actor, "NODE_DOCUMENT_SIGNED", version=version)
    return update.pinned


def untold_peers(tx: Transaction, node: Node) -> list[PeerRow]:
    """List the peers that are not known to hold our newest document."""
    newest = pinned(tx, node.node_id).newest.version
    told = told_versions(tx)
    return [
        peer
        for peer in list_peers(tx)
        if is_reading(peer) and told.get(peer.node_id, PAIRED_WITH) < newest
    ]


def recover_own_documents(node: Node, source: FeedSource) -> bool:
    """Fetch this node's own documents back that a restored database lacks; tell whether it did.

    They certify themselves, so it does not matter who kept them. Without them the node would sign a
    second document of one version, and could not tell that it has turned its keys since.
    """
    with node.database.read() as tx:
        held = pinned(tx, node.node_id)
    try:
        chain = pin_chain(
            source.node_documents_chain(node.node_id, max_bytes=LARGEST_CHAIN),
            expected=node.node_id,
            allow_demo=node.own.demo,
        )
        if chain.newest.version <= held.newest.version:
            return False
        with node.database.write() as tx:
            store_chain(tx, node, chain)
            store_event(
                tx, node.now(), "node", "OWN_DOCUMENTS_RECOVERED", version=chain.newest.version
            )
    except TocsinError as error:
        _log.warning("own documents could not be fetched back from a peer: %s", error)
        return False
    return True
