"""What a pattern claims follows from what it matches on, and is never more than it says."""

from __future__ import annotations

import json

import pytest

from schemas.dns.extensions import DNS_THREAT
from schemas.dns.pattern_subjects import subjects_of
from tests.support.shared_data import shared_path

ROGUE = "[domain-name:value = 'ns1.rogue.example']"
RESOLVED = "[domain-name:resolves_to_refs[*].value = '192.0.2.66']"


def keys(pattern: str, match_on: str = "qname") -> list[str]:
    return [subject.key for subject in subjects_of(pattern, match_on)]


def test_the_hijack_of_the_story_names_a_name_server_and_its_address():
    bundle = json.loads(shared_path("stix/cctld_hijack.json").read_bytes())
    (found,) = [value for value in bundle["objects"] if value["type"] == "indicator"]
    said = found["extensions"][DNS_THREAT]["match_on"]
    assert keys(found["pattern"], said) == ["nsdname:ns1.rogue.example", "nsip:192.0.2.66/32"]


@pytest.mark.parametrize(
    ("match_on", "expected"),
    [
        ("qname", ["ns1.rogue.example"]),
        ("nsdname", ["nsdname:ns1.rogue.example", "nsip:192.0.2.66/32"]),
        ("nsip", ["nsdname:ns1.rogue.example", "nsip:192.0.2.66/32"]),
        ("ip", ["ip:192.0.2.66/32"]),
        ("a-word-of-later", []),
    ],
)
def test_each_kind_takes_what_is_its_own(match_on, expected):
    assert keys(f"{ROGUE} OR {RESOLVED}", match_on) == expected


def test_several_names_are_several_subjects():
    pattern = "[domain-name:value = 'b.example' OR domain-name:value = '*.A.example']"
    found = {subject.key: below for subject, below in subjects_of(pattern, "qname").items()}
    assert found == {"b.example": False, "a.example": True}


@pytest.mark.parametrize(
    "pattern",
    [
        "[domain-name:value = 'a.example' AND domain-name:value = 'b.example']",
        f"{ROGUE} AND {RESOLVED}",
        f"{ROGUE} FOLLOWEDBY {RESOLVED}",
        f"({ROGUE} OR {RESOLVED})",
        f"{ROGUE} REPEATS 2 TIMES",
        "[NOT domain-name:value = 'a.example']",
        "[domain-name:value != 'a.example']",
        "[domain-name:value LIKE 'a%']",
        "[domain-name:value IN ('a.example')]",
        "[domain-name:value = 'a.example' OR file:name = 'x']",
        "[domain-name:value = 'a.example'" + " OR domain-name:value = 'a.example'" * 130 + "]",
    ],
)
def test_t32_what_says_more_than_or_or_is_too_long_names_nothing(pattern):
    assert all(keys(pattern, word) == [] for word in ("qname", "nsdname", "nsip", "ip"))


def test_what_is_no_name_or_prefix_is_left_out():
    pattern = "[domain-name:value = '192.0.2.1' OR domain-name:value = 'a.example']"
    assert keys(pattern) == ["a.example"]
    network = "[ipv4-addr:value = '192.0.2.1/24' OR ipv6-addr:value = '2001:db8::/48']"
    assert keys(network, "ip") == ["ip:2001:db8::/48"]
