"""Take one step of trust back from a peer for cause (PROTOCOL 4.3).

Invariants:
* one step of the inbound and outbound dials for one cause; level, cap and limit stay, so that a
  person undoes it with one command; never up;
* whoever vouched for it is charged, and the audit says cause and dials.

What it does not do: judge the cause. That is ``freeze`` for forks, ``hub.verdicts.protected_hits``
for protected names, ``federation.trust.reputation`` for what outcomes say.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from federation.trust.demotion import step_down
from federation.trust.presets import Inbound
from hub.peers.charged_vouchers import charge_vouchers
from hub.peers.trust import PeerChanges, change_peer, dials_of
from hub.storage.queries.audit import store_event
from hub.storage.queries.peers import find_peer
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId
from schemas.markings import Tlp

ACTOR: Final = "federation"


def demote_for_cause(
    tx: Transaction, node_id: NodeId, cause: str, at: datetime, **facts: object
) -> bool:
    """Turn a peer's dials one step down in the caller's write.

    Args:
        cause: a code such as ``E_FORK`` or ``DEMOTED_PROTECTED_NAMES``.
        **facts: what the audit says beside it.

    Returns:
        Whether a dial was turned; both may stand at their lowest step already.
    """
    peer = find_peer(tx, node_id)
    if peer is None:
        return False
    charge_vouchers(tx, peer.node_id, cause, at)
    dials = dials_of(peer)
    before = Inbound(dials.inbound), Tlp.read(dials.outbound)
    inbound, outbound = step_down(*before)
    if (inbound, outbound) == before:
        return False
    changes = PeerChanges(inbound=inbound.value, outbound=outbound.wire)
    change_peer(tx, peer.node_id, changes, at, actor=ACTOR)
    store_event(
        tx,
        at,
        ACTOR,
        "PEER_DEMOTED",
        peer=peer.node_id,
        cause=cause,
        **facts,
        inbound=[before[0].value, inbound.value],
        outbound=[before[1].wire, outbound.wire],
    )
    return True
