"""Add Objects below HTTP: equality of content, and nothing half stored."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import NotFound
from hub.exchange.add_objects import add_objects, same_json
from hub.exchange.collections import LOCAL_STATE, add_collection, grant_collection, local_origin
from hub.operators.readers import Reader
from hub.operators.tokens import add_token, list_tokens
from hub.storage.queries.objects import list_objects
from schemas.markings import Tlp
from schemas.strict_json import strict_loads, write_json
from tests.hub.api.taxii.conftest import indicator
from tests.support.nodes import make_node

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(0, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "hub")
    add_collection(made, "Shared", alias="shared")
    add_token(made, "feeder", "writer")
    grant_collection(made, "shared", "feeder", can_write=True)
    yield made
    made.database.close()


def feeder(node):
    return Reader.of(list_tokens(node)[0])


@given(JSON)
def test_a_value_equals_itself_in_other_bytes(value):
    assert same_json(value, strict_loads(write_json(value)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (0, False),
        (1, 1.0),
        ([1], [1, 1]),
        ({"a": 1}, {"a": 1, "b": 1}),
        ("1", 1),
        ({}, []),
    ],
)
def test_values_that_python_mixes_up_are_different(one, other):
    assert not same_json(one, other)
    assert not same_json({"x": [one]}, {"x": [other]})


def test_an_object_keeps_its_bytes_under_the_collections_own_origin(node):
    value = indicator("a.example", Tlp.GREEN)
    add_objects(node, feeder(node), "shared", write_json({"objects": [value]}))
    with node.database.read() as tx:
        (row,) = list_objects(tx, state=LOCAL_STATE)
    assert row.origin.startswith("local/")
    assert row.origin == local_origin(row.origin.removeprefix("local/"))
    assert (row.tlp, row.name_key, row.revoked) == (Tlp.GREEN, None, False)


def test_a_right_that_went_meanwhile_stores_nothing(node):
    grant_collection(node, "shared", "feeder")
    body = write_json({"objects": [indicator("a.example")]})
    with pytest.raises(NotFound):
        add_objects(node, feeder(node), "shared", body)
    with node.database.read() as tx:
        assert list_objects(tx, state=LOCAL_STATE) == ()


def test_a_failure_at_the_end_leaves_nothing_behind(node):
    entropy = iter([bytes(16), bytes(16)])
    same_id = replace(node, entropy=lambda _size: next(entropy))
    add_objects(same_id, feeder(node), "shared", write_json({"objects": [indicator("a.example")]}))
    # The same status id again: the last statement of the transaction fails.
    with pytest.raises(Exception, match="UNIQUE"):
        add_objects(
            same_id, feeder(node), "shared", write_json({"objects": [indicator("b.example")]})
        )
    with node.database.read() as tx:
        rows = list_objects(tx, state=LOCAL_STATE)
    assert len(rows) == 1
