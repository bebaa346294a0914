from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.imports.list_reading import NamedLine, Said
from hub.imports.name_drafts import indicators_from_names
from schemas.dns.extensions import DNS_THREAT
from schemas.dns.names import DnsName, read_name
from schemas.markings import Tlp
from schemas.stix.validation import check_object

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


def made(said, name=None):
    [draft] = indicators_from_names(
        [NamedLine(1, name or read_name("evil.example"), said)],
        node_id="a" * 52,
        identity="identity--5bd60eb1-7f6e-4d3c-8d3e-000000000001",
        now=NOW,
        valid_days=90,
        threat_type="malware-c2",
        confidence=70,
        new_idn=lambda: "n" * 16,
    )
    check_object(draft.value)
    return draft.value


def test_what_an_input_says_goes_before_what_the_import_says():
    value = made(
        Said(
            threat_type="sinkhole", family="qakbot", confidence=15, comment="seen",
            first_seen=NOW - timedelta(days=9), valid_until=NOW + timedelta(days=3),
            match_scope="wildcard-only", printed=Tlp.AMBER, reference=("misp", "1"),
        )
    )  # fmt: skip
    assert value["labels"] == ["sinkhole", "qakbot"]
    assert value["indicator_types"] == ["compromised"]
    assert (value["confidence"], value["description"]) == (15, "seen")
    assert value["valid_from"] == "2026-02-20T10:00:00.000Z"
    assert value["valid_until"] == "2026-03-04T10:00:00.000Z"
    facts = value["extensions"][DNS_THREAT]
    assert (facts["threat_type"], facts["match_scope"]) == ("sinkhole", "wildcard-only")
    assert value["object_marking_refs"] == [Tlp.AMBER.marking_id]
    assert value["external_references"] == [{"source_name": "misp", "external_id": "1"}]


def test_saying_nothing_changes_nothing():
    assert made(Said()) == made(None)


@pytest.mark.parametrize(
    ("prefix", "pattern"),
    [
        ("192.0.2.1/32", "[ipv4-addr:value = '192.0.2.1']"),
        ("192.0.2.0/24", "[ipv4-addr:value = '192.0.2.0/24']"),
        ("2001:db8::/48", "[ipv6-addr:value = '2001:db8::/48']"),
    ],
)
def test_an_address_is_an_indicator_of_its_own_kind(prefix, pattern):
    value = made(Said(match_on="nsip"), DnsName(prefix, prefix))
    assert value["pattern"] == pattern
    facts = value["extensions"][DNS_THREAT]
    assert facts["match_on"] == "nsip"
    assert not {"tld", "registrable_domain", "u_label"} & facts.keys()


def test_an_end_within_the_instant_of_the_beginning_is_still_an_interval():
    value = made(Said(valid_until=NOW + timedelta(microseconds=10)))
    assert value["valid_from"] < value["valid_until"]
