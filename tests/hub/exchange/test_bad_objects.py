"""A bad object never spoils its batch (issue 3, "Ingest that does not trust the libraries").

Good and bad objects of many types in one request, in any order and any spelling: every good one is
stored with its bytes and told of, every bad one is named with its place and a code, and of a bad
one nothing is stored. TLP 1.0 and TLP 2.0 marks mean what their tables say.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.exchange.add_objects import add_objects
from hub.exchange.collections import add_collection, grant_collection
from hub.node import Node
from hub.operators.readers import Reader
from hub.operators.tokens import add_token, list_tokens
from hub.storage.queries.objects import claims_of, contents_of, list_objects
from schemas.errors import WireFormatError
from schemas.markings import TLP_BY_MARKING_ID, Tlp
from schemas.stix.validation import check_object
from schemas.strict_json import strict_loads, write_json
from tests.hub.api.taxii.conftest import indicator
from tests.schemas.stix.faults import BASES, FAULTS, spoiled
from tests.support.nodes import make_node

NO_OBJECTS = (b"null", b"5", b'"text"', b"[]", b"{}", b"[{}]", b"true")
FIXED_IDS = {"tlp 1.0", "tlp 2.0"}


def is_right(value: dict[str, Any]) -> bool:
    try:
        check_object(value)
    except WireFormatError:
        return False
    return True


WRONG = [(b, f) for b in BASES for f in FAULTS if not is_right(spoiled(b, f))]
RIGHT = sorted(set(BASES) - FIXED_IDS)


def with_own_id(value: dict[str, Any], new: uuid.UUID) -> dict[str, Any]:
    """Give an id that no other example has, where it has an id that could be one."""
    stix_id = value.get("id")
    if not isinstance(stix_id, str) or "--" not in stix_id or stix_id.endswith("--1"):
        return value
    text = str(new).upper() if stix_id.partition("--")[2].isupper() else str(new)
    return value | {"id": f"{stix_id.partition('--')[0]}--{text}"}


def spelled(value: Any, style: int) -> bytes:
    """Write JSON as different producers do."""
    if style == 0:
        return write_json(value)
    if style == 1:
        return json.dumps(value, indent=2).encode()
    return json.dumps(value, separators=(" , ", " : "), ensure_ascii=False).encode()


def with_new_id(case: tuple[str, ...]) -> dict[str, Any]:
    """Make the object of a case; no two have one id, unless the id is what is wrong."""
    value = spoiled(*case)
    changed = with_own_id(value, uuid.uuid4())
    return changed if is_right(changed) == is_right(value) else value


good = st.tuples(st.sampled_from([(base,) for base in RIGHT]), st.integers(0, 2))
bad = st.tuples(st.sampled_from([*WRONG, *NO_OBJECTS]), st.integers(0, 2))
batches = st.lists(good | bad, min_size=1, max_size=12)


def written(batch: list[tuple[Any, int]]) -> list[tuple[bool, bytes]]:
    """Write the objects of a batch, and say which are good."""
    return [
        (False, case)
        if isinstance(case, bytes)
        else (len(case) == 1, spelled(with_new_id(case), style))
        for case, style in batch
    ]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    made = make_node(tmp_path_factory.mktemp("bad"), "hub")
    add_collection(made, "Shared", alias="shared")
    add_token(made, "feeder", "writer")
    grant_collection(made, "shared", "feeder", can_write=True)
    yield made
    made.database.close()


def add(node: Node, body: bytes) -> Any:
    (token,) = list_tokens(node)
    return strict_loads(add_objects(node, Reader.of(token), "shared", body).body)


def held(node: Node) -> dict[str, bytes]:
    """What is stored of local producers, by id."""
    with node.database.read() as tx:
        rows = [row for row in list_objects(tx) if row.origin.startswith("local/")]
        contents = contents_of(tx, [row.object_row for row in rows])
    return {row.stix_id: contents[row.object_row] for row in rows}


@given(batch=batches)
def test_every_good_object_is_stored_and_every_bad_one_is_named(node, batch):
    batch = written(batch)
    before = held(node)
    body = b' {"objects" : [' + b"\n,".join(raw for _, raw in batch) + b"] } "
    status = add(node, body)
    right = {strict_loads(raw)["id"]: raw for is_good, raw in batch if is_good}
    wrong = [place for place, (is_good, _) in enumerate(batch) if not is_good]
    # (1) The counts and the lists agree with what was sent.
    assert status["status"] == "complete"
    assert status["total_count"] == len(batch)
    assert (status["success_count"], status["failure_count"]) == (len(right), len(wrong))
    assert [line["id"] for line in status.get("successes", [])] == list(right)
    # (2) Each bad one is named by its place and a code.
    messages = [line["message"] for line in status.get("failures", [])]
    assert [text.split(": ")[:2] for text in messages] == [
        [f"objects[{place}]", "E_SCHEMA"] for place in wrong
    ]
    # (3) Exactly the good ones are there, as they were sent, byte for byte.
    after = held(node)
    assert {stix_id: after[stix_id] for stix_id in after.keys() - before.keys()} == right


@given(order=st.permutations(["first", "again", "clash", "broken"]))
def test_a_clash_and_a_duplicate_in_the_batch_stand_alone_too(node, order):
    value = indicator("clash.example") | {"id": f"indicator--{uuid.uuid4()}"}
    sent = {
        "first": value,
        "again": dict(reversed(value.items())),
        "clash": value | {"name": "other"},
        "broken": value | {"pattern": "nothing"},
    }
    status = add(node, write_json({"objects": [sent[name] for name in order]}))
    # Which of the two contents came first is held; the other is the clash.
    came_first = next(name for name in order if name != "broken")
    refused = ["clash"] if came_first != "clash" else ["first", "again"]
    codes = {text["message"].split(": ")[0]: text["message"] for text in status["failures"]}
    assert {order[int(place[8:-1])] for place in codes} == {*refused, "broken"}
    for place, message in codes.items():
        expected = "E_SCHEMA" if order[int(place[8:-1])] == "broken" else "E_VERSION_CLASH"
        assert expected in message
    assert held(node)[value["id"]] == write_json(sent[came_first])


@pytest.mark.parametrize(("marking", "tlp"), TLP_BY_MARKING_ID.items())
def test_tlp_1_and_tlp_2_marks_are_both_understood(node, marking, tlp):
    value = indicator("tlp.example", None) | {
        "id": f"indicator--{uuid.uuid4()}",
        "object_marking_refs": [marking],
    }
    assert add(node, write_json({"objects": [value]}))["success_count"] == 1
    assert label_of(node, value["id"]) is tlp


@given(marks=st.lists(st.sampled_from(sorted(TLP_BY_MARKING_ID)), min_size=1, unique=True))
def test_of_several_marks_of_both_versions_the_strictest_counts(node, marks):
    value = indicator("tlp.example", None) | {
        "id": f"indicator--{uuid.uuid4()}",
        "object_marking_refs": marks,
    }
    add(node, write_json({"objects": [value]}))
    assert label_of(node, value["id"]) is max(TLP_BY_MARKING_ID[mark] for mark in marks)


def test_both_versions_marking_definitions_travel_along(node):
    objects = [BASES["tlp 1.0"], BASES["tlp 2.0"]]
    assert add(node, write_json({"objects": objects}))["success_count"] == 2


def label_of(node: Node, stix_id: str) -> Tlp:
    with node.database.read() as tx:
        (row,) = claims_of(tx, [stix_id])[stix_id]
    return Tlp(row.tlp)
