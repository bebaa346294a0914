"""NDJSON in the Elastic Common Schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.exports.ndjson_ecs import write_ndjson
from schemas.markings import Tlp
from tests.support.listed import context, listed, text_of


def documents(*names: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text_of(write_ndjson(names, context())).splitlines()]


def test_a_name_is_one_document_of_ecs() -> None:
    (found,) = documents(listed(label=Tlp.AMBER_STRICT, blocked=False, match_scope="subtree"))
    assert found == {
        "@timestamp": "2026-03-01T10:00:00.000Z",
        "ecs": {"version": "8.17.0"},
        "event": {
            "kind": "enrichment",
            "category": ["threat"],
            "type": ["indicator"],
            "module": "tocsin",
            "dataset": "tocsin.verdicts",
        },
        "tags": ["phishing"],
        "threat": {
            "feed": {"name": "Tocsin CERT Example"},
            "indicator": {
                "id": ["indicator--0e1a9d3f-0000-5000-8000-000000000001"],
                "type": "domain-name",
                "name": "evil.example",
                "url": {"domain": "evil.example"},
                "confidence": "High",
                "first_seen": "2026-03-01T10:00:00.000Z",
                "marking": {"tlp": "AMBER+STRICT", "tlp_version": "2.0"},
                "provider": "CERT Example",
            },
        },
        "tocsin": {
            "match_on": "qname",
            "match_scope": "subtree",
            "confidence": 90,
            "lineages": 2,
            "blocked": False,
            "valid_until": "2026-03-08T10:00:00.000Z",
        },
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("192.0.2.66/32", {"type": "ipv4-addr", "name": "192.0.2.66", "ip": "192.0.2.66"}),
        ("192.0.2.0/24", {"type": "ipv4-addr", "name": "192.0.2.0/24"}),
        ("2001:db8::1/128", {"type": "ipv6-addr", "name": "2001:db8::1", "ip": "2001:db8::1"}),
        ("2001:db8::/32", {"type": "ipv6-addr", "name": "2001:db8::/32"}),
    ],
)
def test_an_address_is_an_ip_and_a_prefix_is_none(value: str, expected: dict[str, str]) -> None:
    (found,) = documents(listed(value, match_on="ip"))
    indicator = found["threat"]["indicator"]
    assert {key: indicator[key] for key in ("type", "name", "ip") if key in indicator} == expected
    assert "url" not in indicator


def test_t43_a_line_is_one_document_whatever_a_threat_type_holds() -> None:
    hostile = 'x"}\n{"threat":1}'
    found = documents(listed(threat_types=(hostile,)), listed("b.example"))
    assert [each["tags"] for each in found] == [[hostile], ["phishing"]]
