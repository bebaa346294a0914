"""PROTOCOL 2 to 2.6: names, their forms and their derivations."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import WireFormatError
from schemas.identifiers import (
    NAMESPACE,
    FeedName,
    NodeId,
    b32,
    b64,
    direct_audience,
    entry_object_id,
    is_hash,
    is_key_id,
    is_node_id,
    is_stix_id,
    own_stix_id,
    read_b64,
    stix_type_of,
)
from schemas.identifiers import ZERO_HASH as ZERO

NODE = NodeId("zf2m" * 13)
AUDIENCES = ["clear", "green", *(f"{kind}-{'a2' * 13}" for kind in "gds")]
KINDS = ["clear", "green", "group", "direct", "sealed"]


@given(st.binary(max_size=80))
def test_base64_has_one_spelling_that_is_read_back(raw):
    assert read_b64(b64(raw)) == raw


@pytest.mark.parametrize(
    "text", ["AA", "AB==", "AA==\n", " AA==", "AA=", "A-__", "AAAA====", "é===", "AA==AA=="]
)
def test_other_spellings_of_base64_are_rejected(text):
    with pytest.raises(WireFormatError) as rejected:
        read_b64(text)
    assert rejected.value.code == "E_B64"


@given(st.text(max_size=12))
def test_whatever_base64_is_read_is_its_own_canonical_form(text):
    try:
        raw = read_b64(text)
    except WireFormatError:
        return
    assert b64(raw) == text


def test_base32_is_lower_case_without_padding():
    assert b32(b"\xff") == "74"


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("epoch", [1, 12])
def test_feed_names_are_read_as_they_are_written(audience, epoch):
    feed = FeedName(NODE, audience, epoch)
    assert FeedName.read(str(feed)) == feed


@pytest.mark.parametrize(("audience", "kind"), list(zip(AUDIENCES, KINDS, strict=True)))
def test_a_feed_knows_its_kind(audience, kind):
    assert FeedName(NODE, audience).kind == kind


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        NODE,
        f"{NODE}/green",
        f"{NODE}/green/0",
        f"{NODE}/green/01",
        f"{NODE}/green/1/",
        f"{NODE}/green/1\n",
        f"{NODE}/amber/1",
        f"{NODE}/g-short/1",
        f"{NODE}/x-{'a' * 26}/1",
        f"{NODE.upper()}/green/1",
        f"{NODE[1:]}/green/1",
        f"{NODE}/green/1234567890",
    ],
)
def test_what_is_no_feed_name_is_rejected(text):
    with pytest.raises(WireFormatError) as rejected:
        FeedName.read(text)
    assert rejected.value.code == "E_SCHEMA"


def test_a_direct_audience_names_the_first_half_of_the_peer():
    assert direct_audience(NODE) == "d-" + NODE[:26]
    assert FeedName.read(f"{NODE}/{direct_audience(NODE)}/1").kind == "direct"


@pytest.mark.parametrize(
    ("test", "good", "bad"),
    [
        (is_node_id, "a2" * 26, ["a" * 51, "A" * 52, "a1" * 26, "a" * 52 + "\n", None]),
        (is_key_id, "a2" * 13, ["a" * 25, "a8" * 13, b"a" * 26]),
        (is_hash, "0f" * 32, ["0F" * 32, "0f" * 31, "0f" * 32 + "\n", 0]),
        (
            is_stix_id,
            "indicator--682c1a61-06b2-4b1f-8c9d-000000000001",
            [
                "indicator-682c1a61-06b2-4b1f-8c9d-000000000001",
                "Indicator--682c1a61-06b2-4b1f-8c9d-000000000001",
                "indicator--682C1A61-06b2-4b1f-8c9d-000000000001",
                "indicator--682c1a61",
                ["indicator"],
            ],
        ),
    ],
)
def test_forms(test, good, bad):
    assert test(good)
    assert not any(test(text) for text in bad)


def test_derived_ids_are_uuid5_under_the_fixed_namespace():
    feed = FeedName(NODE, "green")
    assert feed.collection_id == str(uuid.uuid5(NAMESPACE, f"feed:{NODE}/green/1"))
    assert entry_object_id(feed, 3, ZERO) == "x-tocsin-entry--" + str(
        uuid.uuid5(NAMESPACE, f"{NODE}/green/1:3:{ZERO}")
    )
    own = own_stix_id(NODE, "indicator", "n4k2vqzc6m7e")
    namespace = uuid.uuid5(NAMESPACE, f"node:{NODE}")
    assert own == f"indicator--{uuid.uuid5(namespace, 'indicator:n4k2vqzc6m7e')}"
    assert stix_type_of(own) == "indicator"


@given(st.text())
def test_any_name_gives_the_uuid5_of_the_standard_library(name):
    namespace = uuid.uuid5(NAMESPACE, f"node:{NODE}")
    assert own_stix_id(NODE, "x", name) == f"x--{uuid.uuid5(namespace, f'x:{name}')}"


def test_two_nodes_never_own_one_id():
    other = NodeId("a" * 52)
    assert own_stix_id(NODE, "report", "x" * 12) != own_stix_id(other, "report", "x" * 12)
