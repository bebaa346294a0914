"""What speaks against claims and of origins, as verdicts ask for it.

Decides which opinions count as disputes of a name, what holds a name from being blocked, and how
reliable an origin is, each for what is visible at a label and for nothing else (PROTOCOL 3.5).

Invariants:
* of one origin's opinions on a name the newest that a label shows counts, so that it can take its
  dissent back; an agreeing one supports nothing, for support takes a claim;
* whoever is capped is capped here too: disputes weigh by cap and reliability like claims, and
  what waits in quarantine weighs nothing, so that strangers clear no malware (THREATS 40);
* three disputers at ``member`` or above contest a name: kept, and not blocked by itself;
* an authority's dissent inside its scope holds for 72 hours from its first word, also out of
  quarantine, and a repetition within 30 days holds no longer; of a TLD or public suffix it takes
  two; it holds nothing while a hijack of the zone is claimed;
* what a person decided stands before both: to block, until somebody speaks up anew.

What it does not do: read opinions (``disputes``), or write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from federation.trust.authority import (
    Scope,
    authorities_needed,
    covers_name,
    read_scopes,
)
from federation.trust.presets import TrustLevel
from federation.trust.reputation import PRIORS, Outcome, OutcomeKind, reliability
from hub.incidents.claim_holds import HIJACK_AUTHORISED, held_servers, is_hijack_live
from hub.peers.standing import is_reading, standing_of
from hub.storage.dialects import to_micros
from hub.storage.queries.claims import LiveClaim, live_claims, versions_of
from hub.storage.queries.disputes import (
    DecisionRow,
    LiveDispute,
    decisions_on,
    disputes_about,
    is_anything_disputed,
)
from hub.storage.queries.feeds import feed_of_row
from hub.storage.queries.outcomes import outcomes_of
from hub.storage.queries.peers import PeerRow, peers_among
from hub.storage.transaction import Transaction

CONTESTED: Final = "CONTESTED"
AUTHORITY_BENIGN: Final = "AUTHORITY_BENIGN"
DECIDED_NOT_TO_BLOCK: Final = "DECIDED_NOT_TO_BLOCK"
HOLDS: Final = frozenset({CONTESTED, AUTHORITY_BENIGN, DECIDED_NOT_TO_BLOCK, HIJACK_AUTHORISED})

RELEASE: Final = "release"
BLOCK: Final = "block"
DISPUTERS: Final = 3
HELD_FOR: Final = timedelta(hours=72)
ONCE_IN: Final = timedelta(days=30)
"""Within it an authority's repeated word holds no name anew."""
NOBODY: Final = ""
"""Whose word a decision is, where origins are asked for."""
_ACCEPTED: Final = "accepted"
_HIJACK: Final = "delegation-hijack"
_FEED_TAG: Final = "feed:"
"""Begins the lineage of what an import brought: not this node's own word."""


@dataclass(frozen=True, slots=True)
class Against:
    """A disagreeing opinion on a name: whose, from which label on, how strong, since when.

    Args:
        in_authority: it speaks within its authority, and is not capped there.
    """

    origin: str
    label: int
    confidence: int
    at: datetime
    in_authority: bool = False


def disputes_on(tx: Transaction, names: Sequence[str]) -> Mapping[str, Sequence[Against]]:
    """Find the disputes on names."""
    if not is_anything_disputed(tx):
        return {}
    about = disputes_about(tx, names)
    decisions = decisions_on(tx, names)
    speakers = Speakers(tx, about.values())
    found: dict[str, list[Against]] = {
        # It speaks against nothing; but from its label on the view is another.
        name: [Against(NOBODY, decision.label, 0, decision.decided_at)]
        for name, decision in decisions.items()
    }
    for name, spoken in about.items():
        said = _last_words(spoken)
        against = [
            _against(speakers, each, said)
            for each in said
            if each.state == _ACCEPTED
            and _disagrees(each, said)
            and not _is_settled(each, decisions.get(name))
        ]
        if against:
            found.setdefault(name, []).extend(against)
    return found


