"""The replay says of verdicts what docs/verdicts.md says, at a tenth of its size."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.benchmarks.replay import THRESHOLDS, Measured, measure_all, plot_of
from tests.benchmarks.replayed_rules import BASELINES, verdicts_of
from tests.benchmarks.replayed_world import RealNames, World, make_world, read_real_names
from tests.support.shared_data import shared_path

PUBLISHED, MIDDLE, BLOCKED = THRESHOLDS


def made_up_names() -> RealNames:
    true = [f"evil-{n}.example" for n in range(2_000)]
    false = [f"shop-{n}.example" for n in range(3_000)]
    return RealNames(true, false, false[:600])


@pytest.fixture(scope="module")
def replayed() -> tuple[World, list[Measured]]:
    names = read_real_names(shared_path("data"))
    world = make_world(names, 5_000)
    return world, measure_all(world, names.popular)


def verdict(measured: list[Measured], least: float) -> Measured:
    (found,) = [one for one in measured if (one.rule, one.threshold) == ("verdict", least)]
    return found


def baselines(measured: list[Measured], *rules: str) -> list[Measured]:
    found = [one for one in measured if one.rule in (rules or BASELINES)]
    assert found
    return found


def test_published_verdicts_are_more_precise_than_rules_that_list_nearly_all(replayed) -> None:
    _, measured = replayed
    published = verdict(measured, PUBLISHED)
    for other in baselines(measured, "trust everything", "plain noisy-OR"):
        assert published.precision > other.precision + 0.02
        assert published.f1 > other.f1
    for other in baselines(measured, "last writer wins"):
        assert published.precision > other.precision


def test_the_middle_beats_two_sources_in_precision_and_recall(replayed) -> None:
    _, measured = replayed
    middle = verdict(measured, MIDDLE)
    (other,) = baselines(measured, "at least two origins")
    assert middle.precision > other.precision + 0.02
    assert middle.recall > other.recall + 0.02


def test_the_highest_threshold_is_the_most_precise_of_all(replayed) -> None:
    _, measured = replayed
    highest = verdict(measured, BLOCKED)
    assert all(highest.precision > other.precision for other in baselines(measured))


def test_poison_of_a_member_that_was_believed_stops_below_the_middle(replayed) -> None:
    world, measured = replayed
    assert len(world.poison) > 100
    assert verdict(measured, MIDDLE).poison < 0.05 * len(world.poison)
    (noisy,) = [one for one in baselines(measured, "plain noisy-OR") if one.threshold == BLOCKED]
    assert noisy.poison == len(world.poison)


def test_guards_take_the_poison_from_what_may_block(replayed) -> None:
    _, measured = replayed
    (guarded,) = [one for one in measured if "guards on" in one.rule]
    assert guarded.poison == 0


def test_one_seed_makes_one_world() -> None:
    names = made_up_names()
    one, again = make_world(names, 500), make_world(names, 500)
    assert (one.claims, one.disputes, one.outcomes) == (
        again.claims,
        again.disputes,
        again.outcomes,
    )
    assert one.claims != make_world(names, 500, seed=7).claims
    assert verdicts_of(one) == verdicts_of(again)


def test_nothing_that_was_adjudicated_before_is_counted() -> None:
    world = make_world(made_up_names(), 500)
    assert all(world.outcomes)
    assert all(said.days >= 0 for told in world.claims.values() for said in told)
    malicious = world.outcomes[-1]
    assert sum(each.kind == "confirmed" for each in malicious) > len(malicious) / 2


def test_the_plot_is_an_image_with_every_rule_in_it() -> None:
    world = make_world(made_up_names(), 500)
    drawn = plot_of(world, measure_all(world, []))
    text = "".join(ET.fromstring(drawn).itertext())
    assert all(rule in text for rule in [*BASELINES, "verdict, 0.50"])
