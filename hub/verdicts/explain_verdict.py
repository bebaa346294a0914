"""Explain a name's verdicts: which claims, lineages, caps, guards and rules led to them.

Invariants:
* everything is judged anew by the rules that judge for real; nothing is decided here;
* what is told for a view is told from what that view shows and from nothing else: with and
  without stricter claims the answer is the same to the last byte (PROTOCOL 3.5);
* an origin whose policy forbids to name it is not named to a reader (PROTOCOL 3.6).

What it does not do: say what waits in quarantine, or in another view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from federation.policy.decision import POLICY_VERSION
from federation.policy.explain import sentences
from federation.policy.sharing import decide_reader
from federation.trust.fusion import PUBLISHED_FROM, RULES
from hub.errors import NotFound
from hub.exchange.collection_kinds import VERDICTS_ID
from hub.exchange.explain import Explanation
from hub.node import Node
from hub.operators.readers import Reader, view_key
from hub.peers.directory import resolve_peer
from hub.storage.queries import claim_sources
from hub.storage.queries import claims as stored_claims
from hub.storage.queries.claims import LiveClaim
from hub.storage.queries.collections import granted_collections
from hub.storage.queries.tokens import find_token
from hub.storage.queries.verdicts import (
    VerdictRow,
    find_verdict_of_object,
    verdict_for,
)
from hub.storage.transaction import Transaction
from hub.verdicts.adopted_claims import with_adopted
from hub.verdicts.evidence import disputes_on, holds_on
from hub.verdicts.findings import Finding, Weighed
from hub.verdicts.fuse import gather
from hub.verdicts.guard_words import block_sentence, guard_sentence, subject_words
from hub.verdicts.guards import Guards, load_guards
from hub.verdicts.name_verdict import Weighing, decide_blocking
from hub.verdicts.settling import points
from hub.verdicts.verdict_object import verdict_id
from schemas.dns.names import read_name
from schemas.dns.subjects import (
    NSDNAME,
    OF_NAMES,
    QNAME,
    Subject,
    read_subject,
    read_subject_key,
)
from schemas.identifiers import is_stix_id
from schemas.markings import Tlp
from schemas.timestamps import write_wire_time

NO_VERDICT: Final = "NO_VERDICT"
_DAY: Final = 86_400_000_000
_HIDDEN: Final = "an origin that is not to be named"
_MUST_NOT: Final = "must-not"


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """One claim as it counts in a view."""

    id: str
    origin: str
    origin_name: str
    tlp: str
    confidence: int
    cap: int
    reliability: float
    age_days: float
    weight: float
    lineage: str
    threat_type: str | None
    in_authority: bool


@dataclass(frozen=True, slots=True)
class NameView:
    """What readers at a label go by on a name.

    Args:
        confidence: of the published verdict, or what the claims come to now, 0 to 100.
        lineages: independent groups of claims that count.
        blocked: whether the rules ask for a block; whether one is in force, exports say.
        why: in sentences.
        codes: of the blocking rule.
        verdict: the id of the published indicator; None where there is none.
    """

    confidence: int
    lineages: int
    evidence: tuple[EvidenceLine, ...]
    blocked: bool
    why: tuple[str, ...]
    codes: tuple[str, ...] = ()
    verdict: str | None = None
    valid_until: str | None = None
    evidence_label: str | None = None


@dataclass(frozen=True, slots=True)
class NameExplanation:
    """A name in the view of every label, with the versions of the rules.

    Args:
        name: or an address with its prefix length.
        match_on: what of it is meant: a name in a query, a name server, or an address.
    """

    name: str
    views: Mapping[str, NameView] = field(default_factory=dict)
    rules: str = RULES
    policy: str = POLICY_VERSION
    match_on: str = QNAME


def explain_name(node: Node, name: str, match_on: str = QNAME) -> NameExplanation:
    """Explain a name, or an address, at every label, for the operator.

    Args:
        match_on: what of it is meant.

    Raises:
        WireFormatError: ``E_NAME_*`` when it is no name; ``E_PREFIX``, ``E_SCHEMA``.
    """
    subject = _subject(name, match_on)
    with node.database.read() as tx:
        judged = _Judged(tx, node, subject.key, node.now())
        views = {tlp.wire: judged.view(tlp) for tlp in Tlp}
    return NameExplanation(subject.value, views, match_on=subject.match_on)


def explain_subjects(node: Node, name: str) -> tuple[NameExplanation, ...]:
    """Explain a name in queries, and as a name server where it is claimed to be one.

    Raises:
        WireFormatError: ``E_NAME_*`` when it is no name.
    """
    found = (explain_name(node, name),)
    server = Subject(found[0].name, NSDNAME)
    with node.database.read() as tx:
        claimed = stored_claims.live_claims(tx, [server.key])
    return (*found, explain_name(node, server.value, NSDNAME)) if claimed else found


def _subject(text: str, match_on: str) -> Subject:
    if match_on in OF_NAMES:
        return Subject(read_name(text, refang=True).a_label, match_on)
    return read_subject(text.replace("[.]", "."), match_on)


def is_about_verdict(node: Node, text: str) -> bool:
    """Tell whether a text names a verdict: by a domain name, or by its indicator's id."""
    if not is_stix_id(text):
        return "--" not in text and "." in text
    with node.database.read() as tx:
        return find_verdict_of_object(tx, text) is not None


