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
from federation.trust.presets import allows_type
from hub.exchange import visible
from hub.exchange.rival_claims import displace, settle
from hub.exchange.trust_gate import CORROBORATION
from hub.peers.standing import SUSPENDED, standing_of
from hub.storage.queries import objects as stored
from hub.storage.queries.claims import ask_to_read_again
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.peers import PeerRow, suspended_origins
from hub.storage.transaction import Transaction
from hub.verdicts.marks import ask_for_work

ACCEPTED = "ACCEPTED"
WAITS_FOR_TRUST = frozenset({"QUARANTINED_INBOUND", CORROBORATION, "QUARANTINED_TYPE"})


def readmit(tx: Transaction, peer: PeerRow, now: datetime) -> int:
    """Accept what the peer's present trust and dials accept; return how many versions.

    What goes on waiting does so for the reason that holds now: under another dial it may be that a
    second voice is enough, or no more.
    """
    by_code: dict[str, list[ObjectRow]] = {}
    for row, code in judged_again(tx, peer):
        by_code.setdefault(code, []).append(row)
    released = release(tx, by_code.pop(ACCEPTED, []), now)
    for code, rows in by_code.items():
        numbers = [row.object_row for row in rows if row.code != code]
        stored.update_objects(tx, numbers, code=code)
        if numbers and code == CORROBORATION:
            claims = [row.object_row for row in rows if row.stix_type == "indicator"]
            ask_to_read_again(tx, claims, now)
            ask_for_work(tx, now)
    return sum(row.state == "accepted" for row in released)


def judged_again(tx: Transaction, peer: PeerRow) -> list[tuple[ObjectRow, str]]:
    """List what waits because of its origin's trust, with what the gate says of it now."""
    trust = standing_of(peer).effective_trust
    codes: dict[str, str] = {}
    found: list[tuple[ObjectRow, str]] = []
    for row in stored.list_objects(tx, origin=peer.node_id, state="quarantined"):
        if row.code not in WAITS_FOR_TRUST:
            continue
        if row.stix_type not in codes:
            admission = decide_admission(
                origin_trust=trust,
                inbound=peer.inbound,
                type_allowed=allows_type(trust, peer.types, row.stix_type),
            )
            # Nothing is refused afterwards: what waits waits.
            kept = admission.state in {"accepted", "quarantined"}
            codes[row.stix_type] = str(admission.code) if kept else ""
        found.append((row, codes[row.stix_type] or str(row.code)))
    return found


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
    unseen = suspended_origins(tx)
    for row in rows:
        found = claims[row.stix_id]
        accepted = replace(row, state=SUSPENDED if row.origin in unseen else "accepted", code=None)
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
