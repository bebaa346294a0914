"""The effective label, sentence by sentence of PROTOCOL 3.1."""

from __future__ import annotations

import json
from typing import Any

import pytest

from federation.policy.labels import EMBARGO_EXTENSION, MALFORMED, effective_label
from schemas.markings import (
    TLP2_EXTENSION,
    TLP_BY_MARKING_ID,
    EffectiveLabel,
    Tlp,
    tlp2_marking_definition,
)
from tests.support.shared_data import shared_path

STATEMENT = "marking-definition--d81f86b9-975b-4c0b-875e-810c5ad45a4f"
EMBARGO = "marking-definition--f29c6c9d-a10f-5d1f-9926-dc59393f9069"
UNHEARD_OF = "marking-definition--00000000-0000-4000-8000-0000000000aa"
TLP1_RED = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"

MARKINGS: dict[str, dict[str, Any]] = {
    STATEMENT: {
        "type": "marking-definition",
        "id": STATEMENT,
        "definition_type": "statement",
        "definition": {"statement": "Copyright 2026, Example"},
    },
    EMBARGO: {
        "type": "marking-definition",
        "id": EMBARGO,
        "extensions": {
            EMBARGO_EXTENSION: {
                "extension_type": "property-extension",
                "embargo_until": "2008-07-08T18:00:00Z",
                "audience": ["group:resolver-vendors"],
                "on_expiry_tlp": "clear",
            }
        },
    },
}


def indicator(*refs: str, granular: tuple[str, ...] = ()) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "indicator", "id": "indicator--x"}
    if refs:
        value["object_marking_refs"] = list(refs)
    if granular:
        value["granular_markings"] = [
            {"marking_ref": ref, "selectors": ["description"]} for ref in granular
        ]
    return value


@pytest.mark.parametrize("entry", Tlp)
def test_unmarked_in_a_signed_entry_is_the_entrys_label(entry: Tlp) -> None:
    finding = effective_label(indicator(), entry)
    assert (finding.label.tlp, finding.printed) == (entry, None)


def test_unmarked_from_a_local_producer_is_amber_strict() -> None:
    assert effective_label(indicator(), None).label.tlp is Tlp.AMBER_STRICT


def test_a_statement_is_no_label_for_a_local_object() -> None:
    finding = effective_label(indicator(STATEMENT), None, MARKINGS)
    assert finding.label.tlp is Tlp.AMBER_STRICT
    assert finding.unknown_markings == ()


def test_a_granular_clear_does_not_label_the_whole_local_object() -> None:
    finding = effective_label(indicator(granular=(Tlp.CLEAR.marking_id,)), None)
    assert finding.label.tlp is Tlp.AMBER_STRICT


@pytest.mark.parametrize("label", Tlp)
def test_a_marked_local_object_has_its_own_label(label: Tlp) -> None:
    finding = effective_label(indicator(label.marking_id), None)
    assert (finding.label.tlp, finding.printed) == (label, label)


@pytest.mark.parametrize(
    ("marking", "label"),
    [
        ("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", Tlp.CLEAR),
        ("marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", Tlp.GREEN),
        ("marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", Tlp.AMBER),
        (TLP1_RED, Tlp.RED),
    ],
)
def test_tlp_1_maps_to_tlp_2(marking: str, label: Tlp) -> None:
    finding = effective_label(indicator(marking), None)
    assert (finding.label.tlp, finding.unknown_markings) == (label, ())


def test_of_two_tlp_markings_the_most_restrictive_holds() -> None:
    finding = effective_label(indicator(Tlp.GREEN.marking_id, TLP1_RED), Tlp.GREEN)
    assert (finding.label.tlp, finding.printed) == (Tlp.RED, Tlp.RED)


def test_a_weaker_marking_does_not_widen_the_entry() -> None:
    finding = effective_label(indicator(Tlp.CLEAR.marking_id), Tlp.AMBER)
    assert (finding.label.tlp, finding.printed) == (Tlp.AMBER, Tlp.CLEAR)


