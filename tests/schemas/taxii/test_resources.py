"""TAXII's resources as bytes."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas.strict_json import strict_loads, write_json
from schemas.taxii.resources import (
    CollectionView,
    ManifestRecord,
    ObjectStatus,
    write_collections,
    write_discovery,
    write_envelope,
    write_error,
    write_manifest,
    write_status,
    write_versions,
)

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=3), max_size=4)


@given(OBJECTS, st.none() | st.text(min_size=1, max_size=5))
def test_a_page_is_the_bytes_that_it_is_made_of(values, following):
    page = write_envelope([write_json(value) for value in values], following)
    expected = {"more": following is not None}
    if following is not None:
        expected["next"] = following
    if values:
        expected["objects"] = values
    assert strict_loads(page) == expected


def test_empty_lists_are_left_out():
    assert write_envelope([], None) == write_manifest([], None) == b'{"more":false}'
    assert write_versions([], None) == b'{"more":false}'
    assert write_collections([]) == b"{}"
    assert write_discovery("T", None, []) == b'{"title":"T"}'
    status = strict_loads(write_status("id", AT, [], []))
    assert "successes" not in status
    assert "failures" not in status


def test_a_manifest_has_its_next_too():
    record = ManifestRecord("indicator--1", AT, "2026-03-01T09:00:00Z")
    page = strict_loads(write_manifest([record], "n"))
    assert (page["more"], page["next"]) == (True, "n")
    assert page["objects"][0]["date_added"] == "2026-03-01T10:00:00.000000Z"


def test_optional_members_are_left_out_where_there_is_nothing_to_say():
    view = CollectionView("id", "T", None, None, can_read=True, can_write=False)
    assert set(strict_loads(write_collections([view]))["collections"][0]) == {
        "id", "title", "can_read", "can_write", "media_types",
    }  # fmt: skip
    assert ObjectStatus("a", "v").to_json() == {"id": "a", "version": "v"}


def test_an_error_names_its_status_as_text_and_404_is_always_the_same():
    assert write_error("T", 422, "E_X", details={"expected": 5}) == (
        b'{"title":"T","http_status":"422","error_code":"E_X","details":{"expected":5}}'
    )
    assert write_error("Anything", 404, "E_X", description="why") == (
        b'{"title":"Not found","http_status":"404","error_code":"E_NOT_FOUND"}'
    )
