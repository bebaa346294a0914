"""Six simulated origins that speak of real names: what the replay judges verdicts by.

True are names of maltrail's list of malware domains, false are names of popular sites, resolvers
and dynamic-DNS zones from MISP's warning lists; a name in both is left out, because nobody knows.
Who says what and when is drawn from a fixed seed. Nothing here knows how verdicts are made.
"""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

from federation.trust.presets import TrustLevel
from federation.trust.reputation import Outcome
from schemas.dns.names import read_name
from schemas.errors import WireFormatError

SEED: Final = 2026
NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)
DAYS: Final = 30.0
"""Claims are of the last thirty days."""
ADJUDICATED_SHARE: Final = 0.2
"""Of the names, those that were claimed and judged before; they teach, and are not counted."""
ADJUDICATED: Final = 100
"""Claims of each origin that somebody has looked into, among those."""
DISPUTED: Final = 0.15
"""How often a careful origin contradicts a false name of others."""
SMEARED: Final = 0.03
"""How often the malicious origin contradicts a true one."""

_LISTS = ("tranco10k", "cisco_top20k", "public-dns-hostname", "dynamic-dns")
_POPULAR = "tranco10k"
_TYPES = {"malware-c2": 4, "malware-distribution": 3, "phishing": 2, "dga": 1}


@dataclass(frozen=True, slots=True)
class Origin:
    """An origin, and what it is like.

    Args:
        level: what the hub that judges has set it to.
        precision: the share of its own finds that are true.
        reach: the share of true names that it finds by itself.
        says: the lowest and highest confidence that it writes.
        seen: the share of its own finds beside which it reports a sighting.
        echoes: the share of others' claims that it repeats as its own.
        careful: whether it looks into what others say, and contradicts.
        poison: names of popular sites that it claims, as a share of all true names.
    """

    name: str
    level: TrustLevel
    precision: float
    reach: float
    says: tuple[int, int]
    seen: float = 0.5
    echoes: float = 0.0
    careful: bool = False
    poison: float = 0.0


ORIGINS: Final = (
    Origin("registry", TrustLevel.PARTNER, 0.995, 0.12, (70, 95), careful=True),
    Origin("national CERT", TrustLevel.TRUSTED, 0.97, 0.25, (60, 90), careful=True),
    Origin("security vendor", TrustLevel.TRUSTED, 0.93, 0.35, (80, 100)),
    Origin("sector ISAC", TrustLevel.MEMBER, 0.85, 0.20, (50, 80), seen=0.3, echoes=0.05),
    Origin("list of lists", TrustLevel.MEMBER, 0.60, 0.10, (90, 100), seen=0.0, echoes=0.30),
    Origin("malicious", TrustLevel.MEMBER, 1.0, 0.0, (95, 100), seen=0.0, echoes=0.15, poison=0.04),
)
"""Five of different precision, and one that copies others until it is believed."""


@dataclass(frozen=True, slots=True)
class Said:
    """One statement of an origin on a name.

    Args:
        by: the origin's place in the list.
        days: since the beginning.
        seen: with a sighting of its own.
    """

    by: int
    days: float
    confidence: int
    seen: bool = False

    @property
    def at(self) -> datetime:
        """When it was said."""
        return NOW - timedelta(days=DAYS - self.days)


@dataclass
class World:
    """What was said, and what is true.

    Attributes:
        true: the names that are malicious indeed.
        claims: what was said for each name, at most once an origin.
        disputes: what was said against it.
        threat_type: of each name.
        outcomes: of each origin, from the names that were adjudicated before.
    """

    origins: Sequence[Origin]
    true: frozenset[str]
    claims: dict[str, list[Said]] = field(default_factory=dict)
    disputes: dict[str, list[Said]] = field(default_factory=dict)
    threat_type: dict[str, str] = field(default_factory=dict)
    outcomes: list[list[Outcome]] = field(default_factory=list)

    @cached_property
    def poison(self) -> frozenset[str]:
        """False names that the malicious origin was the first to claim."""
        return frozenset(
            name
            for name, said in self.claims.items()
            if name not in self.true and self.origins[said[0].by].poison
        )


@dataclass(frozen=True, slots=True)
class RealNames:
    """The names that the world is made of.

    Args:
        popular: false names that anybody knows; mistakes and poison fall on them first.
    """

    true: Sequence[str]
    false: Sequence[str]
    popular: Sequence[str]


def read_real_names(data: Path) -> RealNames:
    """Read maltrail's and the warning lists' names; what is no name or in both is left out."""
    raw = gzip.decompress((data / "maltrail/malware-domains-250k.txt.gz").read_bytes())
    listed: dict[str, set[str]] = {
        each: set(
            _names(json.loads((data / "warninglists" / each / "list.json").read_text())["list"])
        )
        for each in _LISTS
    }
    malicious, harmless = set(_names(raw.decode().splitlines())), set().union(*listed.values())
    unclear = malicious & harmless
    return RealNames(
        sorted(malicious - unclear),
        sorted(harmless - unclear),
        sorted(listed[_POPULAR] - unclear),
    )


