"""Which views an object is in, and what touches a constituent."""

from __future__ import annotations

from typing import Any

import pytest

from federation.policy.views import CEILINGS, DELEGATION_CHANGE_EXTENSION, ceilings_for, touches
from schemas.markings import Tlp

ZONES = ["example.fr", "zone:Example.NET."]
PREFIXES = ["192.0.2.0/24", "prefix:2001:db8::/32"]


def test_there_is_one_view_for_each_label() -> None:
    assert [ceiling.wire for ceiling in CEILINGS] == [
        "clear",
        "green",
        "amber",
        "amber+strict",
        "red",
    ]


@pytest.mark.parametrize(
    ("label", "ceilings"),
    [
        (Tlp.CLEAR, tuple(Tlp)),
        (Tlp.GREEN, (Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.RED)),
        (Tlp.AMBER, (Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.RED)),
        (Tlp.AMBER_STRICT, (Tlp.AMBER_STRICT, Tlp.RED)),
    ],
)
@pytest.mark.parametrize("machine", [False, True])
def test_an_object_is_in_the_views_at_or_above_its_label(
    label: Tlp, ceilings: tuple[Tlp, ...], machine: bool
) -> None:
    assert ceilings_for(label, machine, exercise=False) == ceilings


def test_red_is_in_a_view_only_where_the_policy_says_machine() -> None:
    assert ceilings_for(Tlp.RED, machine=False, exercise=False) == ()
    assert ceilings_for(Tlp.RED, machine=True, exercise=False) == (Tlp.RED,)


@pytest.mark.parametrize("label", Tlp)
@pytest.mark.parametrize("machine", [False, True])
def test_an_exercise_is_in_no_view(label: Tlp, machine: bool) -> None:
    assert ceilings_for(label, machine, exercise=True) == ()


def observable(stix_type: str, value: str) -> dict[str, Any]:
    return {"type": stix_type, "value": value}


def indicator(pattern: str, **members: Any) -> dict[str, Any]:
    return {"type": "indicator", "pattern": pattern, "pattern_type": "stix"} | members


@pytest.mark.parametrize(
    "value",
    [
        observable("domain-name", "example.fr"),
        observable("domain-name", "WWW.Example.FR."),
        observable("domain-name", "a.b.example.net"),
        observable("url", "https://user@www.example.fr:8443/path?q=evil.test"),
        observable("url", "http://192.0.2.7/x"),
        observable("url", "http://[2001:db8::7]:8080/x"),
        observable("ipv4-addr", "192.0.2.7"),
        observable("ipv4-addr", "192.0.2.128/25"),
        observable("ipv6-addr", "2001:db8:1::/48"),
        observable("ipv6-addr", "::ffff:192.0.2.7"),
        indicator("[domain-name:value = 'www.example.fr']"),
        indicator("[ipv4-addr:value = '198.51.100.1' OR ipv4-addr:value = '192.0.2.1']"),
        indicator("[url:value = 'http://example.net/login']"),
        {
            "type": "incident",
            "extensions": {DELEGATION_CHANGE_EXTENSION: {"zone": "example.fr."}},
        },
    ],
)
def test_what_lies_inside_touches(value: dict[str, Any]) -> None:
    assert touches(value, ZONES, PREFIXES)


@pytest.mark.parametrize(
    "value",
    [
        observable("domain-name", "badexample.fr"),
        observable("domain-name", "fr"),
        observable("domain-name", "example.fr.evil.test"),
        observable("url", "http://evil.test/example.fr"),
        observable("url", "http://example.fr@evil.test/"),
        observable("url", "http://[broken"),
        observable("ipv4-addr", "198.51.100.7"),
        observable("ipv4-addr", "192.0.0.0/16"),
        observable("ipv4-addr", "192.0.2.300"),
        observable("ipv6-addr", "2001:db9::1"),
        observable("email-addr", "someone@example.fr"),
        indicator("[domain-name:value = 'evil.test']", description="hits example.fr"),
        indicator("[domain-name:value LIKE '%.example.fr']"),
        indicator("[domain-name:value = 'example.fr' AND ipv4-addr:value = '192.0.2.1']"),
        indicator("[domain-name:value = 'example.fr']", pattern_type="sigma"),
        {"type": "note", "content": "example.fr 192.0.2.1"},
        {"type": "incident", "extensions": {DELEGATION_CHANGE_EXTENSION: {"zone": 7}}},
        {"type": "domain-name", "value": 7},
        {"type": "domain-name"},
    ],
)
def test_what_lies_outside_or_cannot_be_read_does_not_touch(value: dict[str, Any]) -> None:
    assert not touches(value, ZONES, PREFIXES)


def test_an_internationalised_name_is_compared_in_a_labels() -> None:
    assert touches(observable("domain-name", "www.bücher.example"), ["xn--bcher-kva.example"], [])
    assert touches(observable("domain-name", "www.xn--bcher-kva.example"), ["bücher.example"], [])


def test_a_whole_top_level_domain_may_be_registered() -> None:
    assert touches(observable("domain-name", "a.example.fr"), ["fr."], [])


@pytest.mark.parametrize(
    ("zones", "prefixes"), [([], []), ([""], []), (["."], ["not-a-prefix"]), (["zone:"], [""])]
)
def test_an_empty_registration_touches_nothing(zones: list[str], prefixes: list[str]) -> None:
    assert not touches(observable("domain-name", "example.fr"), zones, prefixes)
    assert not touches(observable("ipv4-addr", "192.0.2.1"), zones, prefixes)
    assert not touches(observable("domain-name", ""), zones, prefixes)
