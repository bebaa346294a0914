"""An object's bytes are a slice of what was signed (PROTOCOL 2.4, ARCHITECTURE 5)."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from federation.feeds.carried_objects import cut_objects, read_objects
from schemas.errors import WireFormatError
from schemas.strict_json import strict_loads, write_json
from tests.federation.feeds.feed_writer import indicator

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), min_size=1, max_size=4)
STYLES: list[dict[str, Any]] = [
    {"separators": (",", ":"), "ensure_ascii": False},
    {"separators": (",", ":"), "ensure_ascii": True},
    {"indent": 2, "ensure_ascii": False},
    {"separators": (" ,\t", "\n: "), "sort_keys": True},
]


@given(objects=OBJECTS, beside=VALUES, style=st.sampled_from(STYLES), first=st.booleans())
def test_invariant_13_the_bytes_are_slices_that_read_as_the_values(
    objects: list[dict[str, Any]], beside: object, style: dict[str, Any], first: bool
) -> None:
    members: dict[str, object] = {"a": beside, "objects": objects, "z": {"objects": [beside]}}
    text = json.dumps(members if first else dict(reversed(members.items())), **style)
    try:
        payload = text.encode()
        body = strict_loads(payload)
    except (UnicodeEncodeError, WireFormatError):
        assume(False)  # lone surrogates, overlong numbers: never signed, so never cut
    raws = cut_objects(body, payload)
    assert [strict_loads(raw) for raw in raws] == body["objects"]
    # Joined, with nothing but separators between them, they are the payload's array.
    array = rb"\[\s*" + rb"\s*,\s*".join(re.escape(raw) for raw in raws) + rb"\s*\]"
    assert re.search(array, payload)


def test_a_foreign_writers_bytes_are_kept() -> None:
    stix = b'{ "type":"indicator", "id" : "%b", "name":"b\\u00fccher", "n":1.50e1 }' % (
        indicator(1)["id"].encode()
    )
    payload = b'{"v":1,\n "\\u006fbjects" :[\t%b ,%b ] , "x":[]}' % (
        stix,
        write_json(indicator(2)),
    )
    first, second = read_objects(strict_loads(payload), payload)
    assert first.raw == stix
    assert second.raw == write_json(indicator(2))
    assert first.value["name"] == "bücher"