def holds_on(
    tx: Transaction, names: Sequence[str], label: int, now: datetime
) -> Mapping[str, tuple[str, ...]]:
    """Find what keeps names from being blocked until a person decides, as a label shows it."""
    found: dict[str, tuple[str, ...]] = {}
    decisions = {n: d for n, d in decisions_on(tx, names).items() if d.label <= label}
    about = disputes_about(tx, names) if is_anything_disputed(tx) else {}
    speakers = Speakers(tx, about.values())
    authorised = held_servers(tx, names, label, now)
    for name in names:
        decision = decisions.get(name)
        if decision is not None and decision.decision == RELEASE:
            found[name] = (DECIDED_NOT_TO_BLOCK,)
            continue
        said = [
            each
            for each in about.get(name, ())
            if each.label <= label and not _is_settled(each, decision)
        ]
        codes = _held_by(tx, speakers, name, said, label, now) if said else ()
        if name in authorised and decision is None:
            codes = (*codes, HIJACK_AUTHORISED)
        if codes:
            found[name] = codes
    return found


def reliability_of(
    tx: Transaction, trusts: Mapping[str, TrustLevel], label: int, now: datetime
) -> Callable[[str, str], float]:
    """Tell how reliable origins are, by the type of their objects, as far as a label shows it."""
    turned_out: dict[tuple[str, str], list[Outcome]] = {}
    for row in outcomes_of(tx, trusts.keys(), label):
        kind: OutcomeKind = "confirmed" if row.kind == "confirmed" else "false-positive"
        turned_out.setdefault((row.origin, row.stix_type), []).append(Outcome(kind, row.found_at))

    def reliable(origin: str, stix_type: str) -> float:
        prior = PRIORS[trusts[origin]]
        outcomes = turned_out.get((origin, stix_type))
        return prior.mean if outcomes is None else reliability(prior, outcomes, now)

    return reliable


def _against(speakers: Speakers, each: LiveDispute, said: Sequence[LiveDispute]) -> Against:
    seen = [other for other in said if other.label <= each.label]
    enough = _speak_with_authority(speakers, each.name, seen)
    lifted = enough and speakers.covers(each.origin, each.name)
    return Against(each.origin, each.label, each.confidence, each.said_at, lifted)


class Speakers:
    """Who spoke of names, and with which standing.

    Args:
        said: their opinions, by name in whatever order.
    """

    def __init__(self, tx: Transaction, said: Iterable[Iterable[LiveDispute]]) -> None:
        spoken = [each for opinions in said for each in opinions]
        peers = peers_among(tx, {each.origin for each in spoken}) if spoken else {}
        self._own = {each.origin for each in spoken if each.own}
        self._trust = {origin: _trust(peer) for origin, peer in peers.items()}
        self._scopes: dict[str, tuple[Scope, ...]] = {
            origin: read_scopes(peer.authority)
            for origin, peer in peers.items()
            if self._trust[origin] >= TrustLevel.MEMBER
        }

    def is_member(self, origin: str) -> bool:
        """Tell whether an origin counts among those who can contest a name."""
        known = self._trust.get(origin, TrustLevel.BLOCKED)
        return origin in self._own or known >= TrustLevel.MEMBER

    def covers(self, origin: str, name: str) -> bool:
        """Tell whether an origin may say of a name that it is harmless."""
        return covers_name(self._scopes.get(origin, ()), name, "benign")

    def zones(self, origin: str, name: str) -> tuple[str, ...]:
        """List the zones from a name up to the widest in which an origin may speak of it."""
        held = [
            scope.value
            for scope in self._scopes.get(origin, ())
            if covers_name([scope], name, "benign")
        ]
        above = name.split(".")
        chain = [".".join(above[begin:]) for begin in range(len(above))]
        return tuple(zone for zone in chain if any(_is_within(zone, top) for top in held))


def _trust(peer: PeerRow) -> TrustLevel:
    return standing_of(peer).effective_trust if is_reading(peer) else TrustLevel.BLOCKED


def _last_words(said: Iterable[LiveDispute]) -> list[LiveDispute]:
    """Keep of each origin, state and label the newest word, which alone can disagree.

    A stranger may say so some hundred times a day, and all of it would be compared with all.
    """
    newest: dict[tuple[str, str, int], LiveDispute] = {}
    for each in said:
        key = (each.origin, each.state, each.label)
        held = newest.get(key)
        if held is None or (each.said_at, each.object_row) > (held.said_at, held.object_row):
            newest[key] = each
    return list(newest.values())


