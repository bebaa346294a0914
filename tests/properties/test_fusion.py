"""PROTOCOL 4.4: the fusion's properties, and those of lineages below it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.trust.fusion import MOST_CERTAIN, Report, fuse
from federation.trust.lineage import Told, lineages_of

T0 = datetime(2026, 3, 1, tzinfo=UTC)
WEIGHTS = st.floats(0, 1)
REPORTS = st.lists(
    st.builds(Report, st.sampled_from("abcdefgh"), WEIGHTS, st.booleans()), max_size=12
)
ORIGINS = st.sampled_from(["a", "b", "c", "d", "me"])
CLAIMS = st.lists(
    st.builds(
        Told,
        origin=ORIGINS,
        entry_hash=st.sampled_from([None, "h1", "h2", "h3"]),
        src=st.sampled_from(
            [(), ("own-sensor",), ("feed:x",), ("feed:y",), ("entry:h1",), ("entry:h2", "feed:x")]
        ),
        pattern_key=st.sampled_from(["p", "q"]),
        claimed_at=st.integers(0, 20).map(lambda days: T0 + timedelta(days=days)),
        has_own_sighting=st.booleans(),
    ),
    max_size=7,
    unique=True,
)
RECEIPTS = st.dictionaries(
    st.tuples(ORIGINS, ORIGINS), st.integers(0, 20).map(lambda days: T0 + timedelta(days=days))
)


def slack(value: float) -> float:
    """Room for the last bits: one more factor is one more rounding."""
    return value + 1e-12


@given(REPORTS, REPORTS)
def test_bounded(support, disputes) -> None:
    found = fuse(support, disputes)
    assert 0 <= found.result <= MOST_CERTAIN
    assert 0 <= found.dispute <= 1
    assert found.trusted_lineages <= found.lineages <= len({each.lineage for each in support})


@given(REPORTS, REPORTS, st.randoms(use_true_random=False))
def test_order_independent_to_the_last_bit(support, disputes, shuffling) -> None:
    before = fuse(support, disputes)
    shuffling.shuffle(support)
    shuffling.shuffle(disputes)
    assert fuse(support, disputes) == before


@given(REPORTS, REPORTS, st.integers(1, 5))
def test_echo_invariant(support, disputes, times) -> None:
    assert fuse(support * times, disputes * times) == fuse(support, disputes)


@given(REPORTS, REPORTS, st.floats(0, 1))
def test_a_weaker_copy_changes_nothing(support, disputes, part) -> None:
    copies = [Report(each.lineage, each.weight * part, trusted=False) for each in support]
    assert fuse([*support, *copies], disputes) == fuse(support, disputes)


@given(REPORTS, REPORTS, st.builds(Report, st.sampled_from("abxyz"), WEIGHTS, st.booleans()))
def test_monotone_in_support_and_antitone_in_disputes(support, disputes, one) -> None:
    before = fuse(support, disputes)
    more = fuse([*support, one], disputes)
    assert slack(more.result) >= before.result
    assert more.lineages >= before.lineages
    assert more.trusted_lineages >= before.trusted_lineages
    assert fuse(support, [*disputes, one]).result <= slack(before.result)


@given(WEIGHTS, st.integers(1, 300))
def test_t39_sybil_bounded(weight, count) -> None:
    """The sum of a geometric row: never more than 1 / (1 - 0.7) times one of them."""
    found = fuse([Report(str(n), weight, trusted=False) for n in range(count)], [])
    assert found.result <= slack(weight / (1 - 0.7))


@given(WEIGHTS, st.integers(1, 300), REPORTS)
def test_t40_disputes_are_bounded_as_support_is(weight, count, support) -> None:
    sybils = [Report(str(n), weight, trusted=False) for n in range(count)]
    found = fuse(support, sybils)
    assert found.dispute == fuse(sybils, []).support
    assert found.result >= fuse(support, []).result * (1 - weight / (1 - 0.7)) - 1e-12


def named(claims: list[Told], receipts: dict[tuple[str, str], datetime]) -> list[str]:
    return lineages_of(
        claims, lambda origin, index: receipts.get((origin, claims[index].origin)), own="me"
    )


@given(CLAIMS, RECEIPTS, st.randoms(use_true_random=False))
def test_lineages_do_not_depend_on_the_order_of_claims(claims, receipts, shuffling) -> None:
    before = dict(zip(claims, named(claims, receipts), strict=True))
    shuffling.shuffle(claims)
    assert dict(zip(claims, named(claims, receipts), strict=True)) == before


@given(CLAIMS, RECEIPTS)
def test_no_peer_speaks_in_two_lineages(claims, receipts) -> None:
    found = named(claims, receipts)
    for peer in {claim.origin for claim in claims} - {"me"}:
        assert len({found[n] for n, claim in enumerate(claims) if claim.origin == peer}) == 1


@given(CLAIMS, RECEIPTS, st.integers(0, 20))
def test_t18_a_newcomers_echo_moves_nobody(claims, receipts, days) -> None:
    """It joins a lineage that is there, and the claims before it keep theirs."""
    copies = [claim for claim in claims if claim.pattern_key == "p"]
    before = named(claims, receipts)
    at = T0 + timedelta(days=days)
    echo = Told("z", None, ("feed:made-up",), "p", at, has_own_sighting=False)
    receipts |= {("z", claim.origin): at for claim in claims}
    after = named([*claims, echo], receipts)
    assert after[:-1] == before
    assert after[-1] in set(before) if copies else after[-1] == "feed:made-up"


@pytest.mark.parametrize("others", [0, 3])
def test_t18_echoes_of_a_stranger_never_make_a_second_lineage(others) -> None:
    claims = [Told("a", "h", (), "p", T0, has_own_sighting=False)]
    claims += [
        Told(f"z{n}", None, (), "p", T0 + timedelta(days=1), has_own_sighting=False)
        for n in range(others)
    ]
    found = lineages_of(claims, lambda origin, _: T0 if origin != "a" else None)
    assert set(found) == {"origin:a"}
