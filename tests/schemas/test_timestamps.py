"""PROTOCOL 2, STIX 2.1 §2.16 and TAXII 2.1 §3.2: three forms of one instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import WireFormatError
from schemas.timestamps import read_stix_time, read_wire_time, write_taxii_time, write_wire_time

INSTANTS = st.integers(0, 32_000_000_000_000_000).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@given(INSTANTS)
def test_wire_times_round_trip_to_the_millisecond(at):
    read = read_wire_time(write_wire_time(at))
    assert timedelta(0) <= at - read < timedelta(milliseconds=1)
    assert write_wire_time(read) == write_wire_time(at)


@pytest.mark.parametrize(
    "text",
    [
        None,
        1772359200,
        "2026-03-01T10:00:00Z",
        "2026-03-01T10:00:00.0Z",
        "2026-03-01T10:00:00.000000Z",
        "2026-03-01T10:00:00.000z",
        "2026-03-01t10:00:00.000Z",
        "2026-03-01 10:00:00.000Z",
        "2026-03-01T10:00:00.000+00:00",
        "2026-03-01T10:00:00.000Z\n",
        "2026-02-29T10:00:00.000Z",
        "2026-13-01T10:00:00.000Z",
        "2026-03-01T24:00:00.000Z",
        "2026-03-01T10:00:60.000Z",
        "٢٠٢٦-03-01T10:00:00.000Z",
    ],
)
def test_other_spellings_of_a_wire_time_are_rejected(text):
    with pytest.raises(WireFormatError) as rejected:
        read_wire_time(text)
    assert rejected.value.code == "E_SCHEMA"


def test_wire_times_are_cut_off_and_never_rounded_up():
    at = datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)
    assert write_wire_time(at) == "2026-03-01T23:59:59.999Z"


def test_other_zones_are_written_in_utc():
    at = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    assert write_wire_time(at) == "2026-03-01T10:00:00.000Z"
    assert write_taxii_time(at) == "2026-03-01T10:00:00.000000Z"


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-03-01T10:00:00Z", 0),
        ("2026-03-01T10:00:00.1Z", 100_000),
        ("2026-03-01T10:00:00.123456Z", 123_456),
        ("2026-03-01T10:00:00.123456789Z", 123_456),
    ],
)
def test_stix_times_have_any_precision(text, microsecond):
    assert read_stix_time(text) == datetime(2026, 3, 1, 10, 0, 0, microsecond, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", [None, "2026-03-01T10:00:00", "2026-03-01T10:00:00.Z", "2026-02-30T10:00:00Z", "now"]
)
def test_what_is_no_stix_time_is_rejected(text):
    with pytest.raises(WireFormatError):
        read_stix_time(text)


def test_hour_24_is_no_hour_whatever_the_python_says():
    for read, text in (
        (read_wire_time, "2026-03-01T24:00:00.000Z"),
        (read_stix_time, "2026-03-01T24:00:00Z"),
    ):
        with pytest.raises(WireFormatError):
            read(text)


def test_years_are_written_with_four_digits_on_every_platform():
    early = "0009-03-01T10:00:00.000Z"
    assert write_wire_time(read_wire_time(early)) == early
    assert write_taxii_time(read_wire_time(early)) == "0009-03-01T10:00:00.000000Z"
