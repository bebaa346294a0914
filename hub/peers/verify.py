"""Compare the eight words that the other administrator reads out (PROTOCOL 4.5).

Both nodes derive the same words from the two ids, so whoever stands between them and speaks to
each under an id of its own makes the words differ (THREATS 51). Typing what is *heard* keeps a
person from waving the comparison through: what is shown on one's own screen is not asked for.

Invariants:
* words that differ change nothing but the audit; the relation stays as narrow as it was;
* words that agree allow trust above ``known`` and give none: that is the operator's next step.
"""

from __future__ import annotations

import hmac

from federation.identity.fingerprint import voice_code
from hub.errors import NotPermitted
from hub.node import Node
from hub.peers.trust import PeerChange, PeerChanges, change_peer
from hub.storage.queries.audit import store_event
from hub.storage.queries.peers import PeerRow


def verify_peer(node: Node, peer: PeerRow, words: str, *, actor: str = "operator") -> PeerChange:
    """Note that the words were compared, when they agree.

    Args:
        words: as they were heard; white space and the case of letters are ignored.

    Raises:
        NotPermitted: ``E_WORDS_DIFFER``.
        NotFound: ``E_PEER_UNKNOWN`` when the peer has gone meanwhile.
    """
    heard = " ".join(words.lower().split())
    agree = hmac.compare_digest(heard.encode(), voice_code(node.node_id, peer.node_id).encode())
    now = node.now()
    with node.database.write() as tx:
        if agree:
            return change_peer(tx, peer.node_id, PeerChanges(verified=True), now, actor=actor)
        # Not the words themselves: half of them may be right, and the audit is read by others.
        store_event(tx, now, actor, "PEER_WORDS_DIFFER", peer=peer.node_id)
    raise NotPermitted(
        "E_WORDS_DIFFER",
        f"these are not the eight words of this node and {peer.name}",
        "Read them once more, both sides. If one still differs, somebody stands between the two "
        "nodes: stop, run `tocsin peer suspend PEER`, and begin anew with another invitation.",
    )
