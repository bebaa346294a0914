"""How far the word of a peer has held, and when it is turned down (PROTOCOL 4.3).

Decides a peer's reliability for one type of object, and the causes of demotion.

Invariants:
* reliability is the mean of a Beta distribution: a prior by preset, and what turned out since;
* what turned out fades, with a halving time of 180 days; the prior never does, so that silence
  leads back to it and never below or above;
* a false positive weighs three times a confirmation: a wrong block costs more than a missed one;
* the order of outcomes does not matter;
* causes are looked for in one order, the gravest first, and only ever lead down.

What it does not do: read a clock; count (the caller counts, only what is visible at the label that
it asks for); turn dials (``federation.trust.demotion`` knows the step); promote anybody.

>>> prior = PRIORS[TrustLevel.TRUSTED]
>>> round(reliability(prior, [], datetime(2026, 3, 1)), 3)
0.889
>>> wrong = Outcome("false-positive", datetime(2026, 3, 1))
>>> round(reliability(prior, [wrong], datetime(2026, 3, 1)), 3)
0.667
>>> decide_demotion(Conduct(protected_hits=3)).code
'DEMOTED_PROTECTED_NAMES'
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal, get_args

from federation.trust.presets import TrustLevel

HALVING_TIME: Final = timedelta(days=180)
CONFIRMED_WEIGHT: Final = 1.0
FALSE_POSITIVE_WEIGHT: Final = 3.0

FALSE_POSITIVE_RATE: Final = 0.05
LEAST_ADJUDICATED: Final = 40
MOST_PROTECTED_HITS: Final = 3
PROTECTED_HITS_WITHIN: Final = timedelta(hours=24)
MOST_SIGNATURE_FAILURES: Final = 10
SIGNATURE_FAILURES_WITHIN: Final = timedelta(hours=1)

OutcomeKind = Literal["confirmed", "false-positive"]
CauseCode = Literal[
    "DEMOTED_FORK",
    "DEMOTED_PROTECTED_NAMES",
    "DEMOTED_FALSE_POSITIVES",
    "DEMOTED_SIGNATURES",
    "DEMOTED_EXPIRED",
]
CAUSE_CODES: Final[frozenset[str]] = frozenset(get_args(CauseCode))


@dataclass(frozen=True, slots=True)
class Record:
    """The two counts of a Beta distribution, prior or evidence.

    Args:
        alpha: what held.
        beta: what did not, already weighted.
    """

    alpha: float
    beta: float

    def __add__(self, other: Record) -> Record:
        return Record(self.alpha + other.alpha, self.beta + other.beta)

    @property
    def mean(self) -> float:
        """How much of it held, 0 to 1; 0 where nothing is known."""
        known = self.alpha + self.beta
        return self.alpha / known if known > 0 else 0.0


PRIORS: Final[Mapping[TrustLevel, Record]] = MappingProxyType(
    {
        # A blocked peer's word is worth nothing, whatever its cap says.
        TrustLevel.BLOCKED: Record(0.0, 1.0),
        TrustLevel.KNOWN: Record(1.0, 1.0),
        TrustLevel.MEMBER: Record(3.0, 1.0),
        TrustLevel.TRUSTED: Record(8.0, 1.0),
        TrustLevel.PARTNER: Record(18.0, 1.0),
    }
)
"""PROTOCOL 4.3: 50, 75, 89 and 95 of a hundred before anything turned out."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a person or a sighting found out about one object of a peer.

    Args:
        kind: ``confirmed`` (an own sighting, or adjudicated true) or ``false-positive``.
        at: when it was found out.
    """

    kind: OutcomeKind
    at: datetime


@dataclass(frozen=True, slots=True)
class Conduct:
    """What a peer is measured by, counted by the caller in the windows above.

    Args:
        fork_proven: it signed two histories.
        adjudicated: its objects of one type whose outcome is known.
        false_positives: those of them that were wrong.
        protected_hits: its claims of the last 24 hours on names that a guard protects.
        signature_failures: entries in its name of the last hour whose signature did not hold, from
            its own endpoint; what a relay garbled is the relay's.
        document_expired: its node document has run out.
    """

    fork_proven: bool = False
    adjudicated: int = 0
    false_positives: int = 0
    protected_hits: int = 0
    signature_failures: int = 0
    document_expired: bool = False


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a peer is demoted.

    Args:
        code: stable and documented.
        params: the facts that its sentence needs, JSON values.
        freezes: whether its feeds are frozen too (PROTOCOL 2.5), and not only the dials turned.
    """

    code: CauseCode
    params: Mapping[str, object] = field(default_factory=dict)
    freezes: bool = False


def gather(outcomes: Iterable[Outcome], now: datetime) -> Record:
    """Add up what turned out, each outcome faded by its age.

    Args:
        outcomes: of one peer and one type of object, in any order.
        now: our clock; an outcome ahead of it counts as new.
    """
    confirmed: list[float] = []
    wrong: list[float] = []
    for outcome in outcomes:
        (confirmed if outcome.kind == "confirmed" else wrong).append(_faded(outcome.at, now))
    # fsum, because a plain sum of floats depends on the order.
    return Record(CONFIRMED_WEIGHT * math.fsum(confirmed), FALSE_POSITIVE_WEIGHT * math.fsum(wrong))


def reliability(prior: Record, outcomes: Iterable[Outcome], now: datetime) -> float:
    """Return how far a peer's word holds, 0 to 1.

    Args:
        prior: of its preset (``PRIORS``).
        outcomes: of the peer for this type of object, in any order.
        now: our clock.
    """
    return (prior + gather(outcomes, now)).mean


def decide_demotion(conduct: Conduct) -> Cause | None:
    """Decide whether a peer is demoted by one step, and why (PROTOCOL 4.3).

    The gravest cause is told where several hold. The caller keeps one cause from demoting twice:
    a count stands in its window for a while.
    """
    if conduct.fork_proven:
        return Cause("DEMOTED_FORK", freezes=True)
    if conduct.protected_hits >= MOST_PROTECTED_HITS:
        hours = int(PROTECTED_HITS_WITHIN.total_seconds() // 3600)
        return Cause(
            "DEMOTED_PROTECTED_NAMES", {"hits": conduct.protected_hits, "within_hours": hours}
        )
    if (
        conduct.adjudicated >= LEAST_ADJUDICATED
        and conduct.false_positives > FALSE_POSITIVE_RATE * conduct.adjudicated
    ):
        return Cause(
            "DEMOTED_FALSE_POSITIVES",
            {"false_positives": conduct.false_positives, "adjudicated": conduct.adjudicated},
        )
    if conduct.signature_failures > MOST_SIGNATURE_FAILURES:
        return Cause("DEMOTED_SIGNATURES", {"failures": conduct.signature_failures})
    if conduct.document_expired:
        return Cause("DEMOTED_EXPIRED")
    return None


def _faded(at: datetime, now: datetime) -> float:
    halvings = max(timedelta(), now - at) / HALVING_TIME
    return math.exp2(-halvings)