def _disagrees(each: LiveDispute, said: Sequence[LiveDispute]) -> bool:
    """Tell whether an opinion speaks against its name and is its origin's newest at its label."""
    if each.revoked or each.confidence <= 0:
        return False
    stands = (each.said_at, each.object_row)
    return not any(
        other.origin == each.origin
        and other.label <= each.label
        and other.state == each.state
        and (other.said_at, other.object_row) > stands
        for other in said
    )


def _is_settled(each: LiveDispute, decision: DecisionRow | None) -> bool:
    """Tell whether a person has decided against it, as its own label shows."""
    return (
        decision is not None
        and decision.decision == BLOCK
        and decision.label <= each.label
        and each.received_at <= decision.decided_at
    )


def _speak_with_authority(speakers: Speakers, name: str, said: Sequence[LiveDispute]) -> bool:
    """Tell whether enough authorities disagree: one, and of a TLD or public suffix two."""
    voices = {o.origin for o in said if _disagrees(o, said) and speakers.covers(o.origin, name)}
    return len(voices) >= authorities_needed(name)


def _held_by(
    tx: Transaction,
    speakers: Speakers,
    name: str,
    said: Sequence[LiveDispute],
    label: int,
    now: datetime,
) -> tuple[str, ...]:
    last = _last_words(said)
    disagreeing = [each for each in last if _disagrees(each, last)]
    voices = {
        o.origin for o in disagreeing if o.state == _ACCEPTED and speakers.is_member(o.origin)
    }
    codes = [CONTESTED] if len(voices) >= DISPUTERS else []
    holding = [
        origin
        for origin in sorted({o.origin for o in disagreeing if speakers.covers(o.origin, name)})
        if now - _first_word(origin, said, now) < HELD_FOR
        and not _is_hijack_open(tx, speakers.zones(origin, name), label, now)
    ]
    if len(holding) >= authorities_needed(name):
        codes.append(AUTHORITY_BENIGN)
    return tuple(codes)


def _first_word(origin: str, said: Sequence[LiveDispute], now: datetime) -> datetime:
    """Return when an authority first spoke against a name lately: arrivals, not what it dates."""
    words = [each.received_at for each in said if each.origin == origin]
    lately = [at for at in words if now - at < ONCE_IN]
    return min(lately or words)


def _is_hijack_open(tx: Transaction, zones: Sequence[str], label: int, now: datetime) -> bool:
    """Tell whether somebody who counts says that one of the zones is hijacked.

    Whoever took a registry's account would else clear its own names with the registry's word.
    By an incident on the very zone, or by an indicator on it as release 0.1 had it.
    """
    if is_hijack_live(tx, zones, label, now):
        return True
    at = to_micros(now)
    claims = [
        claim
        for found in live_claims(tx, zones).values()
        for claim in found
        if claim.threat_type == _HIJACK
        and claim.label <= label
        and not claim.revoked
        and (claim.valid_from is None or claim.valid_from <= at)
        and (claim.valid_until is None or claim.valid_until > at)
    ]
    claims = _newest_of(tx, claims, label)
    if not claims:
        return False
    peers = peers_among(tx, {claim.origin for claim in claims})
    # An origin that is no peer is this node, or one that counts as ``known``.
    return any(
        _trust(peers[claim.origin]) >= TrustLevel.MEMBER
        if claim.origin in peers
        else not _is_imported(claim) and (claim.feed_row is None or _is_own(tx, claim.feed_row))
        for claim in claims
    )


def _newest_of(tx: Transaction, claims: Sequence[LiveClaim], label: int) -> list[LiveClaim]:
    """Leave out what its origin has taken back or changed since, as the label shows it."""
    several = {claim.stix_id for claim in claims if claim.several}
    versions = versions_of(tx, several, accepted=True) if several else {}
    newest = {
        key: max(version_at or 0 for _, version_at, at_label in found if at_label <= label)
        for key, found in versions.items()
        if any(at_label <= label for *_, at_label in found)
    }
    return [
        claim
        for claim in claims
        if newest.get((claim.origin, claim.stix_id), 0) <= (claim.version_at or 0)
    ]


def _is_imported(claim: LiveClaim) -> bool:
    return any(tag.startswith(_FEED_TAG) for tag in claim.src)


def _is_own(tx: Transaction, feed_row: int) -> bool:
    feed = feed_of_row(tx, feed_row)
    return feed is not None and feed.own


def _is_within(zone: str, top: str) -> bool:
    return zone == top or zone.endswith("." + top)
