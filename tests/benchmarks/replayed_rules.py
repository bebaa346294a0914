"""The rules that the replay compares: verdicts as the product makes them, and five simpler ones.

A rule gives each claimed name a figure from 0 to 1; what it lists is a matter of a threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from federation.trust.fusion import (
    BLOCKED_FROM,
    Fused,
    Report,
    age_seconds,
    fuse,
    half_life_of,
    weigh,
)
from federation.trust.lineage import Told, lineages_of
from federation.trust.presets import PRESETS, TrustLevel
from federation.trust.reputation import PRIORS, reliability
from hub.verdicts.guard_lists import ALONE, HOLD, POPULAR, REFUSE, Listed, installed_names
from hub.verdicts.guards import Guards
from tests.benchmarks.replayed_world import NOW, Said, World

_TRANSIT = timedelta(hours=1)
"""How long a claim takes to the other peers, who are known to hold it from then on."""

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Parts:
    """Which parts of the rule count; the product always has all four."""

    caps: bool = True
    reliability: bool = True
    lineages: bool = True
    disputes: bool = True


WHOLE: Final = Parts()


def reliabilities_of(world: World) -> list[float]:
    """Return what each origin's word is worth after what was adjudicated before."""
    return [
        reliability(PRIORS[origin.level], outcomes, NOW)
        for origin, outcomes in zip(world.origins, world.outcomes, strict=True)
    ]


def verdicts_of(
    world: World, *, at: datetime | None = None, parts: Parts = WHOLE
) -> dict[str, Fused]:
    """Fuse every name by the rules of the product, and by nothing else.

    Args:
        at: when to look at all of them; None: at each the day after the last word on it, which is
            when the baselines, that know no age, are as fresh.
        parts: what to leave out, to see what it is for.
    """
    words = reliabilities_of(world) if parts.reliability else [1.0] * len(world.origins)
    return {name: _verdict(world, name, words, at, parts) for name in world.claims}


def _verdict(
    world: World, name: str, words: Sequence[float], at: datetime | None, parts: Parts
) -> Fused:
    said, half_life = world.claims[name], half_life_of(world.threat_type[name])
    against = world.disputes.get(name, ()) if parts.disputes else ()
    now = at or max(each.at for each in (*said, *against)) + timedelta(days=1)

    def report(each: Said, lineage: str) -> Report:
        level = world.origins[each.by].level
        cap = PRESETS[level].cap if parts.caps else 100
        age = age_seconds(each.at, None, now)
        weight = weigh(each.confidence, cap, words[each.by], age, half_life)
        return Report(lineage, weight, level >= TrustLevel.TRUSTED)

    lineages = _lineages(name, said) if parts.lineages else [str(each.by) for each in said]
    return fuse(
        map(report, said, lineages), [report(each, f"origin:{each.by}") for each in against]
    )


def _lineages(name: str, said: Sequence[Said]) -> list[str]:
    times = [each.at for each in said]
    told = [
        Told(str(each.by), None, (), name, at, has_own_sighting=each.seen)
        for each, at in zip(said, times, strict=True)
    ]
    return lineages_of(told, lambda _, index: times[index] + _TRANSIT)


def may_block(verdicts: Mapping[str, Fused]) -> Scores:
    """What of the fusion blocking asks for: 0.75, two lineages, one of them trusted."""
    return {
        name: float(
            fused.result >= BLOCKED_FROM and fused.lineages >= 2 and fused.trusted_lineages >= 1
        )
        for name, fused in verdicts.items()
    }


def guarded(scores: Scores, popular: Sequence[str]) -> Scores:
    """The same with guards: what the installation brings, and a list of popular names.

    Mistakes and poison of this world fall on just those names, so this row is no measure of
    guards. It shows that they take from a block what fusion alone leaves in it.
    """
    own = [(name, Listed(REFUSE, POPULAR, "popular", ALONE)) for name in popular]
    guards = Guards.of([*installed_names().protected, *own])
    return {
        name: 0.0
        if any(hit.grade in {REFUSE, HOLD} for hit in guards.hits(name, "exact"))
        else score
        for name, score in scores.items()
    }


def everything(world: World) -> Scores:
    """Trust everything: what anybody claims is listed."""
    return dict.fromkeys(world.claims, 1.0)


def majority(world: World) -> Scores:
    """More than half of all origins claim it; a contradiction takes a claim away."""
    half = len(world.origins) / 2
    return {
        name: float(len(said) - len(world.disputes.get(name, ())) > half)
        for name, said in world.claims.items()
    }


def at_least_two(world: World) -> Scores:
    """Two claims more than contradictions: the usual rule of thumb."""
    return {
        name: float(len(said) - len(world.disputes.get(name, ())) >= 2)
        for name, said in world.claims.items()
    }


def last_writer(world: World) -> Scores:
    """The last statement wins, with the confidence that it names; a contradiction is a no."""
    return {name: _last(said, world.disputes.get(name, ())) for name, said in world.claims.items()}


def _last(said: Sequence[Said], against: Sequence[Said]) -> float:
    latest = max(said, key=lambda each: each.days)
    if any(each.days > latest.days for each in against):
        return 0.0
    return latest.confidence / 100


def noisy_or(world: World) -> Scores:
    """Plain noisy-OR: every claim is independent evidence of what it says of itself."""
    found: dict[str, float] = {}
    for name, said in world.claims.items():
        doubt = 1.0
        for each in said:
            doubt *= 1 - each.confidence / 100
        found[name] = 1 - doubt
    return found


BASELINES: Final[Mapping[str, tuple[Callable[[World], Scores], bool]]] = MappingProxyType(
    {
        "trust everything": (everything, False),
        "majority of all origins": (majority, False),
        "at least two origins": (at_least_two, False),
        "last writer wins": (last_writer, True),
        "plain noisy-OR": (noisy_or, True),
    }
)
"""Each rule, and whether its figure has a threshold."""
