"""Read what origins say against names out of their opinions, and let a person decide on it.

An opinion is on a name when it refers to a ``domain-name``, an ``infrastructure`` that is called by
it, or a simple indicator, of its own origin: the closure rule makes it bring that along (PROTOCOL
3.4).

Invariants:
* what an import brought is nobody's opinion here: a feed would else speak with this node's weight;
* each opinion is read once, in the order of arrival; whether it counts is its state's and label's
  matter when verdicts are made (``evidence``);
* an authority's dissent inside its scope is told to a person at once;
* a decision bears the lowest label of what it was decided on, so that it moves nothing below it;
* deciding says what turned out, of the claims and of those who disputed them.

What it does not do: publish an opinion of one's own (``dispute_claims``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from federation.trust.authority import covers_name, read_scopes
from federation.trust.presets import TrustLevel
from federation.trust.reputation import OutcomeKind
from hub.errors import NotFound
from hub.incidents.note_incidents import is_hijack_answer
from hub.monitoring.alarms import AUTHORITY_DISSENTS, end_alarm, raise_alarm
from hub.node import Node
from hub.peers.standing import is_reading, standing_of
from hub.storage.dialects import to_micros
from hub.storage.queries import disputes as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.claims import live_claims
from hub.storage.queries.disputes import DecisionRow, StoredDispute, UnreadOpinion
from hub.storage.queries.imports import only_imported
from hub.storage.queries.peers import find_peer, list_peers
from hub.storage.queries.verdict_work import Mark, put_marks
from hub.storage.transaction import Transaction
from hub.verdicts.evidence import BLOCK, RELEASE, holds_on
from hub.verdicts.marks import ask_again
from hub.verdicts.outcomes import Found, record_outcomes
from schemas.dns.names import read_name
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from schemas.strict_json import strict_loads

STRENGTHS: Final[Mapping[str, int]] = {
    "strongly-disagree": 100,
    "disagree": 50,
    "neutral": 0,
    "agree": 0,
    "strongly-agree": 0,
}
"""How strongly STIX's words speak against a name, as a confidence."""
OPINION: Final = "opinion"
_NAMED: Final = ("domain-name--", "indicator--", "infrastructure--")
_MOST_NAMES: Final = 16
"""Of one opinion: else a small object would cost a great many verdicts."""


def read_disputes(
    tx: Transaction, node: Node, after: int, to: int, now: datetime, again: Sequence[int] = ()
) -> int:
    """Read the opinions between two object rows; mark the names that they are on.

    Args:
        again: the numbers of objects before them that are shown anew, of whatever type.
    """
    unread = stored.opinions_to_read_again(tx, again) if again else []
    if to > after:
        unread += stored.unread_opinions(tx, after, to)
    if not unread:
        return 0
    values = [(each, strict_loads(each.content)) for each in unread if each.content]
    refs = {ref for _, value in values for ref in _refs(value)}
    held = stored.contents_by_origin(tx, refs)
    foreign = only_imported(tx, {e.stix_id for e, _ in values if e.origin == node.node_id})
    rows: list[StoredDispute] = []
    marks: list[Mark] = []
    for each, value in values:
        if is_hijack_answer(value):
            continue  # it counts by authority or not at all (``incidents.claim_state``)
        if each.origin == node.node_id and each.stix_id in foreign:
            continue  # a feed's word is not this node's own, with this node's weight
        names = sorted(
            {name for ref in _refs(value) if (name := _name(held.get((each.origin, ref))))}
        )
        for name in names[:_MOST_NAMES]:
            row = _read(each, value, name, own=each.origin == node.node_id)
            rows.append(row)
            marks.append((name, each.label, to_micros(min(each.received_at, now)), False))
            if not row.own and row.confidence and not each.revoked:
                _tell_of_authority(tx, row, each.label, now)
    stored.store_disputes(tx, rows)
    put_marks(tx, marks)
    return len(rows)


def _refs(value: Mapping[str, Any]) -> list[str]:
    refs = value.get("object_refs")
    if not isinstance(refs, list):
        return []
    return [ref for ref in refs if isinstance(ref, str) and ref.startswith(_NAMED)]


def _name(held: tuple[str | None, bytes] | None) -> str | None:
    """Read the name that an object is about; what is none is nobody's verdict."""
    if held is None or not held[1]:
        return None
    value = strict_loads(held[1])
    text = held[0] or value.get("value" if value.get("type") == "domain-name" else "name")
    if not isinstance(text, str):
        return None
    try:
        return read_name(text).a_label
    except WireFormatError:
        return None


