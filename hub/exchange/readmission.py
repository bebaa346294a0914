"""Judge again what waits only because of its origin's trust, when that trust was changed.

Right after pairing everything of a peer waits in quarantine, because nobody has compared the
words yet. Raising the trust is the decision of a person about all of it; without this, what came
in the meantime would wait for ever. What waits for another reason goes on waiting.

Lowering the trust takes nothing back: what was accepted was accepted under the trust of its day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from federation.policy.admission import decide_admission
from hub.exchange import visible
from hub.exchange.rival_claims import displace, settle
from hub.peers.standing import standing_of
from hub.storage.queries import objects as stored
from hub.storage.queries.objects import ObjectRow
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
    released = release(tx, [row for row in waiting if row.code in WAITS_FOR_TRUST], now)
    return sum(row.state == "accepted" for row in released)


def release(tx: Transaction, rows: Sequence[ObjectRow], now: datetime) -> list[ObjectRow]:
    """Accept versions that waited, as if they had come from a trusted origin now.

    Returns:
        The versions as they are now; one that lost to a stronger claim waits on, with its code.
    """
    claims = stored.claims_of(tx, {row.stix_id for row in rows})
    every = [claim.object_row for found in claims.values() for claim in found]
    contents = stored.contents_of(tx, every)
    settled: list[ObjectRow] = []
    displaced: list[ObjectRow] = []
    for row in rows:
        found = claims[row.stix_id]
        accepted = replace(row, state="accepted", code=None)
        now_is, losers = settle(accepted, contents[row.object_row], found, contents)
        gone = {loser.object_row for loser in losers}
        claims[row.stix_id] = [
            now_is if claim.object_row == row.object_row
            else replace(claim, state="quarantined") if claim.object_row in gone
            else claim
            for claim in found
        ]  # fmt: skip
        settled.append(now_is)
        displaced += losers
    displace(tx, displaced, now)
    for state in {(row.state, row.code) for row in settled}:
        numbers = [row.object_row for row in settled if (row.state, row.code) == state]
        stored.update_objects(tx, numbers, state=state[0], code=state[1])
    visible.show(tx, settled, contents, now)
    return settled
