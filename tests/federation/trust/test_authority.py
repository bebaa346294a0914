"""PROTOCOL 4.1: authority scopes, their spelling and what they cover."""

from __future__ import annotations

import pytest

from federation.trust.authority import (
    STATEMENTS,
    authorities_needed,
    covers_address,
    covers_name,
    is_broad,
    read_scope,
    read_scopes,
    speak_for_name,
)
from schemas.errors import WireFormatError


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("zone:fr.", "zone:fr."),
        (" zone:FR ", "zone:fr."),
        ("zone:fr.=hijack,benign", "zone:fr.=benign,hijack"),
        ("zone:fr. = Benign , benign", "zone:fr.=benign"),
        ("zone:fr=benign,hijack,takedown,registration-status", "zone:fr."),
        ("zone:bücher.example", "zone:xn--bcher-kva.example."),
        ("prefix:192.0.2.0/24", "prefix:192.0.2.0/24"),
        ("prefix:2001:db8::/32=hijack", "prefix:2001:db8::/32=hijack"),
    ],
)
def test_a_scope_has_one_spelling(text: str, stored: str) -> None:
    assert str(read_scope(text)) == stored
    assert str(read_scope(stored)) == stored


@pytest.mark.parametrize(
    "text",
    ["", "fr.", "zone:", "zone:.", "zone:a b", "prefix:192.0.2.1/24", "prefix:x", "asn:64496",
     "zone:fr.=", "zone:fr.=everything", "zone:fr.=benign,", "zone:192.0.2.1"],
)  # fmt: skip
def test_what_is_no_scope_is_rejected(text: str) -> None:
    with pytest.raises(WireFormatError, match="E_SCHEMA"):
        read_scope(text)


def test_a_zone_with_no_statements_named_permits_all_four() -> None:
    (scope,) = read_scopes(["zone:fr."])
    assert scope.statements == STATEMENTS
    for statement in ("registration-status", "hijack", "takedown", "benign"):
        assert covers_name([scope], "bank.fr", statement)


@pytest.mark.parametrize(
    ("name", "covered"),
    [("fr", True), ("bank.fr", True), ("www.bank.fr", True), ("notfr", False), ("a.notfr", False),
     ("fr.example", False), ("", False)],
)  # fmt: skip
def test_a_zone_covers_itself_and_below_by_whole_labels(name: str, covered: bool) -> None:
    assert covers_name(read_scopes(["zone:fr."]), name, "hijack") is covered


def test_a_statement_that_is_not_permitted_is_not_covered() -> None:
    scopes = read_scopes(["zone:fr.=registration-status", "zone:bank.fr.=benign"])
    assert covers_name(scopes, "bank.fr", "benign")
    assert not covers_name(scopes, "shop.fr", "benign")
    assert not covers_name(scopes, "bank.fr", "hijack")
    assert not covers_name([], "bank.fr", "benign")


def test_a_prefix_covers_what_lies_in_it() -> None:
    scopes = read_scopes(["prefix:192.0.2.0/24=hijack", "prefix:2001:db8::/32", "zone:fr."])
    assert covers_address(scopes, "192.0.2.9", "hijack")
    assert covers_address(scopes, "192.0.2.16/28", "hijack")
    assert covers_address(scopes, "2001:db8:1::/48", "benign")
    assert not covers_address(scopes, "192.0.2.9", "benign")
    assert not covers_address(scopes, "192.0.0.0/16", "hijack")
    assert not covers_address(scopes, "::c000:209", "hijack")
    assert not covers_address(scopes, "bank.fr", "hijack")
    assert not covers_name(scopes, "192.0.2.9", "hijack")


def test_a_tld_or_public_suffix_takes_two_authorities() -> None:
    registry, other = read_scopes(["zone:uk."]), read_scopes(["zone:co.uk."])
    assert authorities_needed("uk") == authorities_needed("co.uk") == 2
    assert not speak_for_name([registry], "co.uk", "takedown")
    assert not speak_for_name([registry, read_scopes(["zone:fr."])], "co.uk", "takedown")
    assert speak_for_name([registry, other], "co.uk", "takedown")
    assert speak_for_name([registry], "bbc.co.uk", "takedown")


@pytest.mark.parametrize(
    ("text", "broad"),
    [("zone:fr.", True), ("zone:co.uk.", True), ("zone:bank.fr.", False),
     ("prefix:0.0.0.0/0", True), ("prefix:10.0.0.0/8", False), ("prefix:::/0", True),
     ("prefix:2001:db8::/32", False)],
)  # fmt: skip
def test_a_wide_scope_is_told_apart(text: str, broad: bool) -> None:
    assert is_broad(read_scope(text)) is broad
