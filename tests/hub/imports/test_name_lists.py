from __future__ import annotations

import gzip

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.imports.drafts import ImportReport
from hub.imports.name_lists import read_name_list
from schemas.errors import WireFormatError
from tests.support.shared_data import shared_path

DIRTY = """\
# a comment
; another

evil.example
Evil.EXAMPLE.
*.evil.example
*.wild.example   # inline
www.evil.example ; inline too
evil[.]other[.]example
http://page.example/path
hxxp://page[.]example/path
port.example:8080
evil[.]example:8080
192.0.2.1
192.0.2.1:80
192[.]0[.]2[.]1
2001:db8::1
192.0.2.0/24
bücher.example
com
co.uk
two names.example
a..example
   # indented comment
"""


def nothing_is_lost(report: ImportReport) -> bool:
    parts = report.taken + len(report.skipped) + report.comments + report.blanks
    return parts == report.total_lines


def test_each_line_is_taken_or_named_with_its_reason():
    names, report = read_name_list(DIRTY.encode())
    assert [(entry.line, entry.name.a_label, entry.name.subtree) for entry in names] == [
        (4, "evil.example", False),
        (6, "evil.example", True),
        (7, "wild.example", True),
        (8, "www.evil.example", False),
        (9, "evil.other.example", False),
        (19, "xn--bcher-kva.example", False),
    ]
    assert [(line.line, line.code) for line in report.skipped] == [
        (5, "E_NAME_DUPLICATE"),
        (10, "E_NAME_URL"),
        (11, "E_NAME_URL"),
        (12, "E_NAME_PORT"),
        (13, "E_NAME_PORT"),
        (14, "E_NAME_ADDRESS"),
        (15, "E_NAME_ADDRESS"),
        (16, "E_NAME_ADDRESS"),
        (17, "E_NAME_ADDRESS"),
        (18, "E_NAME_ADDRESS"),
        (20, "E_NAME_SUFFIX"),
        (21, "E_NAME_SUFFIX"),
        (22, "E_NAME_CHARACTER"),
        (23, "E_NAME_LABEL"),
    ]
    assert (report.comments, report.blanks, report.total_lines) == (3, 1, 24)
    assert nothing_is_lost(report)
    assert report.counts()["E_NAME_ADDRESS"] == 5
    assert "line 4" in report.skipped[0].detail


def test_what_was_taken_in_another_form_is_said():
    _, report = read_name_list(DIRTY.encode())
    assert [(line.line, line.text, line.taken_as) for line in report.changed] == [
        (6, "*.evil.example", "evil.example and all below"),
        (7, "*.wild.example", "wild.example and all below"),
        (9, "evil[.]other[.]example", "evil.other.example"),
        (19, "bücher.example", "xn--bcher-kva.example"),
    ]


def test_line_numbers_are_those_of_an_editor():
    names, report = read_name_list(
        b"\xef\xbb\xbfa.example\r\n\r\nb.example\x0cc\r\n\xffd.example\ne.example"
    )
    assert [(entry.line, entry.name.a_label) for entry in names] == [
        (1, "a.example"),
        (5, "e.example"),
    ]
    assert [(line.line, line.code) for line in report.skipped] == [
        (3, "E_NAME_CHARACTER"),
        (4, "E_NAME_ENCODING"),
    ]
    assert (report.total_lines, report.blanks) == (5, 1)


def test_an_endless_line_does_not_fill_the_report():
    _, report = read_name_list(b"a" * 100_000)
    assert len(report.skipped[0].text) == 300
    assert report.skipped[0].code == "E_NAME_LONG"


def test_a_file_that_is_too_big_is_refused_as_a_whole():
    with pytest.raises(WireFormatError, match="E_TOO_BIG"):
        read_name_list(b"a.example\n" * 10, max_bytes=99)


@given(st.lists(st.binary(max_size=30) | st.text(max_size=30).map(str.encode)).map(b"\n".join))
@example(b"")
@example(b"\n")
@example(b"\n\n")
@example(b"#")
@example(b"a.example\na.example\n*.a.example")
def test_nothing_is_lost_whatever_the_bytes(data):
    names, report = read_name_list(data)
    assert nothing_is_lost(report)
    assert report.taken == len(names)
    numbers = [entry.line for entry in names] + [line.line for line in report.skipped]
    assert len(numbers) == len(set(numbers))
    assert len({(entry.name.a_label, entry.name.subtree) for entry in names}) == len(names)


@pytest.mark.parametrize(
    ("name", "taken", "codes"),
    [
        ("avalanche", 3, {}),
        ("conficker", 257, {}),
        ("dnschanger", 20, {"E_NAME_URL"}),
        ("sinkhole_shadowserver", 5, {"E_NAME_ADDRESS"}),
        ("sinkhole_switch", 0, {"E_NAME_ADDRESS"}),
        ("zeus", 1521, {"E_NAME_URL", "E_NAME_DUPLICATE", "E_NAME_ADDRESS"}),
    ],
)
def test_the_dirty_lists_of_the_seeds_cases(name, taken, codes):
    names, report = read_name_list(shared_path(f"data/maltrail/{name}.txt").read_bytes())
    assert len(names) == report.taken == taken
    assert set(report.counts()) == set(codes)
    assert nothing_is_lost(report)


def test_a_quarter_of_a_million_names():
    data = gzip.decompress(shared_path("data/maltrail/malware-domains-250k.txt.gz").read_bytes())
    names, report = read_name_list(data)
    assert report.total_lines == 250_000
    assert nothing_is_lost(report)
    assert set(report.counts()) == {"E_NAME_SUFFIX"}
    assert len(names) > 249_000
