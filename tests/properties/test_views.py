"""THREATS section 2, invariant 3, as far as the rules go: hidden objects change no view."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from federation.policy.sharing import ReaderStanding, decide_reader
from federation.policy.views import CEILINGS, ceilings_for, touches
from schemas.markings import Tlp

TLPS = st.sampled_from(Tlp)
OBJECTS = st.lists(st.tuples(TLPS, st.booleans(), st.booleans()), max_size=12)
LABEL = st.text("abcxyz019-", min_size=1, max_size=8)
NAME = st.lists(LABEL, min_size=1, max_size=5).map(".".join)


@given(OBJECTS, TLPS)
def test_a_view_is_a_function_of_what_is_visible_in_it(
    objects: list[tuple[Tlp, bool, bool]], ceiling: Tlp
) -> None:
    def view(corpus: list[tuple[Tlp, bool, bool]]) -> list[tuple[Tlp, bool, bool]]:
        return [one for one in corpus if ceiling in ceilings_for(*one)]

    visible = [one for one in objects if one[0] <= ceiling]
    assert view(objects) == view(visible)


@given(TLPS, st.booleans(), st.booleans())
def test_views_are_nested(tlp: Tlp, machine: bool, exercise: bool) -> None:
    ceilings = ceilings_for(tlp, machine, exercise)
    assert ceilings == () or ceilings == tuple(one for one in CEILINGS if one >= ceilings[0])
    assert all(ceiling >= tlp for ceiling in ceilings)


@given(TLPS, st.booleans(), TLPS)
def test_an_own_token_reads_what_the_view_at_its_clearance_holds(
    tlp: Tlp, machine: bool, clearance: Tlp
) -> None:
    reader = ReaderStanding("siem", "own", clearance, originals=True)
    decision = decide_reader(tlp, reader=reader, machine=machine, touches=False)
    assert decision.allowed is (clearance in ceilings_for(tlp, machine, exercise=False))


@given(NAME, NAME)
def test_a_zone_matches_itself_and_names_below_it_alone(name: str, zone: str) -> None:
    inside = name == zone or name.endswith("." + zone)
    assert touches({"type": "domain-name", "value": name}, [zone], []) is inside


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 32))
def test_a_prefix_matches_the_addresses_that_share_its_bits(
    address: object, network: object, length: int
) -> None:
    shared = int(address) >> (32 - length) == int(network) >> (32 - length)  # type: ignore[call-overload]
    value = {"type": "ipv4-addr", "value": str(address)}
    assert touches(value, [], [f"{network}/{length}"]) is shared


@given(NAME, st.lists(NAME, max_size=3), st.lists(NAME, max_size=3))
def test_more_zones_never_touch_less(name: str, zones: list[str], more: list[str]) -> None:
    value = {"type": "domain-name", "value": name}
    assert touches(value, zones, []) <= touches(value, zones + more, [])
