"""Suricata: what the real program (Debian's 7.0.10) matches of the rules and datasets."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from hub.exports.suricata import write_suricata
from tests.support.listed import context, listed, texts_of
from tests.support.suricata import (
    alerts,
    check_rules,
    dns_query,
    packet_to,
    tls_hello,
    watching,
    write_rules,
)

NAMES = [
    listed("evil.example"),
    listed("sub.example", match_scope="subtree"),
    listed("deep.a.b.c.example", match_scope="subtree"),
    listed("wild.example", match_scope="wildcard-only"),
    listed("_dmarc.under_score.example"),
    listed("ns1.rogue.example", match_on="nsdname"),
    listed("192.0.2.66/32", match_on="ip"),
    listed("192.0.2.67/32", match_on="nsip"),
    listed("198.51.100.0/24", match_on="ip"),
    listed("2001:db8::1/128", match_on="ip"),
]


def test_the_lists_are_base64_and_no_name_stands_in_a_rule() -> None:
    files = texts_of(write_suricata(NAMES, context()))
    assert set(files) == {
        "tocsin.rules", "tocsin-names.lst", "tocsin-names-below-2.lst", "tocsin-names-below-5.lst",
        "tocsin-names-only-below-2.lst", "tocsin-servers.lst", "tocsin-addresses.lst",
    }  # fmt: skip
    encoded = files["tocsin-names.lst"].splitlines()
    assert [base64.b64decode(line) for line in encoded] == [
        b"evil.example", b"_dmarc.under_score.example",
    ]  # fmt: skip
    assert base64.b64decode(files["tocsin-names-below-2.lst"]) == b".sub.example"
    assert not [each for each in NAMES[:6] if each.value in files["tocsin.rules"]]


def test_rules_keep_their_numbers_when_the_list_changes() -> None:
    def numbers(names: list[Any]) -> dict[str, str]:
        rules = texts_of(write_suricata(names, context()))["tocsin.rules"].splitlines()[1:]
        return {rule.partition("; sid")[0].partition("memcap")[0]: rule[-20:] for rule in rules}

    few, many = numbers(NAMES[1:2]), numbers(NAMES)
    assert few.items() <= many.items()
    assert len(set(many.values())) == len(many)


def test_suricata_loads_it_and_matches_what_each_scope_says(tmp_path: Path) -> None:
    write_rules(tmp_path, write_suricata(NAMES, context()))
    asked = [
        "evil.example", "EVIL.Example", "www.evil.example", "xevil.example",
        "sub.example", "www.sub.example", "a.b.SUB.example", "xsub.example", "sub.example.org",
        "deep.a.b.c.example", "x.deep.a.b.c.example", "a.b.c.example",
        "wild.example", "www.wild.example", "a.b.wild.example",
        "_dmarc.under_score.example", "ns1.rogue.example", "example",
    ]  # fmt: skip
    packets = [dns_query(name, number) for number, name in enumerate(asked, 1)]
    found = alerts(tmp_path, packets)
    told = {each["dns"]["query"][0]["rrname"]: each["alert"]["signature"] for each in found}  # type: ignore[index]
    name, server = (
        "Tocsin: a listed name was asked for",
        "Tocsin: a listed name server was looked for",
    )
    assert told == {
        "evil.example": name,
        "EVIL.Example": name,
        "sub.example": name,
        "www.sub.example": name,
        "a.b.SUB.example": name,
        "deep.a.b.c.example": name,
        "x.deep.a.b.c.example": name,
        "www.wild.example": name,
        "a.b.wild.example": name,
        "_dmarc.under_score.example": name,
        "ns1.rogue.example": server,
    }
    assert len(found) == len(told)


def test_it_sees_names_in_tls_and_traffic_to_addresses(tmp_path: Path) -> None:
    write_rules(tmp_path, write_suricata(NAMES, context()))
    packets = [
        *tls_hello("EVIL.example", 1), *tls_hello("www.sub.example", 2),
        *tls_hello("good.example", 3), *tls_hello("ns1.rogue.example", 4),
        packet_to("192.0.2.66"), packet_to("198.51.100.9", 2), packet_to("203.0.113.1", 3),
    ]  # fmt: skip
    found = alerts(tmp_path, packets)
    assert sorted(each["tls"]["sni"] for each in found if "tls" in each) == [  # type: ignore[index]
        "EVIL.example", "www.sub.example",
    ]  # fmt: skip
    assert sorted(
        str(each["dest_ip"])
        for each in found
        if each["alert"]["signature"] == "Tocsin: traffic to a listed address"  # type: ignore[index]
    ) == ["192.0.2.66", "198.51.100.9"]


def test_it_loads_an_empty_list_names_of_the_most_labels_and_many(tmp_path: Path) -> None:
    write_rules(tmp_path / "empty", write_suricata([], context()))
    check_rules(tmp_path / "empty")
    deepest = ".".join(["a"] * 127)
    many = [listed(deepest, match_scope=scope) for scope in ("subtree", "wildcard-only")]
    many += [listed(f"n{number}.example", match_scope="subtree") for number in range(20_000)]
    write_rules(tmp_path / "many", write_suricata(many, context(node_name="x\nalert ip any")))
    said = check_rules(tmp_path / "many")
    assert "0 rules failed" in said
    found = alerts(tmp_path / "many", [dns_query("w.n19999.example"), dns_query("n20000.example")])
    assert len(found) == 1


def test_names_and_subtrees_of_every_kind_have_numbers_of_their_own() -> None:
    names = [
        listed(".".join(["a"] * labels), match_scope=scope, match_on=kind)
        for labels in (1, 2, 126, 127)
        for scope in ("exact", "subtree", "wildcard-only")
        for kind in ("qname", "nsdname")
    ]
    names += [listed(f"10.{n >> 8}.{n & 255}.0/24", match_on="ip") for n in range(500)]
    rules = texts_of(write_suricata(names, context()))["tocsin.rules"].splitlines()[1:]
    numbers = [rule.rpartition("sid:")[2] for rule in rules]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.long
def test_a_running_suricata_takes_a_changed_list_by_sigusr2(tmp_path: Path) -> None:
    write_rules(tmp_path, write_suricata([listed("one.example")], context()))
    names = ["one.example", "two.example", "w.sub.example"]
    with watching(tmp_path) as suricata:
        first = suricata.take(dns_query(name, number) for number, name in enumerate(names, 1))
        assert _asked(first) == names[:1]
        changed = [listed("two.example"), listed("sub.example", match_scope="subtree")]
        write_rules(tmp_path, write_suricata(changed, context()))
        suricata.reload()
        both = suricata.take(dns_query(name, number) for number, name in enumerate(names, 11))
        assert _asked(both) == names


def _asked(found: list[dict[str, Any]]) -> list[str]:
    return [each["dns"]["query"][0]["rrname"] for each in found]
