from __future__ import annotations

import copy
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.imports.stix20_bundles import read_stix20
from schemas.errors import WireFormatError
from schemas.identifiers import own_stix_id
from schemas.markings import TLP_BY_MARKING_ID, Tlp
from schemas.stix.validation import check_object

NODE = "a" * 52
IDENTITY = "identity--5bd60eb1-7f6e-4d3c-8d3e-000000000001"
AT = "2018-04-01T10:00:00.000Z"
TLP_GREEN = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"


def old(stix_type, number=1, **members):
    return {
        "type": stix_type,
        "id": f"{stix_type}--{uuid.UUID(int=number, version=4)}",
        "created": AT,
        "modified": AT,
    } | members


INDICATOR = old(
    "indicator", 1, labels=["malicious-activity"], valid_from=AT, name="C2",
    pattern="[domain-name:value = 'evil.example']", object_marking_refs=[TLP_GREEN],
    created_by_ref=old("identity", 2)["id"],
)  # fmt: skip
IDENTITY_20 = old("identity", 2, name="Somebody", identity_class="organization", labels=["cert"])
MALWARE = old("malware", 3, name="Bot", labels=["bot"])
RELATION = old(
    "relationship", 4, relationship_type="indicates", source_ref=INDICATOR["id"],
    target_ref=MALWARE["id"],
)  # fmt: skip
OBSERVED = old(
    "observed-data", 5, first_observed=AT, last_observed=AT, number_observed=2,
    objects={
        "0": {"type": "domain-name", "value": "evil.example", "resolves_to_refs": ["1"]},
        "1": {"type": "ipv4-addr", "value": "192.0.2.1"},
    },
)  # fmt: skip
SIGHTING = old(
    "sighting", 6, sighting_of_ref=INDICATOR["id"], observed_data_refs=[OBSERVED["id"]], count=2
)
STATEMENT = {
    "type": "marking-definition", "id": old("marking-definition", 7)["id"], "created": AT,
    "definition_type": "statement", "definition": {"statement": "Copyright"},
}  # fmt: skip
TLP_BY_ANOTHER_ID = {
    "type": "marking-definition", "id": old("marking-definition", 8)["id"], "created": AT,
    "definition_type": "tlp", "definition": {"tlp": "amber"},
}  # fmt: skip


def bundle(*values):
    head = {"type": "bundle", "id": f"bundle--{uuid.UUID(int=9, version=4)}", "spec_version": "2.0"}
    return json.dumps(head | {"objects": values}).encode()


def read(*values):
    drafts, report = read_stix20(bundle(*values), node_id=NODE, identity=IDENTITY)
    return {draft.value["type"]: draft for draft in drafts}, report


def test_every_common_object_becomes_a_sound_one_of_this_node():
    found, report = read(INDICATOR, IDENTITY_20, MALWARE, RELATION, OBSERVED, SIGHTING, STATEMENT)
    assert not report.skipped
    assert (report.taken, len(report.changed), report.total_lines) == (7, 7, 7)
    for draft in found.values():
        check_object(draft.value)
        assert draft.value["spec_version"] == "2.1"
        if draft.idn_name is not None:
            assert draft.value["id"] == own_stix_id(NODE, draft.value["type"], draft.idn_name)


def test_an_indicator_says_what_it_said():
    value = read(INDICATOR)[0]["indicator"].value
    assert value["indicator_types"] == value["labels"] == ["malicious-activity"]
    assert (value["pattern_type"], value["pattern"]) == ("stix", INDICATOR["pattern"])
    assert value["created_by_ref"] == IDENTITY
    assert value["id"] != INDICATOR["id"]
    assert value["external_references"][-1] == {
        "source_name": "stix-2.0",
        "external_id": INDICATOR["id"].partition("--")[2],
        "description": "indicator",
    }
    assert [TLP_BY_MARKING_ID[ref] for ref in value["object_marking_refs"]] == [Tlp.GREEN]


def test_ids_are_the_same_each_time_and_references_follow_them():
    one, _ = read(INDICATOR, MALWARE, RELATION)
    again, _ = read(RELATION, MALWARE, INDICATOR)
    assert {t: d.value for t, d in one.items()} == {t: d.value for t, d in again.items()}
    relation = one["relationship"].value
    assert relation["source_ref"] == one["indicator"].value["id"]
    assert relation["target_ref"] == one["malware"].value["id"]


def test_what_was_inside_observed_data_stands_by_itself():
    found, _ = read(OBSERVED)
    domain, address = found["domain-name"], found["ipv4-addr"]
    assert domain.value["resolves_to_refs"] == [address.value["id"]]
    assert set(found["observed-data"].value["object_refs"]) == {
        domain.value["id"], address.value["id"],
    }  # fmt: skip
    assert domain.line is None
    assert found["observed-data"].line == 1


def test_a_tlp_under_any_id_is_the_tlp_that_it_says():
    marked = INDICATOR | {"object_marking_refs": [TLP_BY_ANOTHER_ID["id"]]}
    found, report = read(marked, TLP_BY_ANOTHER_ID)
    [mark] = found["indicator"].value["object_marking_refs"]
    assert TLP_BY_MARKING_ID[mark] is Tlp.AMBER
    assert report.counts() == {"E_STIX_DUPLICATE": 1}


def test_a_mark_on_a_part_becomes_one_of_the_whole():
    part = {"selectors": ["labels"], "marking_ref": TLP_BY_ANOTHER_ID["id"]}
    found, _ = read(INDICATOR | {"granular_markings": [part]}, TLP_BY_ANOTHER_ID)
    value = found["indicator"].value
    assert "granular_markings" not in value
    assert {TLP_BY_MARKING_ID[ref] for ref in value["object_marking_refs"]} == {
        Tlp.GREEN, Tlp.AMBER,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (5, "E_SCHEMA"),
        ({"type": "indicator"}, "E_SCHEMA"),
        (INDICATOR | {"pattern": "[x"}, "E_SCHEMA"),
        (OBSERVED | {"objects": {}}, "E_SCHEMA"),
        (OBSERVED | {"objects": {"0": {"type": "url", "value": "x", "a_refs": ["9"]}}}, "E_SCHEMA"),
        (OBSERVED | {"objects": {"0": {"type": "process", "pid": 1}}}, "E_STIX_OBSERVABLE"),
        (RELATION | {"source_ref": "nothing"}, "E_SCHEMA"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_named_and_spoils_no_other(value, code):
    found, report = read(value, MALWARE)
    assert [(line.line, line.code) for line in report.skipped] == [(1, code)]
    assert list(found) == ["malware"]


def test_an_id_twice_is_one():
    _, report = read(INDICATOR, INDICATOR)
    assert report.counts() == {"E_STIX_DUPLICATE": 1}


ODD = st.sampled_from([None, 1, "x", [], {}, ["x"], [1], {"0": 1}, {"0": {"type": 1}}, True])


@given(
    st.sampled_from([INDICATOR, OBSERVED, MALWARE, RELATION, STATEMENT, IDENTITY_20]),
    st.data(),
)
def test_nothing_in_an_object_breaks_the_reading(value, data):
    broken = copy.deepcopy(value)
    member = data.draw(st.sampled_from([*value, "labels", "granular_markings", "objects"]))
    broken[member] = data.draw(ODD)
    try:
        drafts, report = read_stix20(bundle(broken), node_id=NODE, identity=IDENTITY)
    except WireFormatError:
        return
    assert report.taken + len(report.skipped) == report.total_lines
    assert sum(draft.line is not None for draft in drafts) == report.taken
