"""PROTOCOL 4.4: what claims weigh, and what they add up to."""

from __future__ import annotations

import timeit
from datetime import UTC, datetime, timedelta

import pytest

from federation.trust.fusion import (
    BLOCKED_FROM,
    COUNTED_FROM,
    DEFAULT_HALF_LIFE_SECONDS,
    HALF_LIFE_SECONDS,
    MOST_CERTAIN,
    PUBLISHED_FROM,
    Report,
    age_seconds,
    fuse,
    half_life_of,
    weigh,
)
from federation.trust.presets import PRESETS, TrustLevel
from federation.trust.reputation import PRIORS
from schemas.dns.extensions import THREAT_TYPES

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = 86_400.0


def reports(*weights: float, trusted: bool = True) -> list[Report]:
    return [Report(f"origin:{n}", weight, trusted) for n, weight in enumerate(weights)]


def fresh(level: TrustLevel) -> float:
    """The most that a peer of a level weighs before anything is known of it."""
    return weigh(100, PRESETS[level].cap, PRIORS[level].mean, 0.0, DAY)


def test_two_trusted_give_the_figure_of_the_protocol() -> None:
    found = fuse(reports(0.7, 0.6), [])
    assert round(found.result, 2) == 0.83
    assert (found.lineages, found.trusted_lineages) == (2, 2)


def test_t39_fifty_sybils_give_the_figure_of_the_protocol() -> None:
    found = fuse(reports(*[0.1] * 50, trusted=False), [])
    assert round(found.result, 2) == 0.29
    assert found.result < PUBLISHED_FROM
    assert found.trusted_lineages == 0


def test_t39_no_number_of_strangers_reaches_blocking() -> None:
    found = fuse(reports(*[fresh(TrustLevel.KNOWN)] * 5_000, trusted=False), [])
    assert found.result < 0.42 < BLOCKED_FROM


def test_t40_fifty_sybils_that_disagree_do_not_whitelist() -> None:
    believed = reports(0.7, 0.6)
    found = fuse(believed, reports(*[0.1] * 50, trusted=False))
    assert round(found.dispute, 2) == 0.29
    assert found.result > PUBLISHED_FROM
    assert found.result == fuse(believed, []).result * (1 - found.dispute)


def test_t40_one_disputer_under_fifty_names_of_one_lineage_is_one() -> None:
    believed = reports(0.7, 0.6)
    assert fuse(believed, [Report("origin:x", 0.1, False)] * 50) == fuse(
        believed, [Report("origin:x", 0.1, False)]
    )


def test_nothing_is_ever_certain() -> None:
    assert fuse(reports(*[1.0] * 9), []).result == MOST_CERTAIN
    assert fuse([], []).result == 0


def test_one_partner_alone_is_one_lineage() -> None:
    found = fuse(reports(fresh(TrustLevel.PARTNER)), [])
    assert found.result >= BLOCKED_FROM
    assert found.lineages == 1


def test_a_lineage_weighs_as_its_heaviest_report() -> None:
    found = fuse([Report("a", 0.3, False), Report("a", 0.7, True), Report("a", 0.5, False)], [])
    assert found == fuse([Report("a", 0.7, True)], [])


def test_what_has_faded_weighs_and_corroborates_nobody() -> None:
    alone = fuse(reports(0.8), [])
    found = fuse(reports(0.8, COUNTED_FROM / 2), [])
    assert found.result > alone.result
    assert (found.lineages, found.trusted_lineages) == (1, 1)


def test_a_trusted_word_that_has_faded_makes_no_lineage_trusted() -> None:
    found = fuse([Report("a", 0.8, False), Report("a", 0.01, True)], [])
    assert (found.lineages, found.trusted_lineages) == (1, 0)


@pytest.mark.parametrize(
    ("confidence", "cap", "reliability", "age", "weight"),
    [
        (80, 85, 1.0, 0, 0.8),
        (100, 60, 1.0, 0, 0.6),
        (100, 60, 0.5, 0, 0.3),
        (80, 85, 1.0, 7 * DAY, 0.4),
        (80, 85, 1.0, 14 * DAY, 0.2),
        (80, 85, 1.0, -DAY, 0.8),
        (80, 0, 1.0, 0, 0.0),
        (-5, 60, 1.0, 0, 0.0),
        (500, 100, 3.0, 0, 1.0),
        (80, 85, -1.0, 0, 0.0),
        (80, 85, 1.0, 1e12, 0.0),
    ],
)
def test_a_claim_weighs_what_its_origin_lends_and_fades(
    confidence: int, cap: int, reliability: float, age: float, weight: float
) -> None:
    assert weigh(confidence, cap, reliability, age, 7 * DAY) == pytest.approx(weight)


def test_authority_lifts_the_cap_and_nothing_else() -> None:
    assert weigh(90, 60, 0.5, 7 * DAY, 7 * DAY, in_authority=True) == pytest.approx(0.225)
    assert weigh(40, 60, 1.0, 0, DAY, in_authority=True) == weigh(40, 60, 1.0, 0, DAY)


def test_each_threat_type_has_a_half_life() -> None:
    assert set(HALF_LIFE_SECONDS) == set(THREAT_TYPES)
    assert half_life_of("dga") < half_life_of("malware-c2") < half_life_of("sinkhole")
    assert half_life_of("tomorrows-threat") == half_life_of(None) == DEFAULT_HALF_LIFE_SECONDS


def test_a_name_that_is_for_a_later_day_ages_from_that_day() -> None:
    written, meant = NOW - timedelta(days=200), NOW - timedelta(days=1)
    assert age_seconds(written, meant, NOW) == DAY
    assert age_seconds(written, None, NOW) == 200 * DAY
    assert age_seconds(NOW, written, NOW + timedelta(hours=1)) == 3600
    assert age_seconds(NOW + timedelta(hours=1), None, NOW) == 0


def test_a_name_with_two_claims_is_fused_in_ten_microseconds() -> None:
    two = reports(0.7, 0.6)
    times = 2_000
    # The best of many short runs: whatever else runs on the machine is not fusion's.
    best = min(timeit.repeat(lambda: fuse(two, ()), number=times, repeat=7)) / times
    assert best < 10e-6


def test_the_example_of_the_documents_adds_up() -> None:
    week = half_life_of("phishing")
    trusted, member, known = (
        PRIORS[level].mean for level in (TrustLevel.TRUSTED, TrustLevel.MEMBER, TrustLevel.KNOWN)
    )
    cert = Report("origin:cert", weigh(90, 85, trusted, 2 * DAY, week), trusted=True)
    isac = Report("origin:isac", weigh(80, 60, member, DAY, week), trusted=False)
    echo = Report("origin:cert", weigh(100, 60, member, 0, week), trusted=False)
    stranger = Report("origin:stranger", weigh(100, 30, known, 0, week), trusted=False)
    weights = [round(each.weight, 3) for each in (cert, isac, echo, stranger)]
    assert weights == [0.62, 0.408, 0.45, 0.15]
    found = fuse([cert, isac, echo], [stranger])
    assert (round(found.support, 3), round(found.dispute, 3)) == (0.728, 0.15)
    assert round(found.result, 3) == 0.619
    assert (found.lineages, found.trusted_lineages) == (2, 1)
