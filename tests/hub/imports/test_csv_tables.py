from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.imports.csv_columns import read_columns, read_confidence, read_threat, read_when
from hub.imports.csv_tables import names_in_csv
from hub.imports.list_reading import ListReading
from schemas.errors import WireFormatError
from schemas.markings import Tlp

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


def read(text, **wanted):
    reading = ListReading()
    data = text if isinstance(text, bytes) else text.encode()
    found = list(names_in_csv(data, reading, {k.lstrip("_"): v for k, v in wanted.items()}, NOW))
    return found, reading.report()


def test_a_table_is_read_by_its_heading():
    text = (
        "First Seen (UTC),IOC,Threat,Malware,Confidence,Expires,Note,TLP,Scope\n"
        "2026-02-01 08:00:00,evil[.]example,botnet_cc,Qak Bot!,75%,2026-04-01,"
        '"a, ""b""",AMBER,subtree\n'
    )
    [entry], report = read(text)
    assert entry.name.a_label == "evil.example"
    said = entry.said
    assert (said.threat_type, said.family, said.confidence) == ("malware-c2", "qak bot", 75)
    assert said.first_seen == datetime(2026, 2, 1, 8, tzinfo=UTC)
    assert said.valid_until == datetime(2026, 4, 2, tzinfo=UTC), "the last day counts whole"
    assert (said.comment, said.printed, said.match_scope) == ('a, "b"', Tlp.AMBER, "subtree")
    assert (report.comments, report.total_lines) == (1, 2)


def test_a_heading_may_stand_in_the_last_comment():
    text = (
        '# abuse list\n# "first_seen","domain","threat"\n"2026-02-01","evil.example","phishing"\n'
    )
    [entry], report = read(text)
    assert entry.said.threat_type == "phishing"
    assert report.comments == 2


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_table_s_own(separator):
    [entry], _ = read(f"domain{separator}confidence\nevil.example{separator}20\n")
    assert entry.said.confidence == 20


def test_columns_by_number_need_no_heading():
    names, report = read("x,evil.example\ny,bad.example\n", _2="name")
    assert [entry.line for entry in names] == [1, 2]
    assert report.total_lines == 2


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a,b\n1,2\n", {}),
        ("domain,b\n", {"_9": "name"}),
        ("domain,b\n", {"other": "name"}),
        ("domain,b\n", {"domain": "weather"}),
        ("domain,b\n", {"domain": "comment"}),
        ("domain,b\n", {"_0": "name"}),
    ],
)
def test_a_table_whose_name_nobody_knows_is_refused_as_a_whole(text, wanted):
    with pytest.raises(WireFormatError, match="E_CSV_COLUMN"):
        read(text, **wanted)


def test_broken_lines_are_named_by_number_and_spoil_no_other():
    text = (
        b"domain,confidence,valid_until,first_seen\n"
        b'"evil.example,1,,\n'
        b"a.example,much,,\n"
        b"b.example,,2026-01-01,\n"
        b"c.example,,someday,\n"
        b"d.example,,2026-04-01,2026-05-01\n"
        b"\xff.example,,,\n"
        b"\n"
        b"http://x.example/,,,\n"
        b",,,\n"
        b"good.example\n"
        b"Good.example,5,,\n"
    )
    names, report = read(text)
    assert [(entry.line, entry.name.a_label) for entry in names] == [(11, "good.example")]
    assert [(line.line, line.code) for line in report.skipped] == [
        (2, "E_CSV_LINE"),
        (3, "E_CSV_VALUE"),
        (4, "E_IMPORT_ENDED"),
        (5, "E_CSV_VALUE"),
        (6, "E_CSV_VALUE"),
        (7, "E_NAME_ENCODING"),
        (9, "E_NAME_URL"),
        (10, "E_NAME_EMPTY"),
        (12, "E_NAME_DUPLICATE"),
    ]


def test_a_threat_that_nobody_knows_is_said_to_be_changed():
    [entry], report = read("domain,threat\nevil.example,burglary\n")
    assert entry.said.threat_type is None
    assert [(line.line, line.text) for line in report.changed] == [(2, "burglary")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01 12:00:00+02:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01 10:00:00 UTC", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("1772359200", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ],
)
def test_instants_as_feeds_write_them(text, expected):
    assert read_when(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "01/02/2026", "99999999999", "2026-02-30", "now", "0001-01-01T00:00:00+23:00"],
)
def test_what_is_no_instant_is_named(text):
    with pytest.raises(WireFormatError, match="E_CSV_VALUE"):
        read_when(text)


def test_words_of_others():
    assert [read_threat(t) for t in ("C2", "Payload Delivery", "dga", "x")] == [
        "malware-c2", "malware-distribution", "dga", None,
    ]  # fmt: skip
    assert [read_confidence(t) for t in ("High", "0", "100 %")] == [85, 0, 100]
    assert read_columns(["Domain Name", "x"], {}).places == {"name": 0}


@given(
    st.lists(
        st.sampled_from(["domain,x", "evil.example,1", '"', "a;b", "#c,d", "", "x\0y", "1,2,3"])
        | st.text(max_size=20)
    ).map("\n".join)
)
def test_any_text_is_counted_to_the_last_line(text):
    names, report = read(text, _1="name")
    parts = len(names) + sum(report.counts().values()) + report.comments + report.blanks
    assert parts == report.total_lines