def test_t20_a_granular_red_governs_the_whole_green_object() -> None:
    finding = effective_label(
        indicator(Tlp.GREEN.marking_id, granular=(Tlp.CLEAR.marking_id, Tlp.RED.marking_id)),
        Tlp.GREEN,
    )
    assert finding.label.tlp is Tlp.RED
    assert finding.printed is Tlp.GREEN


def test_t19_a_fake_definition_under_reds_id_stays_red() -> None:
    fake = tlp2_marking_definition(Tlp.CLEAR) | {
        "id": Tlp.RED.marking_id,
        "name": "TLP:CLEAR",
        "definition_type": "statement",
    }
    finding = effective_label(indicator(Tlp.RED.marking_id), Tlp.CLEAR, {Tlp.RED.marking_id: fake})
    assert (finding.label.tlp, finding.printed) == (Tlp.RED, Tlp.RED)


def test_t19_a_private_id_with_tlp_content_is_unknown_and_not_believed() -> None:
    forged = {"type": "marking-definition", "extensions": {TLP2_EXTENSION: {"tlp_2_0": "clear"}}}
    finding = effective_label(indicator(UNHEARD_OF), Tlp.CLEAR, {UNHEARD_OF: forged})
    assert finding.label.tlp is Tlp.AMBER_STRICT
    assert finding.unknown_markings == (UNHEARD_OF,)


@pytest.mark.parametrize("entry", Tlp)
def test_a_statement_limits_nobody(entry: Tlp) -> None:
    finding = effective_label(indicator(STATEMENT), entry, MARKINGS, audience=frozenset({"B"}))
    assert finding.label == EffectiveLabel(entry, frozenset({"B"}))
    assert finding.unknown_markings == ()


def test_markings_on_a_statement_count() -> None:
    marked = MARKINGS[STATEMENT] | {"object_marking_refs": [Tlp.AMBER.marking_id]}
    finding = effective_label(indicator(STATEMENT), Tlp.GREEN, {STATEMENT: marked})
    assert finding.label.tlp is Tlp.AMBER


def test_markings_that_mark_each_other_end() -> None:
    circle = {
        STATEMENT: MARKINGS[STATEMENT] | {"object_marking_refs": [UNHEARD_OF]},
        UNHEARD_OF: MARKINGS[STATEMENT] | {"object_marking_refs": [STATEMENT, UNHEARD_OF]},
    }
    finding = effective_label(indicator(STATEMENT), Tlp.GREEN, circle)
    assert finding.label.tlp is Tlp.GREEN


@pytest.mark.parametrize(
    ("entry", "label"),
    [
        (Tlp.CLEAR, Tlp.AMBER_STRICT),
        (Tlp.AMBER, Tlp.AMBER_STRICT),
        (Tlp.AMBER_STRICT, Tlp.AMBER_STRICT),
        (Tlp.RED, Tlp.RED),
    ],
)
def test_an_embargo_only_tightens_and_its_expiry_never_widens(entry: Tlp, label: Tlp) -> None:
    finding = effective_label(indicator(EMBARGO), entry, MARKINGS)
    assert (finding.label.tlp, finding.unknown_markings) == (label, ())


@pytest.mark.parametrize(
    "definition",
    [
        None,
        {"type": "marking-definition", "definition_type": "iep", "definition": {}},
        {"type": "marking-definition", "definition_type": "tlp", "definition": {"tlp": "white"}},
        {"type": "marking-definition", "definition_type": "statement", "extensions": {"e": {}}},
        {"type": "marking-definition", "definition_type": "statement", "extensions": []},
        {"type": "marking-definition"},
    ],
)
def test_any_other_marking_is_amber_strict_and_named_for_the_quarantine(
    definition: dict[str, Any] | None,
) -> None:
    known = {} if definition is None else {UNHEARD_OF: definition}
    finding = effective_label(indicator(granular=(UNHEARD_OF,)), Tlp.CLEAR, known)
    assert finding.label.tlp is Tlp.AMBER_STRICT
    assert finding.unknown_markings == (UNHEARD_OF,)


