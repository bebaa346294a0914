"""Which addresses no block may hit, whoever asks for it."""

from __future__ import annotations

import pytest

from hub.verdicts.guard_prefixes import prefix_hits

OWN = [("198.51.100.0/25", "prefixes of token mine")]


def codes(value: str) -> set[str]:
    return {listed.code for listed, _, _ in prefix_hits(value, OWN)}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("198.41.0.4/32", {"GUARD_NAME_SERVER"}),
        ("2001:7fd::/48", {"GUARD_NAME_SERVER"}),
        ("192.5.6.0/24", {"GUARD_NAME_SERVER"}),
        ("9.9.9.9/32", {"GUARD_RESOLVER"}),
        ("127.0.0.53/32", {"GUARD_RESERVED"}),
        ("100.64.1.0/24", {"GUARD_RESERVED"}),
        ("fe80::1/128", {"GUARD_RESERVED"}),
        ("::ffff:192.0.2.1/128", {"GUARD_RESERVED"}),
        ("198.51.100.7/32", {"GUARD_MEMBER"}),
        ("198.51.100.0/24", {"GUARD_MEMBER"}),
        ("203.0.112.0/23", {"GUARD_WIDE"}),
        ("2001:db8::/47", {"GUARD_WIDE"}),
        ("0.0.0.0/0", {"GUARD_WIDE", "GUARD_RESERVED", "GUARD_RESOLVER", "GUARD_NAME_SERVER",
                       "GUARD_MEMBER"}),
        ("198.51.100.200/32", set()),
        ("192.0.2.66/32", set()),
        ("2001:db8::1/128", set()),
    ],
)  # fmt: skip
def test_t38_what_protects_an_address_or_network(value, expected):
    assert codes(value) == expected


def test_what_stands_inside_a_network_is_told_as_such():
    ((_, matched, is_inside),) = prefix_hits("8.8.8.0/24")
    assert (matched, is_inside) == ("8.8.8.8", True)
