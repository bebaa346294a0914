from __future__ import annotations

import contextlib
import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import WireFormatError
from schemas.markings import Tlp, tlp2_marking_definition
from schemas.stix.objects import KNOWN_TYPES
from schemas.stix.validation import check_object
from tests.schemas.stix.examples import domain_name, indicator, sdo
from tests.support.shared_data import shared_path


def refusal(value: dict[str, Any]) -> str:
    with pytest.raises(WireFormatError) as caught:
        check_object(value)
    assert caught.value.code == "E_SCHEMA"
    return caught.value.detail


def test_right_objects_pass():
    check_object(indicator())
    check_object(domain_name())
    check_object(MappingProxyType(indicator()))
    for tlp in Tlp:
        check_object(tlp2_marking_definition(tlp))


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (indicator(labels=[]), "$.labels"),
        (indicator(confidence=True), "$.confidence"),
        (indicator(confidence=101), "$.confidence"),
        (indicator(confidence=85.0), "$.confidence"),
        (indicator(pattern=5), "$.pattern"),
        (indicator(revoked="false"), "$.revoked"),
        (indicator(valid_from="2026-03-01"), "$.valid_from"),
        (indicator(created="2026-03-01T10:00:00+00:00"), "$.created"),
        (indicator(external_references=[{"source_name": 1}]), "$.external_references[0]"),
        (indicator(extensions={"made-up": {}}), "$.extensions"),
        (sdo("relationship", source_ref="x"), "$"),
        (domain_name(value=5), "$.value"),
    ],
)
def test_the_detail_names_the_json_path(value, path):
    assert refusal(value).startswith(f"{path}")


def test_a_missing_property_is_named():
    value = indicator()
    del value["pattern"]
    assert "pattern" in refusal(value)


def test_the_detail_never_holds_the_content():
    assert "secret" not in refusal(indicator(name={"secret": "secret"}, labels="secret"))


def test_a_huge_value_does_not_fill_the_log():
    assert len(refusal(indicator(confidence="9" * 100_000))) < 300


@pytest.mark.parametrize("stix_type", ["x-mitre-data-source", "x-tocsin-thing"])
def test_of_an_unknown_type_only_the_common_properties_are_checked(stix_type):
    check_object(sdo(stix_type, anything={"severity": None, "empty": []}, valid_from="whenever"))
    bare = {"type": stix_type, "id": f"{stix_type}--b23a303b-2d58-59b9-af74-02f586881b74"}
    check_object(bare)
    assert "$.created" in refusal(sdo(stix_type, created="yesterday"))
    assert "$.modified" in refusal(sdo(stix_type, modified="2026-02-31T10:00:00.000Z"))
    assert "$.modified" in refusal(sdo(stix_type, modified="2025-03-01T10:00:00.000Z"))
    assert "$.spec_version" in refusal(bare | {"created": "2026-03-01T10:00:00.000Z"})
    assert "$.object_marking_refs" in refusal(sdo(stix_type, object_marking_refs="tlp"))


@pytest.mark.parametrize("stix_type", ["a" * 40 + "!", "-" * 200, "indicator\n", ""])
def test_a_crafted_type_is_rejected_and_stalls_nothing(stix_type):
    refusal(indicator(type=stix_type, id=f"{stix_type}--b23a303b-2d58-59b9-af74-02f586881b74"))


def test_a_bundle_is_no_object():
    refusal({"type": "bundle", "id": "bundle--b23a303b-2d58-59b9-af74-02f586881b74", "objects": []})


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PROPERTIES = [
    "created", "modified", "created_by_ref", "object_marking_refs", "granular_markings", "labels",
    "extensions", "first_seen", "last_seen", "start_time", "stop_time", "pattern", "pattern_type",
    "valid_until", "sighting_of_ref", "source_ref", "is_family", "confidence", "hashes", "end",
    "spec_version", "id", "value", "objects", "date", "is_active",
]  # fmt: skip


@given(
    st.sampled_from([*sorted(KNOWN_TYPES), "x-other"]),
    st.booleans(),
    st.dictionaries(st.sampled_from(PROPERTIES), json_values, max_size=4),
)
def test_whatever_comes_is_accepted_or_rejected_and_never_crashes(stix_type, slim, members):
    value = domain_name() if slim else indicator()
    value["type"] = stix_type
    value["id"] = f"{stix_type}--b23a303b-2d58-59b9-af74-02f586881b74"
    with contextlib.suppress(WireFormatError):
        check_object(value | members)


@given(st.dictionaries(st.sampled_from(PROPERTIES), json_values, max_size=4))
def test_custom_values_on_a_cyber_observable_never_crash(members):
    with contextlib.suppress(WireFormatError):
        check_object(domain_name() | members)


def read_shared(relative: str) -> list[dict[str, Any]]:
    value = json.loads(shared_path(relative).read_bytes())
    objects = value["objects"] if isinstance(value, dict) and value["type"] == "bundle" else value
    return objects if isinstance(objects, list) else [objects]


@pytest.mark.parametrize("name", ["conficker", "kaminsky", "cctld_hijack", "avalanche"])
def test_the_four_cases_that_the_product_exists_for_are_valid(name):
    for value in read_shared(f"stix/{name}.json"):
        check_object(value)


def test_all_of_attack_for_ics_is_valid():
    objects = read_shared("data/attack/ics-attack.json")
    for value in objects:
        check_object(value)
    assert len(objects) > 1800


def test_the_examples_of_oasis_are_valid_but_for_one_id_in_upper_case():
    wrong = []
    for path in sorted(shared_path("data/oasis-examples").glob("*.json")):
        for value in read_shared(f"data/oasis-examples/{path.name}"):
            try:
                check_object(value)
            except WireFormatError as error:
                wrong.append((path.name, value["id"], error.detail.split(":")[0]))
    assert wrong == [
        ("infrastructure.json", "relationship--81f12913-1372-4c96-85ec-E9034ac98aba", "$.id")
    ]


def test_the_objects_of_the_protocol_vectors_are_valid():
    vectors = json.loads(shared_path("vectors/protocol.json").read_bytes())
    objects = [
        value
        for entry in vectors["entries"]
        for value in json.loads(entry["payload_utf8"]).get("objects", [])
    ]
    assert objects
    for value in objects:
        check_object(value)
