"""Filters and cursors (TAXII 2.1 §3.4, §3.5)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import WireFormatError
from schemas.taxii.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Cursor,
    Matches,
    open_cursor,
    read_page_request,
    resume,
    seal_cursor,
)

KEY = bytes(32)
WORDS = st.lists(st.sampled_from(["a", "b", "indicator", "2.1", "x-y"]), max_size=3).map(tuple)
MATCHES = st.builds(Matches, ids=WORDS, types=WORDS, spec_versions=WORDS)


def test_without_parameters_it_is_the_first_page_of_the_latest():
    request = read_page_request([])
    assert (request.added_after, request.following) == (None, None)
    assert (request.limit, request.matches) == (DEFAULT_LIMIT, Matches())


def test_lists_are_sorted_and_each_once():
    request = read_page_request(
        [("match[type]", "b,a,b"), ("match[id]", "x"), ("other", "\x00"), ("other", "")]
    )
    assert request.matches == Matches(ids=("x",), types=("a", "b"))


def test_a_filter_that_a_resource_does_not_know_is_passed_over():
    assert read_page_request([("match[type]", "\x00")], ["version"]).matches == Matches()


def test_the_limit_is_capped():
    assert read_page_request([("limit", str(MAX_LIMIT + 1))]).limit == MAX_LIMIT


@pytest.mark.parametrize("text", ["2026-03-01T10:00:00Z", "2026-03-01T10:00:00.000000Z"])
def test_a_date_needs_no_fraction(text):
    request = read_page_request([("added_after", text)])
    assert request.added_after == datetime(2026, 3, 1, 10, tzinfo=UTC)


@given(st.integers(min_value=0, max_value=2**52), MATCHES, st.text(max_size=20))
def test_a_cursor_opens_to_what_was_sealed(date_added, matches, context):
    cursor = Cursor(date_added, matches)
    assert open_cursor(seal_cursor(cursor, key=KEY, context=context), key=KEY, context=context) == (
        cursor
    )


@given(st.data())
def test_no_changed_cursor_opens(data):
    text = seal_cursor(Cursor(5, Matches(types=("indicator",))), key=KEY, context="c")
    at = data.draw(st.integers(min_value=0, max_value=len(text) - 2))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"))
    changed = text[:at] + other + text[at + 1 :]
    if changed != text:
        with pytest.raises(WireFormatError) as refused:
            open_cursor(changed, key=KEY, context="c")
        assert refused.value.code == "E_CURSOR"


@given(st.text(max_size=80))
def test_nothing_else_opens(text):
    with pytest.raises(WireFormatError) as refused:
        open_cursor(text, key=KEY, context="c")
    assert refused.value.code == "E_CURSOR"


@pytest.mark.parametrize(("key", "context"), [(bytes(31) + b"\x01", "c"), (KEY, "d"), (KEY, "")])
def test_a_cursor_is_bound_to_its_key_and_context(key, context):
    text = seal_cursor(Cursor(5, Matches()), key=KEY, context="c")
    with pytest.raises(WireFormatError):
        open_cursor(text, key=key, context=context)


def test_a_cursor_brings_its_filters_and_bears_no_others():
    cursor = Cursor(5, Matches(types=("indicator",)))
    assert resume(read_page_request([]), cursor).matches == cursor.matches
    same = read_page_request([("match[type]", "indicator"), ("limit", "3")])
    assert resume(same, cursor).limit == 3
    with pytest.raises(WireFormatError):
        resume(read_page_request([("match[type]", "malware")]), cursor)
