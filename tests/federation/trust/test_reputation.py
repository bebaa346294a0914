"""PROTOCOL 4.3: reliability, and the causes of demotion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.trust.presets import TrustLevel
from federation.trust.reputation import (
    CAUSE_CODES,
    HALVING_TIME,
    PRIORS,
    Conduct,
    Outcome,
    OutcomeKind,
    Record,
    decide_demotion,
    gather,
    reliability,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OUTCOMES = st.lists(
    st.builds(
        Outcome,
        st.sampled_from(["confirmed", "false-positive"]),
        st.integers(-10, 2_000).map(lambda days: NOW - timedelta(days=days)),
    ),
    max_size=12,
)
PRIOR = st.sampled_from(list(PRIORS.values()))


def found(kind: OutcomeKind, count: int = 1, days: int = 0) -> list[Outcome]:
    return [Outcome(kind, NOW - timedelta(days=days))] * count


@pytest.mark.parametrize(
    ("level", "percent"),
    [
        (TrustLevel.BLOCKED, 0),
        (TrustLevel.KNOWN, 50),
        (TrustLevel.MEMBER, 75),
        (TrustLevel.TRUSTED, 89),
        (TrustLevel.PARTNER, 95),
    ],
    ids=str,
)
def test_the_prior_of_each_preset(level: TrustLevel, percent: int) -> None:
    assert round(100 * reliability(PRIORS[level], [], NOW)) == percent


def test_a_false_positive_weighs_three_confirmations() -> None:
    prior = PRIORS[TrustLevel.MEMBER]
    assert reliability(prior, found("confirmed"), NOW) == pytest.approx(4 / 5)
    assert reliability(prior, found("false-positive"), NOW) == pytest.approx(3 / 7)
    assert gather(found("confirmed", 3) + found("false-positive"), NOW) == Record(3.0, 3.0)


def test_what_turned_out_halves_in_180_days_and_the_prior_does_not() -> None:
    assert gather(found("false-positive", days=180), NOW).beta == pytest.approx(1.5)
    assert timedelta(days=180) == HALVING_TIME
    prior = PRIORS[TrustLevel.TRUSTED]
    assert reliability(prior, found("false-positive", 9, 20 * 365), NOW) == pytest.approx(
        prior.mean, abs=1e-4
    )


def test_nothing_known_is_no_reliability() -> None:
    assert Record(0.0, 0.0).mean == 0


@given(PRIOR, OUTCOMES, st.randoms(use_true_random=False))
def test_reliability_is_bounded_and_blind_to_order(prior, outcomes, shuffling) -> None:
    before = reliability(prior, outcomes, NOW)
    shuffling.shuffle(outcomes)
    assert reliability(prior, outcomes, NOW) == before
    assert 0 <= before <= 1


@given(PRIOR, OUTCOMES)
def test_a_confirmation_never_harms_and_a_false_positive_never_helps(prior, outcomes) -> None:
    before = reliability(prior, outcomes, NOW)
    assert reliability(prior, [*outcomes, *found("confirmed")], NOW) >= before
    assert reliability(prior, [*outcomes, *found("false-positive")], NOW) <= before


@pytest.mark.parametrize(
    ("conduct", "code"),
    [
        (Conduct(), None),
        (Conduct(fork_proven=True), "DEMOTED_FORK"),
        (Conduct(protected_hits=2), None),
        (Conduct(protected_hits=3), "DEMOTED_PROTECTED_NAMES"),
        (Conduct(adjudicated=39, false_positives=39), None),
        (Conduct(adjudicated=40, false_positives=2), None),
        (Conduct(adjudicated=40, false_positives=3), "DEMOTED_FALSE_POSITIVES"),
        (Conduct(adjudicated=1_000, false_positives=50), None),
        (Conduct(signature_failures=10), None),
        (Conduct(signature_failures=11), "DEMOTED_SIGNATURES"),
        (Conduct(document_expired=True), "DEMOTED_EXPIRED"),
        (Conduct(fork_proven=True, protected_hits=9, document_expired=True), "DEMOTED_FORK"),
    ],
)
def test_a_peer_is_demoted_for_cause(conduct: Conduct, code: str | None) -> None:
    cause = decide_demotion(conduct)
    assert (cause and cause.code) == code
    assert cause is None or cause.code in CAUSE_CODES


def test_a_fork_freezes_and_nothing_else_does() -> None:
    forked, expired = Conduct(fork_proven=True), Conduct(document_expired=True)
    assert [decide_demotion(each).freezes for each in (forked, expired)] == [True, False]  # type: ignore[union-attr]
