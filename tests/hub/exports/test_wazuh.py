"""Wazuh: a CDB list, ``key:value``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.exports.wazuh import why_left_out, write_wazuh
from tests.support.listed import context, listed, text_of


def lines(*names: object) -> list[str]:
    return text_of(write_wazuh(list(names), context())).splitlines()  # type: ignore[arg-type]


def test_a_line_is_a_key_and_its_threat_type() -> None:
    assert lines(listed(), listed("b.example", threat_types=())) == [
        "evil.example:phishing",
        "b.example:listed",
    ]


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("192.0.2.66/32", ["192.0.2.66"]),
        ("192.0.2.0/24", ["192.0.2."]),
        ("192.0.0.0/16", ["192.0."]),
        ("10.0.0.0/8", ["10."]),
        ("192.0.2.0/23", ["192.0.2.", "192.0.3."]),
        ("192.0.2.0/31", ["192.0.2.0", "192.0.2.1"]),
        ("2001:db8::1/128", ['"2001:db8::1"']),
    ],
)
def test_addresses_are_written_as_wazuh_reads_them(prefix: str, keys: list[str]) -> None:
    assert lines(listed(prefix, match_on="ip")) == [f"{key}:phishing" for key in keys]


@pytest.mark.parametrize("length", range(1, 33))
def test_no_prefix_becomes_more_than_128_keys(length: int) -> None:
    assert 1 <= len(lines(listed(f"128.0.0.0/{length}", match_on="ip"))) <= 128


def test_what_it_cannot_match_is_left_out_with_a_reason() -> None:
    out = [
        listed(match_scope="wildcard-only"),
        listed("2001:db8::/32", match_on="ip"),
        listed("0.0.0.0/0", match_on="ip"),
    ]
    assert [why_left_out(each) for each in out] == ["ONLY_BELOW", "TOO_WIDE", "TOO_WIDE"]
    assert lines(*out) == []


def test_a_key_is_there_once() -> None:
    assert lines(
        listed("ns.example"),
        listed("ns.example", match_on="nsdname", threat_types=("delegation-hijack",)),
    ) == ["ns.example:phishing"]


@given(st.text(max_size=100))
def test_t43_no_threat_type_makes_a_key_or_a_line(threat: str) -> None:
    found = lines(listed(threat_types=(threat,)), listed("b.example"))
    assert len(found) == 2
    assert all(line.count(":") == 1 for line in found)
