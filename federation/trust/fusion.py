"""What many claims on one name add up to: weights, and their fusion (PROTOCOL 4.4).

Decides one figure from 0 to 0.99 for a name, out of who says so and who disagrees.

Invariants (each a property test):
* bounded: never above 0.99, whatever comes together; never below 0;
* order-independent: the same reports in another order give the same bits;
* echo-invariant: a lineage counts once, with its heaviest report; a copy of it changes nothing;
* monotone: one more report, or a heavier one, never lowers the result;
* sybil-bounded: however many lineages weigh ``x`` each, the result has a limit that depends on
  ``x`` alone, since the k-th heaviest counts 0.7^k of its weight: 0.29 for 0.1, 0.41 for 0.15;
* antitone in disputes, which are added up by the very same rule (THREATS 40).

What it does not do: read a claim, a peer or a clock; choose the claims. Who calls it gives only
what is visible at the label that is asked for (PROTOCOL 3.5): nothing here can tell them apart.
Whether a name may be blocked is ``federation.policy.blocking``'s; a figure alone never blocks.

>>> found = fuse([Report("a", 0.7, True), Report("b", 0.6, True)], [])
>>> round(found.result, 2), found.lineages, found.trusted_lineages
(0.83, 2, 2)
>>> round(fuse([Report(f"sybil {n}", 0.1, False) for n in range(50)], []).result, 2)
0.29
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

RULES: Final = "1"
"""Raised when a figure or rule of this room changes, so that a verdict says what it followed."""

DISCOUNT: Final = 0.7
MOST_CERTAIN: Final = 0.99
PUBLISHED_FROM: Final = 0.3
BLOCKED_FROM: Final = 0.75
COUNTED_FROM: Final = 0.05
"""A lineage weighs, but is not counted, below this: what has faded corroborates nobody."""

_DAY: Final = 86_400.0
DEFAULT_HALF_LIFE_SECONDS: Final = 14 * _DAY
HALF_LIFE_SECONDS: Final[Mapping[str, float]] = MappingProxyType(
    {
        # Names that are used up: an algorithm's name for a day, a poisoned cache until its TTL.
        "dga": 3 * _DAY,
        "cache-poisoning": 3 * _DAY,
        # Taken down or abandoned within days, and then often a victim's own name again.
        "phishing": 7 * _DAY,
        "fast-flux": 7 * _DAY,
        # Compromised sites are cleaned in weeks; names for amplification change with campaigns.
        "malware-distribution": 14 * _DAY,
        "amplification": 14 * _DAY,
        # Built into samples that stay in the field for weeks to months.
        "malware-c2": 30 * _DAY,
        "tunnelling": 30 * _DAY,
        # The rogue name-server outlives the hijack; the dangling name waits for whoever takes it.
        "delegation-hijack": 30 * _DAY,
        "dangling-delegation": 30 * _DAY,
        # Years in service (DNSChanger), registered by the year, or held by a defender for years.
        "rogue-resolver": 90 * _DAY,
        "lookalike": 90 * _DAY,
        "sinkhole": 180 * _DAY,
    }
)
"""How long until a claim weighs half, by threat type; ``docs/verdicts.md`` has the reasons."""


@dataclass(frozen=True, slots=True)
class Report:
    """One claim, or one dispute, as it weighs.

    Args:
        lineage: whose word it is in the end (``federation.trust.lineage``).
        weight: 0 to 1, of ``weigh``.
        trusted: whether its origin is at ``trusted`` or above.
    """

    lineage: str
    weight: float
    trusted: bool


@dataclass(frozen=True, slots=True)
class Fused:
    """What the reports on one name add up to.

    Attributes:
        result: ``min(support, 0.99) * (1 - dispute)``.
        support: what speaks for it, 0 to 1.
        dispute: what speaks against it, 0 to 1.
        lineages: supporting lineages that count (``COUNTED_FROM``).
        trusted_lineages: those among them with a report of a trusted origin that counts itself.
    """

    result: float
    support: float
    dispute: float
    lineages: int
    trusted_lineages: int


def half_life_of(threat_type: str | None) -> float:
    """Return the half-life of a threat type, in seconds; unknown ones have the default."""
    if threat_type is None:
        return DEFAULT_HALF_LIFE_SECONDS
    return HALF_LIFE_SECONDS.get(threat_type, DEFAULT_HALF_LIFE_SECONDS)


def age_seconds(claimed_at: datetime, valid_from: datetime | None, now: datetime) -> float:
    """Return the age at which a claim is weighed.

    A list of generated names is published months before their days: it ages from the day that
    each name is for. That lends nothing, since nobody weighs a claim before its ``valid_from``.

    Args:
        claimed_at: when its newest version was written.
        valid_from: the beginning that the claim itself names.
        now: our clock.
    """
    begun = claimed_at if valid_from is None else max(claimed_at, valid_from)
    return max(0.0, (now - begun).total_seconds())


def weigh(
    confidence: int,
    cap: int,
    reliability: float,
    age_seconds: float,
    half_life_seconds: float,
    in_authority: bool = False,
) -> float:
    """Weigh one claim: capped confidence, times reliability, faded by age (PROTOCOL 4.4).

    Args:
        confidence: what the claim itself says, 0 to 100; what lies outside is taken as the end.
        cap: the most that its origin's word lends here, 0 to 100.
        reliability: of the origin for this type of object, 0 to 1.
        age_seconds: since it was claimed; below 0 (a clock ahead) counts as new.
        half_life_seconds: of its threat type.
        in_authority: whether the origin speaks inside its scope: then the cap is lifted, and
            nothing else. The claim still fades and is worth its origin's reliability.
    """
    said = confidence if in_authority or confidence < cap else cap
    if said <= 0 or reliability <= 0:
        return 0.0
    fresh = 1.0 if age_seconds <= 0 else 2.0 ** (-age_seconds / half_life_seconds)
    return min(said, 100) / 100 * min(reliability, 1.0) * fresh


def fuse(support: Iterable[Report], disputes: Iterable[Report]) -> Fused:
    """Fuse the reports on one name (PROTOCOL 4.4).

    Args:
        support: claims visible at one label, in any order.
        disputes: disagreeing opinions visible at that label, in any order.
    """
    heaviest: dict[str, float] = {}
    trusted: set[str] = set()
    for report in support:
        lineage, weight = report.lineage, report.weight
        if weight > heaviest.get(lineage, 0.0):
            heaviest[lineage] = weight
        if report.trusted and weight >= COUNTED_FROM:
            trusted.add(lineage)
    weights = sorted(heaviest.values(), reverse=True)
    supported, disputed = _combined(weights), _disputed(disputes)
    counted = 0
    for weight in weights:
        if weight < COUNTED_FROM:
            break
        counted += 1
    result = min(supported, MOST_CERTAIN) * (1.0 - disputed)
    return Fused(result, supported, disputed, counted, len(trusted))


def _disputed(disputes: Iterable[Report]) -> float:
    heaviest: dict[str, float] = {}
    for report in disputes:
        if report.weight > heaviest.get(report.lineage, 0.0):
            heaviest[report.lineage] = report.weight
    return _combined(sorted(heaviest.values(), reverse=True))


def _combined(weights: Sequence[float]) -> float:
    """Return ``1 - product of (1 - x_k * 0.7^k)``, given the heaviest lineage first."""
    doubt, discount = 1.0, 1.0
    for weight in weights:
        doubt *= 1.0 - weight * discount
        discount *= DISCOUNT
    return 1.0 - doubt
