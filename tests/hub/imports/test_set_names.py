"""Names and their days become the lines of a set, and what does not is counted."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from hub.imports.set_dates import read_set_dates
from hub.imports.set_names import read_set_names
from schemas.dns.set_lines import SetLine

APRIL = date(2009, 4, 1)


def test_without_days_a_name_is_a_line():
    found = read_set_names(b"b.cc\n*.a.cc\n")
    assert found.lines == (SetLine("b.cc"), SetLine("a.cc"))
    assert (found.dates, found.unlisted) == (None, ())


def test_a_name_has_as_many_lines_as_windows():
    days = (
        b"\xef\xbb\xbfName,first\nB\xc3\xbc.cc,2009-04-01\r\n"
        b"# c\n\nxn--b-eha.cc,2009-04-03,2009-04-04\n"
    )
    found = read_set_names("bü.cc\n".encode(), days)
    assert found.lines == (
        SetLine("xn--b-eha.cc", APRIL, APRIL),
        SetLine("xn--b-eha.cc", date(2009, 4, 3), date(2009, 4, 4)),
    )
    assert (found.dates.taken, found.dates.comments, found.dates.blanks) == (2, 2, 1)


def test_what_has_no_day_and_what_has_only_a_day_is_counted():
    found = read_set_names(b"a.cc\nb.cc\n", b"a.cc,2009-04-01\nc.cc,2009-04-01\n")
    assert (found.names.taken, found.names.counts()) == (1, {"E_SET_UNDATED": 1})
    assert [line.line for line in found.names.skipped] == [2]
    assert found.unlisted == ("c.cc",)


def test_exact_names_take_no_star():
    found = read_set_names(b"*.a.cc\nb.cc\n", match_scope="exact")
    assert found.lines == (SetLine("b.cc"),)
    assert found.names.counts() == {"E_SET_SCOPE": 1}
    assert found.names.changed == ()


def test_a_line_that_is_no_window_is_named():
    bad = (
        b"a.cc\na.cc,2009-4-1\na.cc,2009-02-30\na.cc,2009-04-02,2009-04-01\na.cc,1,2,3\n"
        b"1.2.3.4,2009-04-01\n"
    )
    days, report = read_set_dates(bad)
    assert days == {}
    assert report.counts() == {"E_SET_DATES": 5, "E_NAME_ADDRESS": 1}


@given(st.binary(max_size=120))
def test_no_bytes_are_lost_or_raise(data):
    _, report = read_set_dates(data)
    counted = report.taken + sum(report.counts().values()) + report.comments + report.blanks
    assert counted == report.total_lines
