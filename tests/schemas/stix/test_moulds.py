"""What holds of a mould holds of each indicator in it, whatever stands in its own strings."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.policy.closure import references_in_mould, references_of
from schemas.dns.extensions import DNS_THREAT
from schemas.errors import WireFormatError
from schemas.stix import validation
from schemas.stix.moulds import LONGEST_MOULD, mould_of

REFERENCE = "domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7"
OWN_ID = "indicator--a57e499d-a612-5a1e-ba47-c1ef0df2783a"
STRANGE: list[Any] = [
    None, True, 1, 1.0, 2**60, "", "a", "x" * 254, "b" * 5000, "nämé.example", "a\\b", "a'b",
    REFERENCE, OWN_ID, f"see {REFERENCE}", REFERENCE.upper(), "xn--bcher-kva.example", "xn--" * 12,
    "stix", "yara", "identity--a57e499d-a612-5a1e-ba47-c1ef0df2783a", "extension-definition--1",
    "indicator--A57E499D-A612-5A1E-BA47-C1EF0DF2783A",
    "indicator--a57e499d-a612-9a1e-ba47-c1ef0df2783a",
    "indicator--a57e499d-a612-5a1e-0a47-c1ef0df2783a\n",
    "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.0000Z",
    "2026-02-30T00:00:00.000Z", "2026-01-01T24:00:00.000Z", "2026-12-31T23:59:60.000Z",
    "2025-01-01T00:00:00.000Z", "2030-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000z",
    "[domain-name:value = 'a']", "[domain-name:value = '']", "[domain-name:value = 'a'] ",
    "[file:name = 'a']", f"[url:value = 'http://{REFERENCE}']", f"[url:value = '{'a' * 5000}']",
    [], ["a"], {}, {"a": "b"}, [{}], {DNS_THREAT: {}}, {DNS_THREAT: None},
]  # fmt: skip
"""Values of every kind and on every border of what is taken."""


def indicator() -> dict[str, Any]:
    """An indicator as a feed of names has thousands."""
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": OWN_ID,
        "name": "evil.example",
        "pattern": "[domain-name:value = 'evil.example']",
        "created_by_ref": "identity--caf3235b-815e-5909-889a-a88d981d0351",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "description": "Domain name listed as malware-c2.",
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00.000Z",
        "valid_until": "2026-04-01T00:00:00.000Z",
        "confidence": 70,
        "labels": ["malware-c2"],
        "extensions": {
            DNS_THREAT: {
                "extension_type": "property-extension",
                "threat_type": "malware-c2",
                "match_scope": "exact",
                "tld": "example",
                "registrable_domain": "evil.example",
            }
        },
        "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
    }


def faults_alone(value: dict[str, Any]) -> bool:
    """Tell whether the whole check refuses it, asked without any mould."""
    try:
        validation._check_by_itself(value)
    except WireFormatError:
        return True
    return False


def faults(value: dict[str, Any]) -> bool:
    """Tell whether the check as it is used refuses it."""
    try:
        validation.check_object(value)
    except WireFormatError:
        return True
    return False


def assert_the_same_with_and_without(value: dict[str, Any]) -> None:
    before = copy.deepcopy(value)
    assert faults(value) == faults_alone(value)
    mould = mould_of(value)
    if mould is not None:
        assert references_in_mould(mould) - {value["id"]} == references_of(value)
    assert value == before


def test_those_that_differ_in_their_own_strings_have_one_mould():
    other = indicator() | {
        "id": OWN_ID.replace("a57e", "b57e"),
        "name": "other.example",
        "pattern": "[domain-name:value = 'other.example']",
        "created": "2026-01-02T00:00:00.000Z",
        "modified": "2026-01-03T00:00:00.000Z",
    }
    other["extensions"] = {
        DNS_THREAT: other["extensions"][DNS_THREAT] | {"registrable_domain": "other.example"}
    }
    assert mould_of(indicator()) == mould_of(other) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"confidence": 70.0},
        {"confidence": True},
        {"description": f"see {REFERENCE}"},
        {"labels": ["malware-c2", "x"]},
        {"x_more": 1},
    ],
    ids=str,
)
def test_whatever_else_differs_makes_another_mould(change):
    assert mould_of(indicator() | change) != mould_of(indicator())


@pytest.mark.parametrize("member", [*indicator(), "granular_markings", "revoked", "lang", "x_own"])
def test_no_value_of_any_member_is_judged_otherwise_through_a_mould(member):
    for strange in STRANGE:
        assert_the_same_with_and_without(indicator() | {member: strange})
    without = indicator()
    without.pop(member, None)
    assert_the_same_with_and_without(without)


@pytest.mark.parametrize("member", ["tld", "registrable_domain", "threat_type", "u_label", "x"])
def test_no_value_in_the_extension_is_judged_otherwise_through_a_mould(member):
    for strange in STRANGE:
        value = indicator()
        value["extensions"][DNS_THREAT][member] = strange
        assert_the_same_with_and_without(value)


@given(
    changes=st.dictionaries(
        st.sampled_from([*indicator(), "revoked"]), st.sampled_from(STRANGE), max_size=3
    )
)
@settings(max_examples=60)
def test_no_values_together_are_judged_otherwise_through_a_mould(changes):
    assert_the_same_with_and_without(indicator() | changes)


def test_what_mentions_itself_refers_to_nothing_and_what_mentions_another_does():
    itself = indicator() | {"description": f"this is {OWN_ID}"}
    other = itself | {"id": OWN_ID.replace("a57e", "b57e")}
    assert mould_of(itself) == mould_of(other)
    assert_the_same_with_and_without(itself)
    assert_the_same_with_and_without(other)
    assert OWN_ID in references_of(other)


def test_the_stand_in_of_an_id_is_an_id_like_any_other():
    stand_in = "indicator--00000000-0000-4000-8000-000000000000"
    value = indicator() | {"description": f"see {stand_in}"}
    assert stand_in in references_in_mould(mould_of(value) or b"")
    assert_the_same_with_and_without(value)


def test_a_mould_is_short():
    assert mould_of(indicator() | {"description": "a" * LONGEST_MOULD}) is None
