"""Judge again what waits only because of its origin's trust, when that trust was changed.

Right after pairing everything of a peer waits in quarantine, because nobody has compared the
words yet. Raising the trust is the decision of a person about all of it; without this, what came
in the meantime would wait for ever. What waits for another reason goes on waiting.

Lowering the trust takes nothing back: what was accepted was accepted under the trust of its day.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from federation.policy.admission import decide_admission
from hub.exchange import visible
from hub.peers.standing import standing_of
from hub.storage.queries import objects as stored
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction

WAITS_FOR_TRUST = frozenset({"QUARANTINED_INBOUND", "QUARANTINED_CORROBORATION"})


def readmit(tx: Transaction, peer: PeerRow, now: datetime) -> int:
    """Accept what the peer's present trust and inbound dial accept; return how many versions."""
    admission = decide_admission(
        origin_trust=standing_of(peer).effective_trust, inbound=peer.inbound
    )
    if admission.state != "accepted":
        return 0
    waiting = stored.list_objects(tx, origin=peer.node_id, state="quarantined")
    released = [
        replace(row, state="accepted", code=None)
        for row in waiting
        if row.code in WAITS_FOR_TRUST
    ]
    numbers = [row.object_row for row in released]
    stored.update_objects(tx, numbers, state="accepted", code=None)
    visible.show(tx, released, stored.contents_of(tx, numbers), now)
    return len(released)
