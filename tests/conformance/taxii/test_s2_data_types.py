"""Section 2: the data types of what this server writes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.taxii.wire import Collection, Taxii, indicator

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every member of a resource, at any depth, without what stands in STIX objects."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield name, member
            if name != "objects" or "pattern" not in repr(member):
                yield from members(member)
    elif isinstance(value, list):
        for part in value:
            yield from members(part)


def every_member(taxii: Taxii) -> list[tuple[str, Any]]:
    paths = taxii.every_resource().values()
    return [pair for path in paths for pair in members(taxii.resource(path, "producer"))]


def test_s2_booleans_are_literal(taxii: Taxii) -> None:
    """MUST: a boolean is a literal true or false."""
    found = {name for name, value in every_member(taxii) if isinstance(value, bool)}
    assert found == {"can_read", "can_write", "more"}


def test_s2_identifiers_are_random_uuids(taxii: Taxii) -> None:
    """MUST: an identifier is a UUID of version 4 (RFC 4122 §4.4)."""
    listed = taxii.resource("/taxii2/intel/collections/", "reader")["collections"]
    found = [row["id"] for row in listed]
    found += [taxii.collection().add(indicator())["id"] for _ in range(2)]
    assert {uuid.UUID(text).version for text in found} == {4}
    assert {uuid.UUID(text).variant for text in found} == {uuid.RFC_4122}


def test_s2_identifiers_are_unique(taxii: Taxii) -> None:
    """MUST: no two collections and no two statuses have one identifier."""
    collection = taxii.collection()
    found = [collection.add(indicator())["id"] for _ in range(5)]
    found += [row["id"] for row in taxii.resource("/taxii2/intel/collections/")["collections"]]
    assert len(found) == len(set(found))


def test_s2_integers_fit_in_54_bits(taxii: Taxii) -> None:
    """MUST: integers are whole and within plus and minus 2^53 - 1 (RFC 7493)."""
    numbers = [v for _, v in every_member(taxii) if isinstance(v, int | float)]
    assert all(isinstance(number, int) for number in numbers)
    assert all(abs(number) < 2**53 for number in numbers)


@pytest.mark.parametrize("kind", ["collections", "status", "objects", "manifest"])
def test_s2_empty_lists_are_left_out(taxii: Taxii, kind: str) -> None:
    """MUST NOT: no list is empty; the property is left out instead."""
    collection = taxii.collection()
    if kind == "collections":
        taxii.token(f"nobody-{collection.alias}", "admin")
        body = taxii.resource("/taxii2/intel/collections/", f"nobody-{collection.alias}")
        assert body == {}
    elif kind == "status":
        assert "failures" not in collection.add(indicator())
        assert "successes" not in collection.add({"type": "indicator"})
    else:
        assert "objects" not in taxii.resource(f"{collection.path}{kind}/")


def test_s2_no_list_anywhere_is_empty(taxii: Taxii) -> None:
    """MUST: every list that is there has at least one value."""
    assert all(value for _, value in every_member(taxii) if isinstance(value, list))


def test_s2_timestamps_have_microseconds_and_end_in_z(collection: Collection) -> None:
    """MUST: a timestamp is RFC 3339 in UTC with six decimals and a Z."""
    collection.filled(3)
    dates = [record["date_added"] for record in collection.manifest()]
    dates.append(collection.add(indicator())["request_timestamp"])
    answer = collection.get()
    dates += [str(answer.header(f"X-TAXII-Date-Added-{end}")) for end in ("First", "Last")]
    assert [text for text in dates if not TIMESTAMP.fullmatch(text)] == []


def test_s2_strings_are_unicode(taxii: Taxii) -> None:
    """MUST: strings are Unicode and come back as they were given."""
    collection = taxii.collection(default_tlp=None)
    value = indicator(description="\u0416\u4e2d\u0627\U0001f510 \u0000?".replace("\u0000", ""))
    collection.add(value)
    assert collection.page()["objects"][0]["description"] == value["description"]