def _read(each: UnreadOpinion, value: Mapping[str, Any], name: str, *, own: bool) -> StoredDispute:
    opinion = str(value.get("opinion"))
    sure = value.get("confidence")
    part = sure if sure.__class__ is int and isinstance(sure, int) else 100
    strength = -(-STRENGTHS.get(opinion, 0) * max(0, min(100, part)) // 100)
    said_at = each.received_at if each.version_at is None else each.version_at
    return StoredDispute(
        object_row=each.object_row,
        name=name,
        origin=each.origin,
        own=own,
        opinion=opinion if opinion in STRENGTHS else "neutral",
        confidence=strength,
        # A clock that is ahead makes no word younger than its arrival.
        said_at=min(said_at, each.received_at),
        received_at=each.received_at,
    )


def _tell_of_authority(tx: Transaction, row: StoredDispute, label: int, now: datetime) -> None:
    peer = find_peer(tx, row.origin)
    if peer is None or not is_reading(peer):
        return
    if standing_of(peer).effective_trust < TrustLevel.MEMBER:
        return
    if covers_name(read_scopes(peer.authority), row.name, "benign"):
        raise_alarm(
            tx, AUTHORITY_DISSENTS, row.name, now,
            peer=peer.node_id, name=peer.name, tlp=Tlp(label).wire,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListedDispute:
    """One opinion on a name, as the operator sees it."""

    name: str
    id: str
    origin: str
    origin_name: str
    opinion: str
    tlp: str
    state: str
    received_at: datetime
    holds: tuple[str, ...]
    decision: str | None


def list_disputes(node: Node, name: str | None = None) -> tuple[ListedDispute, ...]:
    """List the opinions on names, the newest last.

    Raises:
        WireFormatError: ``E_NAME_*``.
    """
    known = None if name is None else read_name(name, refang=True).a_label
    with node.database.read() as tx:
        rows = stored.every_dispute(tx)
        rows = [row for row in rows if known is None or row.name == known]
        names = sorted({row.name for row in rows})
        peers: dict[str, str] = {peer.node_id: peer.name for peer in list_peers(tx)}
        peers[node.node_id] = "this node"
        decisions = stored.decisions_on(tx, names)
        holds = holds_on(tx, names, int(Tlp.RED), node.now())
    return tuple(
        ListedDispute(
            name=row.name,
            id=row.stix_id,
            origin=row.origin,
            origin_name=peers.get(row.origin, row.origin[:12]),
            opinion=row.opinion,
            tlp=Tlp(row.label).wire,
            state=row.state,
            received_at=row.received_at,
            holds=holds.get(row.name, ()),
            decision=decisions[row.name].decision if row.name in decisions else None,
        )
        for row in rows
    )


@dataclass(frozen=True, slots=True)
class Decided:
    """What deciding did.

    Args:
        tlp: from which label on it counts.
        outcomes: how many claims and opinions it says something of.
    """

    name: str
    decision: str
    tlp: str
    outcomes: int


def decide_dispute(
    node: Node, name: str, decision: str, reason: str, *, actor: str = "operator"
) -> Decided:
    """Decide on a disputed name.

    Args:
        decision: ``block``, it may be blocked by the rules for every name; or ``release``, it is
            never blocked by itself until it is decided anew.

    Raises:
        WireFormatError: ``E_NAME_*``, ``E_SCHEMA``.
        NotFound: ``E_DISPUTE_UNKNOWN`` when nobody disputes the name.
    """
    known = read_name(name, refang=True).a_label
    if decision not in {BLOCK, RELEASE}:
        raise WireFormatError("E_SCHEMA", f"{decision!r} is no decision", "block or release")
    with node.database.write() as tx:
        now = node.now()
        said = stored.disputes_about(tx, [known]).get(known, [])
        if not said:
            raise NotFound(
                "E_DISPUTE_UNKNOWN", f"nobody here disputes {known}", "See `tocsin dispute list`."
            )
        label = min(each.label for each in said)
        before = stored.decisions_on(tx, [known]).get(known)
        stored.put_decision(tx, DecisionRow(known, label, decision, reason, actor, now))
        found = [
            *_of_claims(tx, known, decision, label),
            *_of_opinions(said, decision, label),
        ]
        recorded = record_outcomes(tx, node, found, reason, now, actor=actor)
        lowest = label if before is None else min(label, before.label)
        ask_again(tx, [known], lowest, now)
        end_alarm(tx, AUTHORITY_DISSENTS, known, now, by=actor)
        store_event(
            tx, now, actor, "DISPUTE_DECIDED",
            domain=known, decision=decision, reason=reason, tlp=Tlp(label).wire,
        )  # fmt: skip
    return Decided(known, decision, Tlp(label).wire, recorded)


def _of_claims(tx: Transaction, name: str, decision: str, label: int) -> list[Found]:
    kind: OutcomeKind = "confirmed" if decision == BLOCK else "false-positive"
    return [
        Found(claim.origin, claim.stix_id, "indicator", max(claim.label, label), kind)
        for claim in live_claims(tx, [name]).get(name, ())
        if not claim.revoked
    ]


def _of_opinions(said: Sequence[stored.LiveDispute], decision: str, label: int) -> list[Found]:
    kind: OutcomeKind = "false-positive" if decision == BLOCK else "confirmed"
    return [
        Found(each.origin, each.stix_id, OPINION, max(each.label, label), kind)
        for each in said
        if each.confidence and not each.revoked
    ]
