"""PROTOCOL 2.4 ``objects``: what stands on an object says what its entry says."""

from __future__ import annotations

from typing import Any

import pytest

from federation.errors import ContentRejected
from federation.feeds.printed_labels import check_printed, printed_tlp
from schemas.markings import TLP_BY_MARKING_ID, Tlp
from tests.federation.feeds.feed_writer import indicator

STATEMENT = "marking-definition--00000000-0000-4000-8000-000000000000"


def refusal(value: dict[str, Any], tlp: Tlp) -> str:
    with pytest.raises(ContentRejected) as caught:
        check_printed(value, tlp)
    return caught.value.code


@pytest.mark.parametrize("printed", Tlp)
@pytest.mark.parametrize("entry", Tlp)
def test_stricter_and_weaker_prints_are_rejected(printed: Tlp, entry: Tlp) -> None:
    if printed is entry:
        check_printed(indicator(tlp=printed), entry)
    else:
        assert refusal(indicator(tlp=printed), entry) == "E_POLICY"


@pytest.mark.parametrize("entry", Tlp)
def test_only_clear_may_be_unprinted(entry: Tlp) -> None:
    if entry is Tlp.CLEAR:
        check_printed(indicator(tlp=None), entry)
    else:
        assert refusal(indicator(tlp=None), entry) == "E_POLICY"
        assert refusal(indicator(tlp=None, object_marking_refs=[STATEMENT]), entry) == "E_POLICY"


@pytest.mark.parametrize("marking", list(TLP_BY_MARKING_ID))
def test_tlp_1_and_2_are_known_by_their_ids(marking: str) -> None:
    value = indicator(tlp=None, object_marking_refs=[STATEMENT, marking])
    assert printed_tlp(value) is TLP_BY_MARKING_ID[marking]
    check_printed(value, TLP_BY_MARKING_ID[marking])


def test_of_two_prints_the_strictest_counts() -> None:
    refs = [Tlp.GREEN.marking_id, Tlp.RED.marking_id]
    assert refusal(indicator(object_marking_refs=refs), Tlp.GREEN) == "E_POLICY"
    check_printed(indicator(object_marking_refs=refs), Tlp.RED)


def test_t20_a_part_stricter_than_its_entry_is_rejected() -> None:
    def marked(tlp: Tlp) -> dict[str, Any]:
        part = {"marking_ref": tlp.marking_id, "selectors": ["name"]}
        return indicator(granular_markings=[{"lang": "de", "selectors": ["name"]}, part])

    check_printed(marked(Tlp.CLEAR), Tlp.GREEN)
    check_printed(marked(Tlp.GREEN), Tlp.GREEN)
    assert refusal(marked(Tlp.RED), Tlp.GREEN) == "E_POLICY"


@pytest.mark.parametrize("kind", ["marking-definition", "extension-definition"])
def test_definitions_print_nothing(kind: str) -> None:
    check_printed({"type": kind}, Tlp.AMBER)


@pytest.mark.parametrize(
    "members",
    [
        {"object_marking_refs": "x"},
        {"object_marking_refs": [1]},
        {"granular_markings": {}},
        {"granular_markings": ["x"]},
    ],
    ids=repr,
)
def test_ill_typed_markings_are_malformed(members: dict[str, Any]) -> None:
    assert refusal(indicator(tlp=None, **members), Tlp.CLEAR) == "E_SCHEMA"
