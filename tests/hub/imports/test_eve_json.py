"""Suricata's events: one sighting for one query, whatever the event looks like."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.imports.eve_json import read_alert_line, read_dns_line
from hub.imports.log_hits import REASONS, Hit, Miss

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
AT = datetime(2026, 3, 1, 9, 58, tzinfo=UTC)


def event(kind: str, **parts: Any) -> str:
    head = {"timestamp": "2026-03-01T09:58:00.405123+0000", "flow_id": 71, "event_type": kind}
    return json.dumps(head | {"src_ip": "192.0.2.77", "src_port": 5, "proto": "UDP"} | parts)


ALERT = {"action": "allowed", "signature_id": 1, "signature": "Tocsin", "severity": 1}
SEVEN = {"query": [{"type": "query", "id": 9, "rrname": "Evil.example", "rrtype": "A"}]}
EIGHT = {"version": 3, "type": "request", "queries": [{"rrname": "evil.example", "rrtype": "A"}]}


@pytest.mark.parametrize(
    "parts",
    [
        {"dns": SEVEN},
        {"dns": EIGHT},
        {"tls": {"sni": "evil.example", "version": "TLS 1.3"}},
        {"http": {"hostname": "evil.example", "url": "/"}},
    ],
)
def test_an_alert_names_what_was_asked_for(parts: dict[str, Any]) -> None:
    hit = read_alert_line(event("alert", alert=ALERT, tx_id=2, **parts), NOW, UTC)
    assert hit == Hit("evil.example", AT, None, "192.0.2.77", "71/2/evil.example")


def test_queries_count_instead_of_alerts_on_them() -> None:
    query = event("dns", dns={"type": "query", "id": 9, "rrname": "evil.example", "rrtype": "A"})
    assert read_dns_line(query, NOW, UTC) == Hit("evil.example", AT, None, "192.0.2.77")
    assert read_alert_line(query, NOW, UTC) == Miss("other")
    assert read_dns_line(event("alert", alert=ALERT, dns=SEVEN), NOW, UTC) == Miss("other")
    answer = event("dns", dns={"type": "answer", "rrname": "evil.example"})
    assert read_dns_line(answer, NOW, UTC) == Miss("answer")
    tls = event("alert", alert=ALERT, tls={"sni": "evil.example"})
    assert isinstance(read_dns_line(tls, NOW, UTC), Hit)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "other"),
        ("[]", "other"),
        ("{", "unreadable"),
        ('{"a":' * 100_000, "unreadable"),
        (event("flow"), "other"),
        (event("alert", alert=ALERT), "no-name"),
        (event("alert", alert=ALERT, dns=[]), "no-name"),
        (event("alert", alert=ALERT, dns={"query": [{"rrname": 7}]}), "no-name"),
        (event("alert", alert=ALERT, tls={"sni": "192.0.2.1"}), "no-name"),
    ],
)
def test_what_is_no_hit_says_why(line: str, reason: str) -> None:
    assert read_alert_line(line, NOW, UTC) == Miss(reason)


_JSON = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["event_type", "dns", "query", "queries", "rrname", "tls", "sni", "type"]
            ),
            inner | st.sampled_from(["alert", "dns", "query"]),
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(_JSON)
def test_t43_no_event_raises(value: object) -> None:
    for read in (read_alert_line, read_dns_line):
        said = read(json.dumps(value), NOW, UTC)
        assert isinstance(said, Hit) or said.reason in REASONS
