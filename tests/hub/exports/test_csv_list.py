"""CSV: RFC 4180, and safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest

from hub.exports.csv_list import COLUMNS, write_csv
from schemas.markings import Tlp
from tests.support.listed import context, listed, text_of


def rows(*names: object) -> list[dict[str, str]]:
    text = text_of(write_csv(list(names), context()))  # type: ignore[arg-type]
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_header_is_stable_and_a_row_says_all_that_is_known() -> None:
    text = text_of(write_csv([listed(threat_types=("phishing", "dga"))], context()))
    assert text == (
        "value,match_on,match_scope,threat_type,threat_types,confidence,lineages,blocked,label,"
        "since,valid_until,stix_id,u_label\r\n"
        "evil.example,qname,exact,phishing,phishing;dga,90,2,true,green,2026-03-01T10:00:00.000Z,"
        "2026-03-08T10:00:00.000Z,indicator--0e1a9d3f-0000-5000-8000-000000000001,\r\n"
    )
    assert text_of(write_csv([], context())) == ",".join(COLUMNS) + "\r\n"


def test_a_name_that_says_more_than_its_a_label_is_shown_too() -> None:
    (row,) = rows(listed("xn--bcher-kva.example"))
    assert (row["value"], row["u_label"]) == ("xn--bcher-kva.example", "bücher.example")


def test_what_is_nobodys_guess_is_empty() -> None:
    (row,) = rows(listed("192.0.2.0/24", match_on="ip", threat_types=(), label=Tlp.AMBER_STRICT))
    assert (row["match_on"], row["threat_type"], row["threat_types"]) == ("ip", "", "")
    assert row["label"] == "amber+strict"


@pytest.mark.parametrize(
    "cell",
    ["=cmd|'/C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff20x"],
)
def test_t43_a_cell_that_would_be_a_formula_gets_an_apostrophe(cell: str) -> None:
    (row,) = rows(listed(threat_types=(cell, "phishing")))
    assert row["threat_type"] == f"'{cell}"
    assert row["threat_types"] == f"'{cell};phishing"


def test_t43_a_name_that_begins_with_a_hyphen_gets_one_too() -> None:
    (row,) = rows(listed("-evil.example"))
    assert row["value"] == "'-evil.example"


def test_t43_a_cell_ends_no_row_and_no_cell_before_its_time() -> None:
    hostile = 'x",=1\r\nevil.example,qname'
    found = rows(listed(threat_types=(hostile,)), listed("b.example"))
    assert [row["threat_type"] for row in found] == [hostile, "phishing"]
    assert {len(row) for row in found} == {len(COLUMNS)}


def test_a_long_list_is_written_in_parts() -> None:
    many = [listed(f"n{number}.example") for number in range(4_500)]
    parts = list(write_csv(many, context()))
    assert len(parts) == 3
    assert len(rows(*many)) == 4_500