def _names(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        try:
            yield read_name(line.lstrip(".")).a_label
        except WireFormatError:
            continue


def make_world(
    names: RealNames, count: int, *, seed: int = SEED, origins: Sequence[Origin] = ORIGINS
) -> World:
    """Let the origins speak.

    Args:
        count: true names to speak of; each origin finds its part of them.
    """
    drawn = random.Random(seed)
    true = drawn.sample(names.true, min(count, len(names.true)))
    false = drawn.sample(names.false, len(names.false))
    popular = drawn.sample(names.popular, len(names.popular))
    world = World(origins, frozenset(true))
    cut = round(len(true) * ADJUDICATED_SHARE), len(false) // 5, len(popular) // 5
    before = RealNames(true[: cut[0]], false[: cut[1]], popular[: cut[2]])
    held_back = set(before.false) | set(before.popular)
    later = RealNames(
        true[cut[0] :],
        [name for name in false if name not in held_back],
        [name for name in popular if name not in held_back],
    )
    # The malicious origin behaves until it is believed: its poison comes after the lesson.
    past = _speak(drawn, before, origins, poison=False)
    world.outcomes = [_adjudicated(drawn, past, world.true, by) for by in range(len(origins))]
    world.claims = _speak(drawn, later, origins, poison=True)
    world.disputes = _contradict(drawn, world)
    kinds, weights = list(_TYPES), list(_TYPES.values())
    for name in world.claims:
        (world.threat_type[name],) = drawn.choices(kinds, weights)
    return world


def _speak(
    drawn: random.Random, names: RealNames, origins: Sequence[Origin], *, poison: bool
) -> dict[str, list[Said]]:
    claims: dict[str, dict[int, Said]] = defaultdict(dict)
    # Some campaigns are in everybody's sight and some in nobody's, so finds overlap more than dice.
    sight = {name: drawn.choice((0.4, 1.6)) for name in names.true}
    for by, origin in enumerate(origins):
        found = [name for name in names.true if drawn.random() < origin.reach * sight[name]]
        wrong = round(len(found) * (1 - origin.precision) / origin.precision)
        found += _mistakes(drawn, names, wrong)
        for name in found:
            seen = drawn.random() < origin.seen
            claims[name][by] = _said(drawn, by, origin, drawn.uniform(0, DAYS), seen=seen)
        if poison and origin.poison:
            for name in drawn.sample(names.popular, round(origin.poison * len(names.true))):
                claims[name][by] = _said(drawn, by, origin, drawn.uniform(0, DAYS))
    _echo(drawn, claims, origins)
    return {
        name: sorted(said.values(), key=lambda each: each.days) for name, said in claims.items()
    }


def _mistakes(drawn: random.Random, names: RealNames, count: int) -> list[str]:
    """Honest mistakes: a third falls on the few hundred names that everybody's traffic touches."""
    crowded = names.popular[: max(1, count // 2)]
    first = drawn.sample(crowded, min(len(crowded), count // 3))
    rest = drawn.sample(names.false, min(len(names.false), count - len(first)))
    return list(dict.fromkeys([*first, *rest]))


def _echo(
    drawn: random.Random, claims: Mapping[str, dict[int, Said]], origins: Sequence[Origin]
) -> None:
    for said in claims.values():
        for original in list(said.values()):
            for by, origin in enumerate(origins):
                days = original.days + drawn.uniform(0.1, 5.0)
                if by not in said and days < DAYS and drawn.random() < origin.echoes:
                    said[by] = _said(drawn, by, origin, days)


def _said(
    drawn: random.Random, by: int, origin: Origin, days: float, *, seen: bool = False
) -> Said:
    return Said(by, days, drawn.randint(*origin.says), seen)


def _adjudicated(
    drawn: random.Random, past: Mapping[str, Sequence[Said]], true: frozenset[str], by: int
) -> list[Outcome]:
    own = [name for name, said in past.items() if any(each.by == by for each in said)]
    return [
        Outcome(
            "confirmed" if name in true else "false-positive",
            NOW - timedelta(days=DAYS + drawn.uniform(0, 180)),
        )
        for name in drawn.sample(own, min(ADJUDICATED, len(own)))
    ]


def _contradict(drawn: random.Random, world: World) -> dict[str, list[Said]]:
    """Careful origins contradict false names of others; the malicious one contradicts true ones."""
    found: dict[str, list[Said]] = defaultdict(list)
    for name, said in world.claims.items():
        speakers = {each.by for each in said}
        for by, origin in enumerate(world.origins):
            share = SMEARED if origin.poison else DISPUTED if origin.careful else 0.0
            wanted = name in world.true if origin.poison else name not in world.true
            if wanted and by not in speakers and drawn.random() < share:
                days = drawn.uniform(said[0].days, DAYS)
                found[name].append(Said(by, days, 100))
    return dict(found)
