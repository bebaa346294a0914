"""Zeek's intelligence framework: TSV with real tabs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.exports.zeek import FIELDS, clean_cell, why_left_out, write_zeek
from schemas.markings import Tlp
from tests.support.listed import context, listed, text_of


def test_a_line_is_a_name_with_its_kind_and_words() -> None:
    names = [
        listed(),
        listed("sub.example", match_scope="subtree", blocked=False, label=Tlp.AMBER_STRICT),
        listed("192.0.2.66/32", match_on="ip", threat_types=("malware-c2",)),
        listed("2001:db8::1/128", match_on="nsip"),
        listed("192.0.2.0/24", match_on="ip"),
        listed("ns1.rogue.example", match_on="nsdname", threat_types=()),
    ]
    header, *lines = text_of(write_zeek(names, context())).splitlines()
    assert header == "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.do_notice"
    assert [line.split("\t") for line in lines] == [
        ["evil.example", "Intel::DOMAIN", "Tocsin CERT Example",
         "phishing, confidence 90, TLP:GREEN; this name", "T"],
        ["sub.example", "Intel::DOMAIN", "Tocsin CERT Example",
         "phishing, confidence 90, TLP:AMBER+STRICT; this name and all below it", "F"],
        ["192.0.2.66", "Intel::ADDR", "Tocsin CERT Example",
         "malware-c2, confidence 90, TLP:GREEN", "T"],
        ["2001:db8::1", "Intel::ADDR", "Tocsin CERT Example",
         "phishing, confidence 90, TLP:GREEN; a name server", "T"],
        ["192.0.2.0/24", "Intel::SUBNET", "Tocsin CERT Example",
         "phishing, confidence 90, TLP:GREEN", "T"],
        ["ns1.rogue.example", "Intel::DOMAIN", "Tocsin CERT Example",
         "listed, confidence 90, TLP:GREEN; this name; a name server", "T"],
    ]  # fmt: skip


def test_what_only_lies_below_a_name_is_left_out() -> None:
    only_below = listed(match_scope="wildcard-only")
    assert why_left_out(only_below) == "ONLY_BELOW"
    assert why_left_out(listed()) is None
    assert text_of(write_zeek([only_below], context())).count("\n") == 1


@given(st.text(max_size=300), st.text(max_size=300))
def test_t43_no_word_makes_a_cell_a_line_or_an_unset_field(threat: str, name: str) -> None:
    names = [listed(threat_types=(threat,)), listed("b.example")]
    text = text_of(write_zeek(names, context(node_name=name)))
    lines = text.removesuffix("\n").split("\n")
    assert len(lines) == 3
    assert all(len(line.split("\t")) == len(FIELDS) for line in lines[1:])
    assert all(cell not in {"", "-", "(empty)"} for line in lines for cell in line.split("\t"))
    assert "\\" not in text
    assert text.isascii()


def test_a_cell_says_nothing_as_a_question_mark() -> None:
    assert [clean_cell(text) for text in ("", "-", "(empty)", " ", "#x")] == ["?"] * 4 + ["?x"]
