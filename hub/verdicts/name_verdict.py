"""What the claims on one name come to at each label: the view of who may see so much and no more.

Decides, for a name and each of its evidence labels, the fused result, its lineages, what kind of
threat it is and whether it may be blocked.

Invariants:
* what is found for a label reads only claims, disputes, outcomes and versions at that label or
  below; lineages and echoes are grouped among those alone (PROTOCOL 3.5);
* an evidence label is one at which something changes: a claim, a dispute, or a newer version of a
  claim. Between two of them all readers go by the lower one;
* of several versions of one object the newest counts that the label shows; a revoked one counts
  as nothing and still stands before the older ones;
* a claim counts from its ``valid_from`` until its ``valid_until``;
* blocking rests on claims whose ``pap`` permits it, by themselves.

What it does not do: read the store (``Weighing`` is filled by ``fuse``), or publish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from federation.policy.blocking import WIDEST_PAP_TO_BLOCK, BlockDecision, decide_block
from federation.trust.authority import (
    Statement,
    authorities_needed,
    covers_address,
    covers_name,
)
from federation.trust.fusion import (
    BLOCKED_FROM,
    COUNTED_FROM,
    Fused,
    Report,
    fuse,
    half_life_of,
    weigh,
)
from federation.trust.lineage import Told, lineages_of
from hub.storage.dialects import from_micros
from hub.storage.queries.claims import LiveClaim
from hub.verdicts.beliefs import Beliefs
from hub.verdicts.evidence import Against
from hub.verdicts.findings import Finding, NameFindings, Weighed
from hub.verdicts.guards import GuardHit, Guards
from hub.verdicts.held_claims import had_received_by
from hub.verdicts.reach import BELOW, EXACT, common_reach
from schemas.dns.subjects import OF_ADDRESSES, read_subject_key

_SECOND: Final = 1_000_000
_FADES: Final = 8
"""In an eighth of its half-life a claim loses 8 of 100; then its verdict is looked at again."""
_HIJACKS: Final = frozenset(
    {"delegation-hijack", "dangling-delegation", "cache-poisoning", "rogue-resolver"}
)
_OWN_SIGHTING: Final = "own-sensor"


@dataclass(slots=True)
class Weighing:
    """What a batch of names is judged by.

    Args:
        now: the node's clock, in microseconds.
        own: this node's id.
        held: how far an origin is known to hold a feed, by feed row and origin.
        hashes: of entries, by feed row and seq; of those that lineage asks for.
        versions: the accepted versions of objects that have several.
    """

    now: int
    own: str
    beliefs: Beliefs
    held: Mapping[tuple[int, str], int] = field(default_factory=dict)
    hashes: Mapping[tuple[int, int], str] = field(default_factory=dict)
    versions: Mapping[tuple[str, str], Sequence[tuple[int, int | None, int]]] = field(
        default_factory=dict
    )
    _alone: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)
    _newest: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)
    _judged: dict[tuple[object, ...], NameFindings] = field(default_factory=dict)

    def judge(
        self,
        name: str,
        claims: Sequence[LiveClaim],
        disputes: Sequence[Against] = (),
        from_label: int = 0,
    ) -> NameFindings:
        """Find what a name's claims come to, for every evidence label from one on."""
        if disputes or not claims or not (claims[0].several or any(c.several for c in claims)):
            return self._judge(name, claims, disputes, from_label)
        # Of a set: thousands of names have the very same evidence, which is judged once.
        key = (from_label, self._evidence(name, claims))
        known = self._judged.get(key)
        if known is None:
            known = self._judged[key] = self._judge(name, claims, disputes, from_label)
            known.alike = len(self._judged)
        return known.on(name)

    def _evidence(self, name: str, claims: Sequence[LiveClaim]) -> tuple[object, ...]:
        """Return what two names have to have in common to be judged alike.

        The rest of a claim is its object's, or its origin's.
        """
        said = tuple(
            (c.object_row, c.origin, c.valid_from, c.valid_until, c.match_scope) for c in claims
        )
        if not self.beliefs.has_scopes:
            return said
        covered = tuple(self._covers(name, claim) for claim in claims)
        return (*said, covered, _authorities_needed(name) if any(covered) else 0)

    def _judge(
        self, name: str, claims: Sequence[LiveClaim], disputes: Sequence[Against], from_label: int
    ) -> NameFindings:
        now = self.now
        current: list[LiveClaim] = []
        begins: dict[int, int] = {}
        for claim in claims:
            if claim.valid_until is not None and claim.valid_until <= now:
                continue
            if claim.valid_from is not None and claim.valid_from > now:
                begins[claim.label] = min(
                    claim.valid_from, begins.get(claim.label, claim.valid_from)
                )
                continue
            current.append(claim)
        if not current:
            return NameFindings(name, (), {}, begins)
        if len(current) == 1 and not current[0].several and not disputes:
            labels = set() if current[0].revoked else {current[0].label}
        else:
            labels = self._evidence_labels(current, disputes)
        evidence = tuple(sorted(labels))
        found = {
            label: self._judge_at(name, label, current, disputes)
            for label in evidence
            if label >= from_label
        }
        for label, at in begins.items():
            for finding in found.values():
                if finding is not None and label <= finding.label:
                    finding.look_at = min(finding.look_at, at)
        return NameFindings(name, evidence, found, begins)

    def _evidence_labels(
        self, current: Sequence[LiveClaim], disputes: Sequence[Against]
    ) -> set[int]:
        labels = {claim.label for claim in current if not claim.revoked}
        if labels:
            least = min(labels)
            labels.update(dispute.label for dispute in disputes if dispute.label > least)
            for claim in current:
                if claim.several:
                    labels.update(at for at in self._replaced_at(claim) if at > least)
        return labels

    def _replaced_at(self, claim: LiveClaim) -> list[int]:
        """List the labels from which on a newer version stands before a claim."""
        if claim.version_at is None:
            return []
        key = claim.version_key
        newest = self._newest.get(key)
        if newest is None:  # once an object and not once a version: a peer may write thousands
            newest = self._newest[key] = {}
            for _, version_at, label in self.versions.get(key, ()):
                newest[label] = max(version_at or 0, newest.get(label, 0))
        return [label for label, version_at in newest.items() if version_at > claim.version_at]

    def _counts(self, claim: LiveClaim, label: int) -> bool:
        if claim.label > label or claim.revoked:
            return False
        return not claim.several or all(at > label for at in self._replaced_at(claim))

    def _judge_at(
        self, name: str, label: int, current: Sequence[LiveClaim], disputes: Sequence[Against]
    ) -> Finding | None:
        claims = [claim for claim in current if self._counts(claim, label)]
        if not claims:
            return None
        weighed = self._weigh(name, label, claims)
        against = [self._dispute(label, each) for each in disputes if each.label <= label]
        fused = fuse(self._reports(weighed), against)
        first = claims[0]
        threat_types: tuple[str, ...]
        known: tuple[int, ...]
        agreed = True
        if len(claims) == 1:  # as nearly every name has it
            threat_type, scope, ends = first.threat_type, first.match_scope, first.valid_until
            threat_types = () if threat_type is None else (threat_type,)
            half_life = half_life_of(threat_type)
            known = () if ends is None else (ends,)
        else:
            threat_type, threat_types = _threats(weighed)
            common = common_reach(claim.match_scope for claim in claims)
            scope, agreed = self._chosen(weighed, against) if common is None else (common, True)
            known = tuple(claim.valid_until for claim in claims if claim.valid_until is not None)
            ends = max(known) if len(known) == len(claims) else None
            half_life = min(half_life_of(claim.threat_type) for claim in claims)
        return Finding(
            name=name,
            label=label,
            fused=fused,
            weighed=weighed,
            threat_type=threat_type,
            threat_types=threat_types,
            match_scope=scope,
            ends=ends,
            look_at=min((self.now + int(half_life * _SECOND) // _FADES, *known)),
            pap=self._pap(fused, weighed, against),
            agreed=agreed,
        )

    def _weigh(self, name: str, label: int, claims: Sequence[LiveClaim]) -> tuple[Weighed, ...]:
        reliability = self.beliefs.reliability_at(label)
        lineages = self.lineages(claims)
        voices = self._voices(name, claims) if self.beliefs.has_scopes else ()
        weighed = []
        for claim, lineage in zip(claims, lineages, strict=True):
            reliable = reliability(claim.origin, "indicator")
            begun = claim.claimed_at
            if claim.valid_from is not None and claim.valid_from > begun:
                begun = claim.valid_from  # as ``fusion.age_seconds`` has it
            in_authority = bool(voices) and (claim.origin, _statement(claim)) in voices
            weight = weigh(
                claim.confidence,
                self.beliefs[claim.origin].cap,
                reliable,
                (self.now - begun) / _SECOND,
                half_life_of(claim.threat_type),
                in_authority,
            )
            weighed.append(Weighed(claim, lineage, weight, in_authority, reliable))
        return tuple(weighed)

    def lineages(self, claims: Sequence[LiveClaim]) -> Sequence[str]:
        """Name the lineage of each claim on one name; those given are all that count."""
        received = had_received_by(claims, self.held, self.beliefs)
        if len(claims) > 1:
            told = [self._told(claim) for claim in claims]
            return lineages_of(told, received, own=self.own)
        # What stands alone is nobody's echo: its lineage follows from its author and tags.
        claim = claims[0]
        key = (claim.origin, claim.src)
        known = self._alone.get(key)
        if known is None:
            found = lineages_of([self._told(claim)], received, own=self.own)
            known = self._alone[key] = found[0]
        return (known,)

    def _told(self, claim: LiveClaim) -> Told:
        return Told(
            claim.origin,
            self.hashes.get((claim.feed_row or 0, claim.seq or 0)),
            claim.src,
            claim.name,
            from_micros(claim.claimed_at),
            _OWN_SIGHTING in claim.src,
        )

    def _voices(self, name: str, claims: Sequence[LiveClaim]) -> set[tuple[str, Statement]]:
        """Find who speaks with authority about the name; of a TLD it takes two (PROTOCOL 4.1)."""
        found: dict[Statement, set[str]] = {}
        for claim in claims:
            if self._covers(name, claim):
                found.setdefault(_statement(claim), set()).add(claim.origin)
        if not found:
            return set()
        needed = _authorities_needed(name)
        return {
            (origin, said)
            for said, origins in found.items()
            for origin in origins
            if len(origins) >= needed
        }

    def _covers(self, name: str, claim: LiveClaim) -> bool:
        """Tell whether a claim's origin speaks with authority about the subject of this key."""
        scopes = self.beliefs[claim.origin].scopes
        if not scopes:
            return False
        subject = read_subject_key(name)
        covers = covers_address if subject.match_on in OF_ADDRESSES else covers_name
        return covers(scopes, subject.value, _statement(claim))

    def _dispute(self, label: int, dispute: Against) -> Report:
        belief = self.beliefs[dispute.origin]
        reliable = self.beliefs.reliability_at(label)(dispute.origin, "opinion")
        # An opinion stands until it is taken back: it does not age.
        weight = weigh(
            dispute.confidence, belief.cap, reliable, 0.0, 1.0, in_authority=dispute.in_authority
        )
        return Report(f"origin:{dispute.origin}", weight, belief.trusted)

    def _pap(
        self, fused: Fused, weighed: Sequence[Weighed], against: Sequence[Report]
    ) -> int | None:
        """Find the permissible actions that a block could rest on."""
        stated = [each.claim.pap for each in weighed]
        known = [pap for pap in stated if pap is not None]
        worst = max(known) if len(known) == len(stated) else None
        if worst is not None and worst <= WIDEST_PAP_TO_BLOCK:
            return worst
        permitted = _permitting(weighed)
        # A peer that permits nothing forbids nothing to others: do these suffice alone?
        if fused.result >= BLOCKED_FROM and self._suffice(permitted, against):
            return WIDEST_PAP_TO_BLOCK
        return worst

    def _chosen(self, weighed: Sequence[Weighed], against: Sequence[Report]) -> tuple[str, bool]:
        """Choose between the name and what is below it; tell if those who mean it suffice alone."""
        sides = {
            scope: [each for each in weighed if each.claim.match_scope != other]
            for scope, other in ((EXACT, BELOW), (BELOW, EXACT))
        }
        support = {s: fuse(self._reports(said), ()) for s, said in sides.items()}
        scope = max(sides, key=lambda each: support[each].support)
        return scope, self._suffice(_permitting(sides[scope]), against)

    def _reports(self, weighed: Sequence[Weighed]) -> list[Report]:
        imported = self.own, "feed:"  # nobody at `trusted` answers for what a feed says
        told = ((each, (each.claim.origin, each.lineage[:5])) for each in weighed)
        trusted = (self.beliefs[of[0]].trusted and of != imported for _, of in told)
        return [Report(e.lineage, e.weight, t) for e, t in zip(weighed, trusted, strict=True)]

    def _suffice(self, weighed: Sequence[Weighed], against: Sequence[Report]) -> bool:
        """Tell whether a part of the claims would ask for a block alone."""
        alone = fuse(self._reports(weighed), against)
        return decide_block(
            result=alone.result,
            lineages=alone.lineages,
            trusted_lineages=alone.trusted_lineages,
            pap=WIDEST_PAP_TO_BLOCK,
            hits=(),
            holds=(),
            exercise=False,
        ).block


def decide_blocking(finding: Finding, guards: Guards, holds: Sequence[str]) -> None:
    """Write into a finding whether its name may be blocked, and why not."""
    fused, hits = finding.fused, guards.hits(finding.name, finding.match_scope)
    known = fused.result, fused.lineages, fused.trusted_lineages, finding.pap, finding.agreed
    decide = _decide if hits or holds else _decide_once
    decision = decide(known, hits, tuple(holds))
    finding.block, finding.codes = decision.block, decision.codes


def _decide(
    known: tuple[float, int, int, int | None, bool], hits: Sequence[GuardHit], holds: Sequence[str]
) -> BlockDecision:
    result, lineages, trusted, pap, agreed = known
    return decide_block(
        result=result,
        lineages=lineages,
        trusted_lineages=trusted,
        pap=pap,
        hits=hits,
        holds=holds,
        exercise=False,  # what belongs to an exercise never became a claim
        agreed=agreed,
    )


# Of a set nearly all names ask the very same.
_decide_once: Final = lru_cache(maxsize=256)(_decide)


def _permitting(weighed: Sequence[Weighed]) -> list[Weighed]:
    return [e for e in weighed if e.claim.pap is not None and e.claim.pap <= WIDEST_PAP_TO_BLOCK]


def _authorities_needed(name: str) -> int:
    subject = read_subject_key(name)
    return 1 if subject.match_on in OF_ADDRESSES else authorities_needed(subject.value)


def _statement(claim: LiveClaim) -> Statement:
    return "hijack" if claim.threat_type in _HIJACKS else "takedown"


def _threats(weighed: Sequence[Weighed]) -> tuple[str | None, tuple[str, ...]]:
    """Find the threat type that weighs most, and all that count."""
    by_type: dict[str, float] = {}
    for each in weighed:
        threat = each.claim.threat_type
        if threat is not None:
            by_type[threat] = by_type.get(threat, 0.0) + each.weight
    if len(by_type) <= 1:
        return next(iter(by_type), None), tuple(by_type)
    counted = {threat for threat, weight in by_type.items() if weight >= COUNTED_FROM} or set(
        by_type
    )
    first = min(counted, key=lambda threat: (-by_type[threat], threat))
    return first, tuple(sorted(counted))
