"""PROTOCOL 2.1: a missing or ill-typed member is ``E_SCHEMA``."""

from __future__ import annotations

import pytest

from schemas.errors import WireFormatError
from schemas.identifiers import ZERO_HASH, b64
from schemas.members import (
    has_twice,
    read_bytes,
    read_hash,
    read_integer,
    read_list,
    read_node_id,
    read_object,
    read_signed_object,
    read_text,
    read_texts,
    read_time,
    read_version,
)
from schemas.strict_json import MAX_INTEGER

GOOD = [
    (read_text, ""),
    (read_integer, 0),
    (read_integer, MAX_INTEGER),
    (read_list, []),
    (read_texts, ["a"]),
    (read_time, "2026-03-01T10:00:00.000Z"),
    (read_hash, ZERO_HASH),
    (read_node_id, "a2" * 26),
    (read_bytes, b64(b"abc")),
]
BAD = [
    (read_text, 1),
    (read_integer, True),
    (read_integer, 1.0),
    (read_integer, -1),
    (read_integer, "1"),
    (read_list, {}),
    (read_list, "abc"),
    (read_texts, ["a", 1]),
    (read_time, 1772359200),
    (read_hash, ZERO_HASH[1:]),
    (read_node_id, "a2"),
    (read_bytes, "abc"),
    (read_bytes, 1),
]


@pytest.mark.parametrize(("read", "value"), GOOD)
def test_a_member_of_its_type_is_read(read, value):
    read({"x": value}, "x")


@pytest.mark.parametrize(("read", "value"), [*BAD, *((read, None) for read, _ in GOOD)])
def test_another_type_is_rejected(read, value):
    with pytest.raises(WireFormatError) as rejected:
        read({"x": value}, "x")
    assert rejected.value.code == "E_SCHEMA"


@pytest.mark.parametrize(
    "read", dict.fromkeys(read for read, _ in GOOD), ids=lambda read: read.__name__
)
def test_a_missing_member_is_rejected_by_name(read):
    with pytest.raises(WireFormatError) as rejected:
        read({}, "x")
    if read is not read_time:
        assert rejected.value.params["member"] == "x"


@pytest.mark.parametrize("length", [2, 4])
def test_bytes_have_their_length(length):
    with pytest.raises(WireFormatError, match=f"{length} bytes"):
        read_bytes({"x": b64(b"abc")}, "x", length=length)


@pytest.mark.parametrize("value", [None, [], "{}", 1])
def test_an_object_is_an_object(value):
    with pytest.raises(WireFormatError, match="entry is not an object"):
        read_object(value, "entry")


def test_a_signed_object_is_of_version_one_without_unknown_critical_members():
    assert read_signed_object({"v": 1, "later": 2}, "entry")
    for body in ({}, {"v": 2}, {"v": True}, {"v": 1, "!later": 2}):
        with pytest.raises(WireFormatError):
            read_signed_object(body, "entry")


def test_other_bodies_ignore_what_they_do_not_know():
    read_version({"v": 1, "!later": 2})


def test_what_occurs_twice():
    assert has_twice([1, 2, 1])
    assert not has_twice(iter([1, 2]))