def explain_to(node: Node, what: str, who: str) -> Explanation:
    """Explain whether a peer or a token reads a verdict, and what the verdict rests on there.

    Args:
        what: a name, or the id of a verdict.
        who: a peer, or the name of a token.

    Raises:
        NotFound: ``E_NOT_FOUND`` for an id that this reader is not shown, ``E_WHO_UNKNOWN``.
        WireFormatError: ``E_NAME_*``.
    """
    with node.database.read() as tx:
        token = find_token(tx, who)
        if token is None:
            return _to_peer(node, what, who)
        reader = Reader.of(token)
        ceiling = _ceiling_of(tx, reader)
        name = _name_of(tx, what, ceiling)
        judged = _Judged(tx, node, name, node.now(), names_origins=False)
        decision = decide_reader(
            ceiling, reader=reader.standing, machine=True, touches=False, collection="verdicts"
        )
        view = judged.view(ceiling)
        shown = verdict_for(tx, name, ceiling)
    if shown is None or not shown.is_live:
        nothing = f"Nothing is published on {name} in the view that {who} reads."
        return Explanation("refused", NO_VERDICT, (nothing, *view.why), "PROTOCOL 4.4", _versions())
    said = (*sentences(decision), *view.why)
    return Explanation("allowed", decision.code, said, decision.rule, _versions())


def _versions() -> str:
    return f"{POLICY_VERSION}; fusion {RULES}"


def _to_peer(node: Node, what: str, who: str) -> Explanation:
    try:
        peer = resolve_peer(node, who)
    except NotFound:
        raise NotFound(
            "E_WHO_UNKNOWN",
            f"{who} is neither a token nor a peer here",
            "`tocsin token list` and `tocsin peer list` name them.",
        ) from None
    del what
    return Explanation(
        "refused",
        "REFUSED_NOT_PUBLISHED",
        (
            f"A verdict never enters a feed, so no peer gets it; {peer.name} neither.",
            "It would be the claims of others under our name.",
        ),
        "PROTOCOL 4.4",
        _versions(),
    )


def _ceiling_of(tx: Transaction, reader: Reader) -> Tlp:
    for granted in granted_collections(tx, reader.name):
        if granted.collection.collection_id == VERDICTS_ID:
            key = view_key(reader, granted)
            if key is not None:
                return Tlp(key[1])
    raise NotFound("E_NOT_FOUND", "this token reads no verdicts", "See `tocsin token list`.")


def _name_of(tx: Transaction, what: str, ceiling: Tlp) -> str:
    if not is_stix_id(what):
        return read_name(what, refang=True).a_label
    row = find_verdict_of_object(tx, what)
    if row is None or not row.label <= ceiling <= row.shown_to:
        # The very words of an id that nobody has: that it exists is not this reader's to know.
        raise NotFound(
            "E_NOT_FOUND", f"no object {what} is held here", "`tocsin objects list` lists all."
        )
    return row.name


