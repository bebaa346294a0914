"""``make replay``: verdicts on real names beside simpler rules on the same data.

The verdicts are of the pure rules (``federation.trust``): caps by preset, reliability learned from
names that were adjudicated before, half-lives, lineages, disputes. Guards are off but for one row:
the false names here come from lists of the kind that guards are made of, and would flatter them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from federation.trust.fusion import BLOCKED_FROM, PUBLISHED_FROM
from federation.trust.presets import TrustLevel
from tests.benchmarks.replay_plot import Point, draw
from tests.benchmarks.replayed_rules import (
    BASELINES,
    Parts,
    Scores,
    guarded,
    may_block,
    reliabilities_of,
    verdicts_of,
)
from tests.benchmarks.replayed_world import (
    NOW,
    ORIGINS,
    SEED,
    RealNames,
    World,
    make_world,
    read_real_names,
)
from tests.support import shared_data

NAMES: Final = 50_000
THRESHOLDS: Final = (PUBLISHED_FROM, 0.5, BLOCKED_FROM)
WITHOUT: Final = {
    "the whole rule": Parts(),
    "without lineages": Parts(lineages=False),
    "without caps": Parts(caps=False),
    "without reliability": Parts(reliability=False),
    "without disputes": Parts(disputes=False),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One rule at one threshold.

    Attributes:
        listed: names that it would list.
        precision: the share of those that is true.
        recall: the share listed of the true names that anybody claimed.
        poison: names among them that the malicious origin made up.
    """

    rule: str
    threshold: float | None
    listed: int
    precision: float
    recall: float
    poison: int

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    @property
    def false(self) -> int:
        """How many of the listed names are harmless."""
        return round(self.listed * (1 - self.precision))


def measure(world: World, rule: str, scores: Scores, threshold: float | None) -> Measured:
    """Count what a rule lists at a threshold."""
    least = 0.5 if threshold is None else threshold
    listed = [name for name, score in scores.items() if score >= least]
    hits = sum(name in world.true for name in listed)
    wanted = sum(name in world.true for name in world.claims)
    poison = sum(name in world.poison for name in listed)
    precision = hits / len(listed) if listed else 1.0
    return Measured(rule, threshold, len(listed), precision, hits / wanted, poison)


def measure_all(world: World, popular: Sequence[str]) -> list[Measured]:
    """Measure verdicts, what blocking asks for beside, and the baselines."""
    verdicts = verdicts_of(world)
    results = {name: fused.result for name, fused in verdicts.items()}
    found = [measure(world, "verdict", results, least) for least in THRESHOLDS]
    blocked = may_block(verdicts)
    found.append(measure(world, "verdict that may block", blocked, None))
    found.append(
        measure(world, "  the same, guards on popular names", guarded(blocked, popular), None)
    )
    later = {name: fused.result for name, fused in verdicts_of(world, at=NOW).items()}
    found += [measure(world, "verdict, at the month's end", later, least) for least in THRESHOLDS]
    for rule, (score, graded) in BASELINES.items():
        scores = score(world)
        thresholds = THRESHOLDS if graded else (None,)
        found += [measure(world, rule, scores, least) for least in thresholds]
    return found


def measure_without(world: World) -> list[Measured]:
    """Measure the rule with each of its parts left out, at the middle threshold."""
    found = []
    for rule, parts in WITHOUT.items():
        results = {name: each.result for name, each in verdicts_of(world, parts=parts).items()}
        found.append(measure(world, rule, results, THRESHOLDS[1]))
    return found


