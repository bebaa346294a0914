"""References leak too (PROTOCOL 3.4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from federation.policy.closure import PUBLIC_IDS, Leak, find_leaks, references_of
from schemas.markings import EffectiveLabel, Tlp
from tests.support.shared_data import shared_path

RELATIONSHIP = "relationship--00000000-0000-4000-8000-000000000001"
INDICATOR = "indicator--00000000-0000-4000-8000-000000000002"
DOMAIN = "domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7"
IDENTITY = "identity--e7a3b507-5f6b-5979-9ee9-d77e1dda30c6"
NOTE = "note--00000000-0000-4000-8000-000000000003"
STATEMENT = "marking-definition--d81f86b9-975b-4c0b-875e-810c5ad45a4f"

GREEN = EffectiveLabel(Tlp.GREEN)
CLEAR = EffectiveLabel(Tlp.CLEAR)


def amber_for(*nodes: str) -> EffectiveLabel:
    return EffectiveLabel(Tlp.AMBER, frozenset(nodes))


def relationship(**members: Any) -> dict[str, Any]:
    return {"type": "relationship", "id": RELATIONSHIP, "source_ref": INDICATOR} | members


def leaks_of(
    value: dict[str, Any],
    label: EffectiveLabel,
    held: dict[str, EffectiveLabel],
    public: frozenset[str] = frozenset(),
) -> list[tuple[str, str]]:
    found = find_leaks([value], {value["id"]: label}, held.get, public)
    return [(leak.ref, leak.why) for leak in found]


# --- which references an object has --------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        {"target_ref": DOMAIN},
        {"object_refs": [INDICATOR, DOMAIN]},
        {"where_sighted_refs": [DOMAIN]},
        {"observed_data_refs": [DOMAIN]},
        {"x_example_ref": DOMAIN},
        {"description": f"seen with {DOMAIN}, twice"},
        {"description": f"seen with {DOMAIN.upper()}"},
        {"external_references": [{"source_name": "x", "description": f"({DOMAIN})"}]},
        {"extensions": {"extension-definition--x": {"batch_ref": DOMAIN}}},
        {"granular_markings": [{"lang": "en", "selectors": [DOMAIN]}]},
        {"x_table": {DOMAIN: "the key is the id"}},
        {"x_deep": [[{"a": [{"b": DOMAIN}]}]]},
        {DOMAIN: True},
    ],
)
def test_an_id_is_found_wherever_it_stands(members: dict[str, Any]) -> None:
    assert DOMAIN in references_of(relationship(**members))


def test_an_escape_in_the_json_does_not_hide_an_id() -> None:
    sent = json.dumps(relationship(description=DOMAIN)).replace(
        "domain-name--", "d\\u006fmain-name\\u002d-"
    )
    assert DOMAIN not in sent
    assert DOMAIN in references_of(json.loads(sent))


def test_own_id_markings_and_extension_keys_are_no_references() -> None:
    value = relationship(
        object_marking_refs=[STATEMENT],
        granular_markings=[{"marking_ref": STATEMENT, "selectors": ["description"]}],
        extensions={"extension-definition--1cac9197-2746-5cc7-98e0-6262a0d35142": {"a": 1}},
        description=f"I am {RELATIONSHIP}",
    )
    assert references_of(value) == {INDICATOR}


def test_a_marking_definition_in_object_refs_is_a_reference() -> None:
    assert STATEMENT in references_of(relationship(object_refs=[STATEMENT]))


def test_a_bare_uuid_and_two_dashes_are_no_references() -> None:
    value = {"type": "note", "id": NOTE, "content": f"a -- b {INDICATOR.split('--')[1]} x--y"}
    assert references_of(value) == frozenset()


@pytest.mark.parametrize(
    "text",
    [f"x--{DOMAIN}", f"1-{DOMAIN}", f"({DOMAIN})", DOMAIN.replace("--", "---"), f"é{DOMAIN}"],
)
def test_what_stands_before_an_id_does_not_hide_it(text: str) -> None:
    assert references_of({"type": "note", "id": NOTE, "content": text}) == {DOMAIN}


def test_an_id_glued_to_a_word_is_still_a_reference_and_cannot_resolve() -> None:
    value = {"type": "note", "id": NOTE, "content": f"seen-{DOMAIN}"}
    assert references_of(value) == {f"seen-{DOMAIN}"}


def test_t32_a_long_text_takes_time_linear_in_its_length() -> None:
    # Both are far beyond what an expression that begins with the type could search in the
    # suite's time limit.
    value = {"type": "note", "id": NOTE, "content": "a" * 4_000_000 + "--", "x": "a-" * 2_000_000}
    assert references_of(value) == frozenset()


# --- which of them leak ------------------------------------------------------------------------


def test_t21_a_green_relationship_to_a_red_observable_leaks() -> None:
    held = {INDICATOR: GREEN, DOMAIN: EffectiveLabel(Tlp.RED)}
    assert leaks_of(relationship(target_ref=DOMAIN), GREEN, held) == [(DOMAIN, "stricter")]


@pytest.mark.parametrize("label", [CLEAR, GREEN])
def test_t21_a_dangling_observable_leaks(label: EffectiveLabel) -> None:
    value = relationship(source_ref=DOMAIN)
    assert leaks_of(value, label, {}) == [(DOMAIN, "dangling-observable")]


def test_any_other_reference_must_resolve_too() -> None:
    assert leaks_of(relationship(), amber_for("B"), {}) == [(INDICATOR, "dangling")]


def test_an_id_in_free_text_leaks_like_a_reference() -> None:
    note = {"type": "note", "id": NOTE, "content": f"compare {INDICATOR}"}
    assert leaks_of(note, GREEN, {INDICATOR: amber_for("B")}) == [(INDICATOR, "stricter")]


@pytest.mark.parametrize(
    ("reading", "held", "leaks"),
    [
        (GREEN, CLEAR, []),
        (GREEN, GREEN, []),
        (amber_for("B"), GREEN, []),
        (amber_for("B"), amber_for("B", "C"), []),
        (amber_for("B", "C"), amber_for("B"), [(INDICATOR, "narrower")]),
        (amber_for("B"), amber_for("C"), [(INDICATOR, "narrower")]),
        (GREEN, EffectiveLabel(Tlp.GREEN, frozenset({"B"})), [(INDICATOR, "narrower")]),
        (CLEAR, GREEN, [(INDICATOR, "stricter")]),
    ],
)
def test_label_no_stricter_and_audience_no_smaller(
    reading: EffectiveLabel, held: EffectiveLabel, leaks: list[tuple[str, str]]
) -> None:
    assert leaks_of(relationship(), reading, {INDICATOR: held}) == leaks


def test_tlp_markings_and_the_origins_identities_are_public() -> None:
    value = relationship(
        source_ref=IDENTITY, object_refs=sorted(PUBLIC_IDS), created_by_ref=IDENTITY
    )
    assert leaks_of(value, CLEAR, {}, frozenset({IDENTITY})) == []


def test_an_identity_that_is_not_the_origins_is_not_public() -> None:
    value = relationship(source_ref=IDENTITY)
    assert leaks_of(value, CLEAR, {}) == [(IDENTITY, "dangling")]


def test_objects_of_one_entry_resolve_each_other_before_what_is_held() -> None:
    statement = {"type": "marking-definition", "id": STATEMENT, "definition_type": "statement"}
    value = relationship(source_ref=STATEMENT)
    labels = {STATEMENT: GREEN, RELATIONSHIP: GREEN}

    def resolve(ref: str) -> EffectiveLabel | None:
        raise AssertionError(f"{ref} is in the entry")

    assert find_leaks([statement, value], labels, resolve, frozenset()) == ()


def test_leaks_name_the_object_and_keep_the_order_of_the_entry() -> None:
    values = [
        relationship(target_ref=DOMAIN),
        {"type": "note", "id": NOTE, "object_refs": [DOMAIN]},
    ]
    labels = {RELATIONSHIP: GREEN, NOTE: GREEN}
    assert find_leaks(values, labels, {INDICATOR: GREEN}.get, frozenset()) == (
        Leak(RELATIONSHIP, DOMAIN, "dangling-observable"),
        Leak(NOTE, DOMAIN, "dangling-observable"),
    )


@pytest.mark.parametrize("name", ["avalanche", "cctld_hijack", "conficker", "kaminsky"])
def test_the_shared_bundles_are_closed(name: str) -> None:
    objects = json.loads(shared_path(f"stix/{name}.json").read_bytes())["objects"]
    labels = {value["id"]: GREEN for value in objects}
    assert find_leaks(objects, labels, lambda _ref: None, frozenset()) == ()
