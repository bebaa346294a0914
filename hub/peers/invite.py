"""Invite a node, and accept the invitation of another (PROTOCOL 4.5).

Invariants:
* a token is shown once, to who invites, and kept as a digest;
* what pairs us is the node id in the invitation: the documents fetched have to be that node's,
  whoever answers at the address (THREATS 51);
* no network call is made inside a transaction.
"""

from __future__ import annotations

from datetime import timedelta

from federation.errors import PeerState, PeerUnreachable
from federation.identity.fingerprint import voice_code
from federation.identity.invitation import (
    TOKEN_BYTES,
    Invitation,
    read_invitation,
    token_digest,
    write_pairing_request,
)
from federation.identity.node_document import PinnedNode, pin_chain
from federation.identity.wire_version import require_common
from federation.transport.guarded_http import GuardedHttp
from federation.transport.peer_client import HttpPeer
from hub.errors import Conflict, NotFound
from hub.node import Node
from hub.peers.admit import (
    PeerAdmitted,
    is_reading,
    require_living,
    shown_name,
    store_relation,
)
from hub.peers.node_documents import own_base, own_documents
from hub.peers.outbound import http_or_own, reach
from hub.storage.queries.audit import store_event
from hub.storage.queries.peers import find_peer, store_invitation
from schemas.errors import TocsinError
from schemas.timestamps import read_wire_time, write_wire_time

__all__ = ["INVITATION_LIFETIME", "PeerAdmitted", "accept_invitation", "invite_peer"]

INVITATION_LIFETIME = timedelta(hours=72)


def invite_peer(node: Node, *, actor: str = "operator") -> str:
    """Make an invitation for one node, good once within 72 hours.

    Returns:
        The invitation as one line of text; it holds a secret and cannot be shown again.
    """
    now = node.now()
    # As the text will say it, so that both sides mean the same instant.
    expires = read_wire_time(write_wire_time(now + INVITATION_LIFETIME))
    token = node.entropy(TOKEN_BYTES)
    with node.database.write() as tx:
        base = own_base(tx, node)
        store_invitation(tx, token_digest(token), now, expires)
        store_event(tx, now, actor, "PEER_INVITED", expires=write_wire_time(expires))
    return Invitation(base, node.node_id, token, expires).write()


def accept_invitation(node: Node, text: str, *, http: GuardedHttp | None = None) -> PeerAdmitted:
    """Pair with the node that invited us.

    Accepting the same invitation again after an answer was lost finds the pairing standing.

    Raises:
        WireFormatError: ``E_SCHEMA`` for an unreadable invitation or a demo's documents.
        SignatureRejected: the documents at the address are not those of the invited node.
        NotFound: ``E_INVITATION``: the inviter knows no such open invitation.
        Conflict: ``E_ID_CONFLICT``, ``E_NODE_VERSION`` or ``E_PEER_BLOCKED``.
        PeerUnreachable: the wire failed; nothing was stored here.
        PeerState: ``E_WIRE_VERSION``: the two releases have no version in common.
    """
    invitation = read_invitation(text)
    _require_not_blocked(node, invitation)
    with http_or_own(node, http) as way:
        # 1. Whoever answers at the address, only the invited node's own chain will do.
        found = reach(node, invitation.base, invitation.node_id, way)
        chain = pin_chain(
            found.node_documents_chain(), expected=invitation.node_id, allow_demo=node.own.demo
        )
        require_living(chain, node.now())
        require_common(shown_name(chain.newest.name), chain.newest.wire)
        # 2. From here on the address is the one that the node itself signed.
        inviter = reach(node, chain.newest.base, chain.node_id, way)
        _ask_for_admission(node, invitation, inviter)
    # 3. The other side has us; now we have it.
    return _store(node, chain)


def _require_not_blocked(node: Node, invitation: Invitation) -> None:
    if invitation.node_id == node.node_id:
        raise Conflict(
            "E_ID_CONFLICT", "the invitation is this node's own", "Give it to the other node."
        )
    with node.database.read() as tx:
        held = find_peer(tx, invitation.node_id)
    if held is not None and not is_reading(held):
        raise Conflict(
            "E_PEER_BLOCKED",
            f"{held.name} is {held.state if held.trust else 'blocked'} here",
            "Lift that first with `tocsin peer set`; an invitation does not.",
        )


def _ask_for_admission(node: Node, invitation: Invitation, inviter: HttpPeer) -> None:
    with node.database.read() as tx:
        body = write_pairing_request(invitation.token, own_documents(tx, node))
    try:
        inviter.pair(body)
    except (PeerUnreachable, PeerState) as failure:
        # The answer may have been lost, now or at an earlier try, whose token is then spent.
        if not _stands(inviter):
            raise _reason(failure) from failure


def _stands(inviter: HttpPeer) -> bool:
    """Ask whether the pairing stands: a signed GET of the heads is answered to peers alone."""
    try:
        inviter.heads()
    except TocsinError:
        return False
    return True


def _reason(failure: PeerUnreachable | PeerState) -> TocsinError:
    if failure.code != "E_NOT_FOUND":
        return failure
    return NotFound(
        "E_INVITATION",
        "the inviting node knows no such open invitation",
        "It was used, has expired or was mistyped; ask for a new one.",
    )


def _store(node: Node, chain: PinnedNode) -> PeerAdmitted:
    with node.database.write() as tx:
        peer = store_relation(tx, node, chain, actor="operator", pull_at=node.now())
    return PeerAdmitted(peer, voice_code(node.node_id, peer.node_id))