def measure_trusted_enemy(names: RealNames, count: int, seed: int) -> list[list[Measured]]:
    """Measure the same world with the malicious origin at each level of trust."""
    found = []
    for level in (TrustLevel.KNOWN, TrustLevel.MEMBER, TrustLevel.TRUSTED, TrustLevel.PARTNER):
        origins = [replace(each, level=level) if each.poison else each for each in ORIGINS]
        world = make_world(names, count, seed=seed, origins=origins)
        verdicts = verdicts_of(world)
        results = {name: fused.result for name, fused in verdicts.items()}
        row = [measure(world, level.word, results, least) for least in THRESHOLDS]
        found.append([*row, measure(world, level.word, may_block(verdicts), None)])
    return found


def main() -> int:
    """Replay, print the tables, and draw the plot where it is asked for."""
    parser = argparse.ArgumentParser(prog="make replay")
    parser.add_argument("--names", type=int, default=NAMES, help="true names to speak of")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--plot", type=Path, help="draw the plot into this SVG file")
    options = parser.parse_args()
    console = Console(highlight=False, width=110)
    data = shared_data._SHARED / "data"
    if not (data / "maltrail").is_dir():
        console.print(
            "The replay needs the team's real names in ../shared/data; they are not here."
        )
        return 1
    names = read_real_names(data)
    world = make_world(names, options.names, seed=options.seed)
    measured = measure_all(world, names.popular)
    console.print(_origins_table(world))
    title = f"{len(world.claims):,} names were claimed, {len(world.poison):,} of them poison"
    console.print(_rules_table(measured, title))
    console.print(_rules_table(measure_without(world), "What each part of the rule is for"))
    console.print(_enemy_table(measure_trusted_enemy(names, options.names, options.seed)))
    if options.plot:
        options.plot.write_text(plot_of(world, measured))
    return 0


def plot_of(world: World, measured: Sequence[Measured]) -> str:
    """Draw precision over recall: verdicts and graded rules as curves, the others as points."""
    results = {name: fused.result for name, fused in verdicts_of(world).items()}
    curve = [measure(world, "", results, hundredth / 100) for hundredth in range(5, 97)]
    points = [
        Point(each.rule.strip(), each.threshold, each.recall, each.precision)
        for each in measured
        if not each.rule.startswith(("verdict,", " "))
    ]
    return draw([(each.recall, each.precision) for each in curve if each.listed], points)


def _rules_table(found: Sequence[Measured], title: str) -> Table:
    table = Table(title=f"\n{title}", box=None, header_style="bold", title_justify="left")
    table.add_column("rule")
    for head in ("from", "listed", "false", "poison", "precision", "recall", "F1"):
        table.add_column(head, justify="right")
    for each in found:
        table.add_row(
            each.rule,
            "" if each.threshold is None else f"{each.threshold:.2f}",
            f"{each.listed:,}",
            f"{each.false:,}",
            f"{each.poison:,}",
            f"{each.precision:.3f}",
            f"{each.recall:.3f}",
            f"{each.f1:.3f}",
        )
    return table


def _enemy_table(found: Sequence[Sequence[Measured]]) -> Table:
    title = "\nPoison listed when the malicious origin has more trust"
    table = Table(title=title, box=None, header_style="bold", title_justify="left")
    table.add_column("its trust")
    for head in (*(f"from {least:.2f}" for least in THRESHOLDS), "may block"):
        table.add_column(head, justify="right")
    for row in found:
        table.add_row(row[0].rule, *(f"{each.poison:,}" for each in row))
    return table


def _origins_table(world: World) -> Table:
    table = Table(box=None, header_style="bold")
    for head in ("origin", "trust", "claims", "true", "reliability learned"):
        table.add_column(head, justify="left" if head in {"origin", "trust"} else "right")
    words = reliabilities_of(world)
    for by, origin in enumerate(world.origins):
        own = [name for name, said in world.claims.items() if any(each.by == by for each in said)]
        hits = sum(name in world.true for name in own)
        true = f"{hits / len(own):.3f}" if own else ""
        table.add_row(origin.name, origin.level.word, f"{len(own):,}", true, f"{words[by]:.3f}")
    return table


if __name__ == "__main__":
    raise SystemExit(main())