def test_an_unknown_marking_does_not_soften_red() -> None:
    assert effective_label(indicator(UNHEARD_OF), Tlp.RED).label.tlp is Tlp.RED


def test_a_granular_language_limits_nobody() -> None:
    value = indicator() | {"granular_markings": [{"lang": "de", "selectors": ["name"]}]}
    finding = effective_label(value, Tlp.CLEAR)
    assert (finding.label.tlp, finding.unknown_markings) == (Tlp.CLEAR, ())


@pytest.mark.parametrize(
    "broken",
    [
        {"object_marking_refs": "marking-definition--x"},
        {"object_marking_refs": [7]},
        {"object_marking_refs": None},
        {"granular_markings": {}},
        {"granular_markings": ["x"]},
        {"granular_markings": [{"selectors": ["name"]}]},
        {"granular_markings": [{"marking_ref": None}]},
    ],
)
def test_broken_markings_fail_closed(broken: dict[str, Any]) -> None:
    finding = effective_label(indicator() | broken, Tlp.CLEAR)
    assert finding.label.tlp is Tlp.AMBER_STRICT
    assert finding.unknown_markings == (MALFORMED,)


def test_the_printed_mark_of_an_amber_feed_keeps_its_audience() -> None:
    named = frozenset({"B"})
    finding = effective_label(indicator(Tlp.AMBER.marking_id), Tlp.AMBER, audience=named)
    assert finding.label == EffectiveLabel(Tlp.AMBER, named)


def test_t23_a_marking_stricter_than_the_entry_is_for_nobody() -> None:
    finding = effective_label(indicator(Tlp.RED.marking_id), Tlp.CLEAR, audience=frozenset({"A"}))
    assert finding.label == EffectiveLabel(Tlp.RED, frozenset())


def test_t23_amber_without_an_audience_is_for_nobody() -> None:
    assert effective_label(indicator(), Tlp.AMBER).label.audience == frozenset()


def test_a_restrict_tightens_and_never_widens() -> None:
    value = indicator(Tlp.GREEN.marking_id)
    assert effective_label(value, Tlp.GREEN, restricted_to=Tlp.AMBER).label.tlp is Tlp.AMBER
    assert effective_label(value, Tlp.GREEN, restricted_to=Tlp.CLEAR).label.tlp is Tlp.GREEN


@pytest.mark.parametrize("mark", sorted(TLP_BY_MARKING_ID))
@pytest.mark.parametrize("entry", [None, *Tlp])
@pytest.mark.parametrize("restricted", [None, Tlp.GREEN, Tlp.RED])
@pytest.mark.parametrize("audience", [None, frozenset[str](), frozenset({"A"})])
def test_one_mark_alone_means_what_it_means_beside_nothing_else(
    mark: str, entry: Tlp | None, restricted: Tlp | None, audience: frozenset[str] | None
) -> None:
    """Most objects bear one mark, and what that comes to is kept; the other way is the long one."""
    alone = indicator(mark)
    beside = alone | {"granular_markings": []}
    found = [
        effective_label(value, entry, MARKINGS, audience=audience, restricted_to=restricted)
        for value in (alone, beside)
    ]
    assert found[0] == found[1]


def test_the_embargoed_case_of_the_shared_bundles_is_understood() -> None:
    bundle = json.loads(shared_path("stix/kaminsky.json").read_bytes())
    known = {
        value["id"]: value for value in bundle["objects"] if value["type"] == "marking-definition"
    }
    marked = [value for value in bundle["objects"] if "object_marking_refs" in value]
    assert marked
    for value in marked:
        finding = effective_label(value, None, known)
        assert finding.label.tlp is Tlp.RED
        assert finding.unknown_markings == ()
