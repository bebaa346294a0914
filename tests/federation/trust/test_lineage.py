"""PROTOCOL 4.4, THREATS 18: which claims are one word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from federation.trust.lineage import ECHO_WINDOW, Told, lineages_of

DAY = timedelta(days=1)
T0 = datetime(2026, 3, 1, tzinfo=UTC)


def told(
    origin: str,
    *src: str,
    at: datetime = T0,
    entry: str | None = None,
    seen: bool = False,
    key: str = "evil.example",
) -> Told:
    return Told(origin, entry or f"{origin}-{at}-{src}", src, key, at, has_own_sighting=seen)


def held(**when: datetime) -> Callable[[str, int], datetime | None]:
    """Say since when each origin is known to have held every claim of others."""
    return lambda origin, _: when.get(origin)


def never(_origin: str, _index: int) -> datetime | None:
    return None


def test_two_origins_are_two_lineages() -> None:
    claims = [told("a", "own-sensor"), told("b", "analyst"), told("c")]
    assert lineages_of(claims, never) == ["origin:a", "origin:b", "origin:c"]
    assert lineages_of([], never) == []


def test_two_who_read_one_list_are_one_lineage() -> None:
    claims = [told("a", "feed:urlhaus"), told("b", "feed:URLhaus "), told("c", "feed:other")]
    assert lineages_of(claims, never) == ["feed:urlhaus", "feed:urlhaus", "feed:other"]


def test_the_root_is_the_first_tag() -> None:
    assert lineages_of([told("a", "analyst", "feed:urlhaus")], never) == ["origin:a"]
    assert lineages_of([told("a", "feed:urlhaus", "analyst")], never) == ["feed:urlhaus"]


def test_what_was_made_from_an_entry_is_of_that_entrys_lineage() -> None:
    original = told("a", "feed:urlhaus", entry="h1")
    made = [told("b", "entry:h1"), told("c", "entry:h1")]
    assert lineages_of([*made, original], never) == ["feed:urlhaus"] * 3
    assert lineages_of(made, never) == ["entry:h1"] * 2


def test_one_peer_is_one_lineage_whatever_it_names() -> None:
    claims = [told("a", "feed:x", at=T0 + DAY), told("a", "feed:y"), told("b", "feed:x")]
    assert lineages_of(claims, never) == ["feed:y", "feed:y", "feed:x"]


def test_a_peers_own_sighting_is_its_voice() -> None:
    claims = [told("a", "feed:x"), told("a", "own-sensor", at=T0 + DAY, seen=True)]
    assert lineages_of(claims, never) == ["origin:a"] * 2


def test_two_lists_that_this_nodes_operator_chose_are_two_lineages() -> None:
    claims = [told("me", "feed:x"), told("me", "feed:y")]
    assert lineages_of(claims, never, own="me") == ["feed:x", "feed:y"]


@pytest.mark.parametrize(
    ("after", "is_echo"),
    [(-DAY, False), (timedelta(), True), (ECHO_WINDOW, True), (ECHO_WINDOW + DAY, False)],
)
def test_t18_a_copy_within_seven_days_of_receipt_is_an_echo(
    after: timedelta, is_echo: bool
) -> None:
    received = T0 + 3 * DAY
    claims = [told("a"), told("b", at=received + after)]
    found = lineages_of(claims, held(b=received))
    assert found == ["origin:a", "origin:a" if is_echo else "origin:b"]


def test_t18_naming_a_list_of_ones_own_does_not_hide_an_echo() -> None:
    claims = [told("a"), told("b", "feed:made-up", at=T0 + DAY)]
    assert lineages_of(claims, held(b=T0)) == ["origin:a"] * 2


def test_who_saw_it_too_is_no_echo() -> None:
    claims = [told("a"), told("b", at=T0 + DAY, seen=True)]
    assert lineages_of(claims, held(b=T0)) == ["origin:a", "origin:b"]


def test_another_pattern_is_no_echo() -> None:
    claims = [told("a"), told("b", at=T0 + DAY, key="other.example")]
    assert lineages_of(claims, held(b=T0)) == ["origin:a", "origin:b"]


def test_a_list_that_this_node_imports_is_no_echo_of_a_peer() -> None:
    claims = [told("a"), told("me", "feed:x", at=T0 + DAY)]
    assert lineages_of(claims, held(me=T0), own="me") == ["origin:a", "feed:x"]
    assert (
        lineages_of([claims[0], told("me", at=T0 + DAY)], held(me=T0), own="me") == ["origin:a"] * 2
    )


def test_an_echo_of_an_echo_is_of_the_first_lineage() -> None:
    claims = [told("c", at=T0 + 2 * DAY), told("b", at=T0 + DAY), told("a")]
    known = {("b", 2): T0, ("c", 1): T0 + DAY}
    found = lineages_of(claims, lambda origin, index: known.get((origin, index)))
    assert found == ["origin:a"] * 3


def test_an_echo_of_two_originals_does_not_tie_them_together() -> None:
    claims = [told("a"), told("b", at=T0 + DAY), told("c", at=T0 + 2 * DAY)]
    assert lineages_of(claims, held(c=T0 + DAY)) == ["origin:a", "origin:b", "origin:a"]


def test_a_newer_version_of_the_original_is_no_escape_from_the_circle() -> None:
    """A found it, B copied it, then A wrote a newer version after it had received B's copy."""
    claims = [told("a", at=T0 + 3 * DAY), told("b", at=T0 + DAY)]
    assert lineages_of(claims, held(a=T0 + 2 * DAY, b=T0)) == ["origin:b"] * 2


def test_peers_that_say_they_copied_each_other_end_somewhere() -> None:
    claims = [told("a", "entry:hb", entry="ha"), told("b", "entry:ha", entry="hb")]
    assert len(set(lineages_of(claims, never))) == 1
    assert lineages_of([told("a", "entry:ha", entry="ha"), told("b")], never) == [
        "entry:ha",
        "origin:b",
    ]


def test_thousands_of_claims_of_one_origin_on_a_name_cost_no_more_than_their_number() -> None:
    """Each is compared with what its author held, and not with every other."""
    asked = 0

    def count(origin: str, index: int) -> datetime | None:
        nonlocal asked
        asked += 1
        return T0 if origin == "b" and index == 0 else None

    many = [told("b", at=T0 + DAY + timedelta(seconds=number)) for number in range(500)]
    assert lineages_of([told("a"), *many], count) == ["origin:a"] * 501
    assert asked <= 2 * 501


def test_a_claim_of_the_first_year_is_a_claim_like_any_other() -> None:
    claims = [told("a"), told("b", at=datetime(1, 1, 1, tzinfo=UTC))]
    assert lineages_of(claims, held(b=T0)) == ["origin:a", "origin:b"]
