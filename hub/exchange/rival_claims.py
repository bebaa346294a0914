"""Settle which of several origins' claims to one STIX id counts (PROTOCOL 2.4 "Ownership").

Invariants:
* only what readers see contests: a claim that waits, is refused or belongs to an exercise
  displaces nothing, or a stranger could empty the views by claiming what others pass on;
* the loser is quarantined only where the winner's label is no stricter than the loser's; else a
  reader could infer a RED claim from a missing GREEN one. There each view settles it
  (``visible``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from federation.feeds.ownership import Claim, decide_claims
from hub.exchange import visible
from hub.storage.queries.objects import ObjectRow, update_objects
from hub.storage.transaction import Transaction
from schemas.stix.objects import META_TYPES, SCO_TYPES

SHARED_TYPES = SCO_TYPES | META_TYPES
"""Facts and definitions without an owner: no claim to their ids, the first copy is kept."""
CONFLICT = "E_ID_CONFLICT"


def settle(
    row: ObjectRow, raw: bytes, claims: Iterable[ObjectRow], contents: Mapping[int, bytes]
) -> tuple[ObjectRow, list[ObjectRow]]:
    """Decide between a new claim and those that are held.

    Args:
        row: the new claim, in the state that the trust gate gave it.
        raw: its bytes.
        claims: every version of every origin for this id.
        contents: their bytes by object row.

    Returns:
        The claim in the state that it comes to, and the held claims that lose to it.
    """
    losers: list[ObjectRow] = []
    if row.stix_type in SHARED_TYPES or row.state != "accepted":
        return row, losers
    for rival in claims:
        if rival.origin == row.origin or rival.state != "accepted":
            continue
        same = contents.get(rival.object_row) == raw
        claim = decide_claims(rival.strength, row.strength, same_content=same)
        if claim is Claim.HELD_WINS and rival.tlp <= row.tlp:
            return replace(row, state="quarantined", code=CONFLICT), []
        if claim is Claim.NEW_WINS and row.tlp <= rival.tlp:
            losers.append(rival)
    return row, losers


def displace(tx: Transaction, losers: Iterable[ObjectRow], now: datetime) -> None:
    """Quarantine the claims that lost, out of every view."""
    rows = list(losers)
    update_objects(tx, [row.object_row for row in rows], state="quarantined", code=CONFLICT)
    visible.hide(tx, rows, now)
