"""Record what turned out about claims, and let their origins be measured by it (PROTOCOL 4.3).

Invariants:
* an outcome is a person's word, or a setting's that a person chose; no peer records one;
* of one object the last word counts, and it counts in no view that does not show the object;
* a false positive in more than 5 of 100, of 40 or more of one type, costs the origin one step of
  its dials, by itself, once; nothing here ever raises them;
* a change of reliability that is worth it asks for the origin's names in the background; what is
  smaller is found when the names are looked at again by time.

What it does not do: weigh (``federation.trust.reputation``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from federation.trust.presets import TrustLevel
from federation.trust.reputation import (
    PRIORS,
    Cause,
    Conduct,
    Outcome,
    OutcomeKind,
    decide_demotion,
    reliability,
)
from hub.exchange.object_listing import find_claims
from hub.monitoring.alarms import PEER_DEMOTED, raise_alarm
from hub.node import Node
from hub.peers.demote import demote_for_cause
from hub.peers.standing import standing_of
from hub.storage.queries.audit import store_event
from hub.storage.queries.outcomes import OutcomeRow, count_outcomes, outcomes_of, put_outcome
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.transaction import Transaction
from hub.verdicts.marks import ask_again_of
from schemas.identifiers import NodeId
from schemas.markings import Tlp

CONFIRMED: Final[OutcomeKind] = "confirmed"
FALSE_POSITIVE: Final[OutcomeKind] = "false-positive"
_WORTH_IT: Final = 0.02
"""By how much reliability moves before all names of an origin are judged anew for it."""
_CLAIMS: Final = "indicator"


@dataclass(frozen=True, slots=True)
class Found:
    """What turned out about one object."""

    origin: str
    stix_id: str
    stix_type: str
    label: int
    kind: OutcomeKind


@dataclass(frozen=True, slots=True)
class RecordedOutcome:
    """An outcome as it was recorded, and what it does to its origin."""

    id: str
    origin: str
    tlp: str
    kind: str
    demoted: bool


@dataclass(frozen=True, slots=True)
class TypeReliability:
    """How reliable a peer is for one type of object, with what that rests on.

    Args:
        alpha: of the prior by its preset; ``beta`` likewise.
    """

    type: str
    reliability: float
    confirmed: int
    false_positives: int
    alpha: float
    beta: float


def add_outcome(
    node: Node,
    stix_id: str,
    kind: OutcomeKind,
    reason: str,
    *,
    origin: NodeId | None = None,
    actor: str = "operator",
) -> RecordedOutcome:
    """Record what turned out about an object.

    Args:
        origin: whose claim, where two origins claim one id; else the newest.

    Raises:
        NotFound: ``E_NOT_FOUND``.
    """
    with node.database.write() as tx:
        now = node.now()
        row = find_claims(tx, stix_id, origin)[-1]
        found = Found(row.origin, row.stix_id, row.stix_type, row.shown_tlp, kind)
        demoted = _record(tx, [found], reason, now, actor)
    return RecordedOutcome(stix_id, row.origin, Tlp(row.shown_tlp).wire, kind, bool(demoted))


def record_outcomes(
    tx: Transaction, node: Node, found: Sequence[Found], reason: str, now: datetime, *, actor: str
) -> int:
    """Record what turned out in the caller's write; of this node's own objects nothing.

    Returns:
        How many outcomes were recorded.
    """
    others = [each for each in found if each.origin != node.node_id]
    _record(tx, others, reason, now, actor)
    return len(others)


def _record(
    tx: Transaction, found: Sequence[Found], reason: str, now: datetime, actor: str
) -> set[str]:
    before = {
        (each.origin, each.stix_type, each.label): _reliability_at(tx, each, now) for each in found
    }
    for each in found:
        put_outcome(
            tx,
            OutcomeRow(
                each.origin, each.stix_id, each.stix_type, each.label, each.kind, reason, actor, now
            ),
        )
        store_event(
            tx, now, actor, "OUTCOME_RECORDED",
            origin=each.origin, stix_id=each.stix_id, kind=each.kind, reason=reason,
        )  # fmt: skip
    moved: dict[str, int] = {}
    for each in found:
        was = before[each.origin, each.stix_type, each.label]
        if each.stix_type == _CLAIMS and abs(_reliability_at(tx, each, now) - was) >= _WORTH_IT:
            moved[each.origin] = min(each.label, moved.get(each.origin, each.label))
    for origin, label in sorted(moved.items()):
        ask_again_of(tx, origin, now, least=label)
    measured = sorted({(each.origin, each.stix_type) for each in found})
    return {origin for origin, stix_type in measured if _measure(tx, origin, stix_type, now)}


def _reliability_at(tx: Transaction, each: Found, now: datetime) -> float:
    """Tell how reliable an origin is in the lowest view that this outcome counts in."""
    peer = find_peer(tx, each.origin)
    trust = TrustLevel.KNOWN if peer is None else standing_of(peer).effective_trust
    rows = [r for r in outcomes_of(tx, [each.origin], each.label) if r.stix_type == each.stix_type]
    return reliability(PRIORS[trust], _outcomes(rows), now)


def _outcomes(rows: Iterable[OutcomeRow]) -> list[Outcome]:
    return [
        Outcome(CONFIRMED if row.kind == CONFIRMED else FALSE_POSITIVE, row.found_at)
        for row in rows
    ]


def _measure(tx: Transaction, origin: str, stix_type: str, now: datetime) -> bool:
    """Turn a peer down whose claims of a type are too often wrong."""
    rows = [
        row
        for row in outcomes_of(tx, [origin])
        if row.stix_type == stix_type and row.counted_at is None
    ]
    wrong = sum(row.kind == FALSE_POSITIVE for row in rows)
    cause = decide_demotion(Conduct(adjudicated=len(rows), false_positives=wrong))
    peer = find_peer(tx, origin)
    if cause is None or peer is None:
        return False
    count_outcomes(tx, origin, stix_type, now)
    return demote_and_tell(tx, peer, cause, now)


def demote_and_tell(tx: Transaction, peer: PeerRow, cause: Cause, now: datetime) -> bool:
    """Take one step of trust back and tell a person; False where both dials stand lowest."""
    if not demote_for_cause(tx, peer.node_id, cause.code, now, **cause.params):
        return False
    facts = {"name": peer.name, "cause": cause.code, **cause.params}
    raise_alarm(tx, PEER_DEMOTED, peer.node_id, now, **facts)
    return True


def demote_expired(tx: Transaction, node_id: NodeId, now: datetime) -> bool:
    """Take one step of trust back from a peer whose node document has run out."""
    cause = decide_demotion(Conduct(document_expired=True))
    peer = find_peer(tx, node_id)
    return cause is not None and peer is not None and demote_and_tell(tx, peer, cause, now)


def reliability_of_peer(node: Node, peer: PeerRow) -> tuple[TypeReliability, ...]:
    """Tell how reliable a peer is by type of object, with all that is known at any label."""
    prior = PRIORS[standing_of(peer).effective_trust]
    with node.database.read() as tx:
        rows = outcomes_of(tx, [peer.node_id])
    types = sorted({_CLAIMS, *(row.stix_type for row in rows)})
    now = node.now()
    told = []
    for stix_type in types:
        mine = [row for row in rows if row.stix_type == stix_type]
        wrong = sum(row.kind == FALSE_POSITIVE for row in mine)
        reliable = round(reliability(prior, _outcomes(mine), now), 3)
        told.append(
            TypeReliability(stix_type, reliable, len(mine) - wrong, wrong, prior.alpha, prior.beta)
        )
    return tuple(told)