class _Judged:
    """A name, judged now for any view."""

    def __init__(
        self,
        tx: Transaction,
        node: Node,
        name: str,
        now: datetime,
        *,
        names_origins: bool = True,
    ) -> None:
        self._tx, self._node, self._now = tx, node, now
        self._name = name
        self._said = subject_words(read_subject_key(name))
        self._names_origins = names_origins
        claims = with_adopted(tx, node.node_id, stored_claims.live_claims(tx, [name]), now)
        disputes = disputes_on(tx, [name])
        self._disputes = disputes.get(name, ())
        self._weighing: Weighing = gather(tx, node, claims, disputes, now)
        self._guards: Guards = load_guards(tx, node)
        self._claims: Sequence[LiveClaim] = claims.get(name, ())
        self._found = self._weighing.judge(name, self._claims, self._disputes)

    def view(self, ceiling: Tlp) -> NameView:
        """Tell what readers at a ceiling go by, and why."""
        labels = [label for label in self._found.evidence if label <= ceiling]
        finding = self._found.findings.get(max(labels)) if labels else None
        if finding is None:
            label = f"TLP:{ceiling.wire.upper()}"
            nothing = f"No claim that counts on {self._said} is visible at {label}."
            return NameView(0, 0, (), False, (nothing,))
        decide_blocking(finding, self._guards, self._holds(finding))
        stored = verdict_for(self._tx, self._name, int(ceiling))
        lines = tuple(self._line(each) for each in finding.weighed)
        published = stored if stored is not None and stored.is_live else None
        return NameView(
            confidence=points(finding.fused.result),
            lineages=finding.fused.lineages,
            evidence=tuple(sorted(lines, key=lambda line: (-line.weight, line.origin, line.id))),
            blocked=finding.block,
            why=(*self._reasons(finding, lines, published),),
            codes=finding.codes,
            verdict=None if published is None else self._id_of(published),
            valid_until=None
            if published is None or published.valid_until is None
            else write_wire_time(published.valid_until),
            evidence_label=Tlp(finding.label).wire,
        )

    def _holds(self, finding: Finding) -> tuple[str, ...]:
        return holds_on(self._tx, [self._name], finding.label, self._now).get(self._name, ())

    def _id_of(self, row: VerdictRow) -> str:
        return verdict_id(self._node.node_id, row.name, row.label, row.generation)

    def _line(self, each: Weighed) -> EvidenceLine:
        claim = each.claim
        belief = self._weighing.beliefs[claim.origin]
        hidden = not self._names_origins and self._must_not_name(claim)
        return EvidenceLine(
            id=claim.stix_id,
            origin="" if hidden else claim.origin,
            origin_name=_HIDDEN if hidden else belief.name,
            tlp=Tlp(claim.label).wire,
            confidence=claim.confidence,
            cap=belief.cap,
            reliability=round(each.reliability, 3),
            age_days=round((self._weighing.now - claim.claimed_at) / _DAY, 1),
            weight=round(each.weight, 3),
            lineage=_HIDDEN if hidden else each.lineage,
            threat_type=claim.threat_type,
            in_authority=each.in_authority,
        )

    def _must_not_name(self, claim: LiveClaim) -> bool:
        if claim.feed_row is None or claim.seq is None:
            return False
        place = (claim.feed_row, claim.seq)
        return claim_sources.attribution_of(self._tx, *place) == _MUST_NOT

    def _reasons(
        self, finding: Finding, lines: Sequence[EvidenceLine], published: VerdictRow | None
    ) -> list[str]:
        fused = finding.fused
        claims, lineages = _count(len(lines), "claim"), _count(fused.lineages, "lineage")
        trusted, support = fused.trusted_lineages, points(fused.support)
        said = [f"{claims} in {lineages}, {trusted} of them trusted: support {support} of 100."]
        said += [self._claim_sentence(line) for line in lines]
        by_lineage: dict[str, int] = {}
        for line in lines:
            by_lineage[line.lineage] = by_lineage.get(line.lineage, 0) + 1
        together = sum(count for count in by_lineage.values() if count > 1)
        if together:
            said.append(
                f"{together} of the claims share a lineage and count as one: by one origin, from "
                "one source, or repeated within a week of receiving another's."
            )
        if fused.dispute:
            said.append(
                f"Disputes weigh {points(fused.dispute)} of 100; {points(fused.result)} are left."
            )
            said += self._dispute_sentences(finding.label)
        least = points(PUBLISHED_FROM)
        if published is not None and published.valid_until is not None:
            until = write_wire_time(published.valid_until)
            said.append(
                f"Published with confidence {published.confidence}, valid until {until}; "
                "renewed while it is supported."
            )
        elif fused.result < PUBLISHED_FROM:
            said.append(f"Below {least}, so it is not published.")
        else:
            said.append("It is published with the next round of verdicts.")
        said += [
            guard_sentence(hit, self._said)
            for hit in self._guards.hits(self._name, finding.match_scope)
        ]
        said += [block_sentence(code) for code in finding.codes]
        return said

    def _dispute_sentences(self, label: int) -> list[str]:
        """Say who disagrees, as far as a label shows it; to readers only how many."""
        told = [each for each in self._disputes if each.label <= label and each.confidence]
        if not self._names_origins:
            return [f"{_count(len(told), 'opinion')} on it disagree."]
        beliefs = self._weighing.beliefs
        return [
            f"{beliefs[each.origin].name} disagrees with confidence {each.confidence}"
            f"{', inside its authority' if each.in_authority else ''}."
            for each in told
        ]

    def _claim_sentence(self, line: EvidenceLine) -> str:
        threat = line.threat_type or "malicious"
        capped = line.confidence > line.cap and not line.in_authority
        cap = f", of which its word lends {line.cap}" if capped else ""
        scope = ", inside its authority" if line.in_authority else ""
        return (
            f"{line.origin_name} says {threat} with confidence {line.confidence}{cap}{scope}; "
            f"{line.age_days:g} days old, reliability {line.reliability:.2f}: "
            f"it weighs {line.weight:.2f}."
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
