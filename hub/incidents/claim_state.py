"""How a hijack claim stands: open, answered, back, or taken back (issue 6, point 2).

Decides from the newest version of a claim that a label shows and the answers that it shows.

Invariants:
* an answer counts only of an origin with authority to speak of hijacks there: a peer at ``member``
  or above whose scope was granted here, or whose domain DNSSEC proved before the claim was known;
  or this node itself where the claim concerns it (PROTOCOL 4.1);
* on a TLD or public suffix it takes two of them (``authorities_needed``);
* an answer is about the name servers that its author had read of: of later ones it says nothing,
  so that a second hijack cannot hide behind what was said of the first change;
* an answer that its author did not sign as his own object is nobody's answer;
* of each origin the newest answer counts; the one that keeps a person awake goes first: not ours
  before reverted before authorised;
* claims of several origins stay apart, and each is closed by its own origin or by authority.

What it does not do: store anything; each look derives it anew, so a scope that is granted or taken
away later counts at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from federation.identity.dns_name import NameStanding
from federation.trust.authority import Scope, authorities_needed, covers_name, read_scopes
from federation.trust.presets import TrustLevel
from hub.incidents.concern import OwnPart, is_within, read_own_part
from hub.peers.standing import is_reading, standing_of
from hub.storage.queries.imports import only_imported
from hub.storage.queries.incidents import HijackAnswer, HijackClaim, answers_to
from hub.storage.queries.names import names_of
from hub.storage.queries.nodes import find_own_node
from hub.storage.queries.peers import PeerRow, peers_among
from hub.storage.transaction import Transaction
from schemas.dns.names import is_public_suffix
from schemas.identifiers import NodeId
from schemas.markings import Tlp

OPEN: Final = "open"
AUTHORISED: Final = "authorised"
NOT_OURS: Final = "not-ours"
REVERTED: Final = "reverted"
CLOSED: Final = "closed"
WITHDRAWN: Final = "withdrawn"
WAITING: Final = "waiting"
LIVE: Final = frozenset({OPEN, NOT_OURS})
"""States in which the zone counts as hijacked."""

AUTHORISED_CHANGE: Final = "authorised-change"
WORDS: Final = {NOT_OURS: NOT_OURS, REVERTED: REVERTED, AUTHORISED_CHANGE: AUTHORISED}
"""The words of answers and the states that they lead to, the most cautious first."""

NO_AUTHORITY: Final = "without authority, changes nothing"
NOT_SIGNED: Final = "not its author's own object, changes nothing"
OTHER_CHANGE: Final = "about another change of the delegation, changes nothing"
ONE_OF_TWO: Final = "one of two authorities that a public suffix needs"
TAKEN_BACK: Final = "taken back or said anew"
COUNTS: Final = "counts"


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """An answer, and what became of it."""

    answer: HijackAnswer
    counts: bool
    why: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How one origin's claim stands.

    Args:
        claim: its newest version.
        by: the origins whose answers made the state.
    """

    claim: HijackClaim
    state: str
    answers: tuple[JudgedAnswer, ...] = ()
    by: tuple[str, ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether the zone counts as hijacked."""
        return self.state in LIVE


def standings_of(
    tx: Transaction, versions: Sequence[HijackClaim], now: datetime, label: int | None = None
) -> list[Standing]:
    """Tell how claims stand, in the order in which they came.

    Args:
        versions: every version of the incidents that are meant.
        label: what its readers may see; None for the operator, who sees all.
    """
    claims = _by_claim([each for each in versions if _is_shown(each, label)])
    if not claims:
        return []
    answers = [
        each for each in answers_to(tx, {key[1] for key in claims}) if _is_shown(each, label)
    ]
    authority = Authority(tx, answers, now) if answers else None
    said: dict[str, list[HijackAnswer]] = {}
    for each in answers:
        said.setdefault(each.incident_id, []).append(each)
    found = []
    for (origin, stix_id), rows in claims.items():
        mine = [a for a in said.get(stix_id, ()) if a.incident_origin in {None, origin}]
        judged = () if authority is None else _judge(authority, rows, mine)
        found.append(_standing(rows[-1], judged))
    return found


def _is_shown(each: HijackClaim | HijackAnswer, label: int | None) -> bool:
    # RED reaches no machine unless its policy says so, as with claims (PROTOCOL 3.2).
    return label is None or (each.label <= label and (each.label < Tlp.RED or each.machine))


def _by_claim(versions: Iterable[HijackClaim]) -> dict[tuple[str, str], list[HijackClaim]]:
    """Group versions by claim, the newest last; accepted ones before what is left of others."""
    found: dict[tuple[str, str], list[HijackClaim]] = {}
    for each in versions:
        found.setdefault((each.origin, each.stix_id), []).append(each)
    for rows in found.values():
        rows.sort(key=lambda c: (c.version_at or c.noted_at, c.object_row))
    return found


def _standing(claim: HijackClaim, answers: tuple[JudgedAnswer, ...]) -> Standing:
    if claim.revoked or claim.state == "withdrawn":
        return Standing(claim, WITHDRAWN, answers)
    if claim.facts.reverted_at is not None:
        return Standing(claim, CLOSED, answers)
    if claim.facts.authorised:
        return Standing(claim, AUTHORISED, answers)
    needed = authorities_needed(claim.facts.zone)
    for word, state in WORDS.items():
        voices = {a.answer.origin for a in answers if a.counts and a.answer.word == word}
        if len(voices) >= needed:
            return Standing(claim, state, answers, tuple(sorted(voices)))
    if needed > 1:
        answers = tuple(
            JudgedAnswer(a.answer, a.counts, ONE_OF_TWO) if a.counts else a for a in answers
        )
    return Standing(claim, OPEN, answers)


def _judge(
    authority: Authority, rows: Sequence[HijackClaim], answers: Sequence[HijackAnswer]
) -> tuple[JudgedAnswer, ...]:
    """Judge the answers to one claim, in the order in which they came."""
    newest: dict[str, HijackAnswer] = {}
    for each in sorted(answers, key=lambda a: (a.said_at, a.object_row)):
        if each.proven:
            newest[each.origin] = each
    judged = []
    for each in answers:
        why = COUNTS
        if not each.proven or authority.is_imported(each):
            why = NOT_SIGNED
        elif newest[each.origin] is not each or each.revoked or each.state == "withdrawn":
            why = TAKEN_BACK
        elif not authority.covers(each.origin, rows):
            why = NO_AUTHORITY
        elif not _is_about(each, rows):
            why = OTHER_CHANGE
        judged.append(JudgedAnswer(each, why == COUNTS, why))
    return tuple(judged)


def _is_about(answer: HijackAnswer, rows: Sequence[HijackClaim]) -> bool:
    """Tell whether an answer is about the very change that the newest version claims."""
    newest = _change_of(rows[-1])
    if answer.incident_version is None:
        return all(_change_of(row) == newest for row in rows)
    return any(row.version == answer.incident_version and _change_of(row) == newest for row in rows)


def _change_of(row: HijackClaim) -> tuple[str, frozenset[str], frozenset[str]]:
    return row.facts.zone, frozenset(row.facts.new_ns), frozenset(row.facts.new_ds)


class Authority:
    """Who of those who answered may speak of a hijack.

    Args:
        answers: theirs.
    """

    def __init__(self, tx: Transaction, answers: Sequence[HijackAnswer], now: datetime) -> None:
        origins = {each.origin for each in answers}
        own = find_own_node(tx)
        self._own = None if own is None else own.node_id
        self._part = read_own_part(tx, now) if self._own in origins else OwnPart(())
        self._imported = only_imported(tx, {a.stix_id for a in answers if a.origin == self._own})
        peers = {o: p for o, p in peers_among(tx, origins).items() if _counts(p)}
        self._scopes: dict[str, tuple[Scope, ...]] = {
            origin: read_scopes(peer.authority) for origin, peer in peers.items()
        }
        self._domains = {origin: _proven_domains(tx, origin) for origin in peers}

    def is_imported(self, answer: HijackAnswer) -> bool:
        """Tell whether an answer of this node's is what a feed says, under an id of this node's."""
        return answer.origin == self._own and answer.stix_id in self._imported

    def covers(self, origin: str, rows: Sequence[HijackClaim]) -> bool:
        """Tell whether an origin may say of a claim's zone whether its change was rightful."""
        change = rows[-1].facts
        if origin == self._own:
            return bool(self._part.concerns(change))
        if covers_name(self._scopes.get(origin, ()), change.zone, "hijack"):
            return True
        # Proven before the claim was known: whoever took the zone can sign it anew, and would
        # else answer for it himself (THREATS 53).
        known = min(row.noted_at for row in rows)
        since = min([known, *(row.facts.changed_at for row in rows if row.facts.changed_at)])
        return any(
            at < since and is_within(change.zone, domain)
            for domain, at in self._domains.get(origin, {}).items()
        )


def _counts(peer: PeerRow) -> bool:
    return is_reading(peer) and standing_of(peer).effective_trust >= TrustLevel.MEMBER


def _proven_domains(tx: Transaction, origin: str) -> dict[str, datetime]:
    """Map the domains that DNSSEC proves to be a peer's to when that began; no public suffix."""
    return {
        row.domain: row.changed_at
        for row in names_of(tx, NodeId(origin)).values()
        if row.standing == NameStanding.VERIFIED.value and not is_public_suffix(row.domain)
    }
