"""Where claims cluster, at each label from what it shows; and the alarm on a share that departs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.withdraw import withdraw_object
from hub.imports.drafts import Draft
from hub.imports.stix_bundles import read_bundle
from hub.incidents.concentration import (
    Concentration,
    find_departures,
    show_concentration,
    show_registrar,
    watch_concentration,
)
from hub.incidents.operators import declare_operator
from hub.monitoring.alarm_words import words_of
from hub.monitoring.alarms import list_alarms
from hub.node import Node
from hub.storage.dialects import to_micros
from hub.storage.queries.name_facts import Seen
from schemas.dns.extensions import DNS_RECORDS, DNS_THREAT
from schemas.markings import Tlp
from schemas.timestamps import write_wire_time
from tests.support.hijacks import carry
from tests.support.nodes import NOW, make_node
from tests.support.publications import Author, domain, join
from tests.support.shared_data import shared_path
from tests.support.told_claims import authors, claim, clock_of, make_verdicts, tell


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "cert")


def registered(
    name: str, number: int, iana_id: int | None = 9999, *, registrar: str = "R", **changes: Any
) -> dict[str, Any]:
    """A claim that says who registered the name."""
    value = claim(name, number, **changes)
    value["extensions"][DNS_THREAT] |= {
        "registrar": {"name": registrar} | ({} if iana_id is None else {"iana_id": iana_id}),
        "registration": {"created": "2026-02-18T12:00:00Z"},
    }
    return value


def counted(found: Concentration) -> list[tuple[str | None, int]]:
    return [(row.key, row.names) for row in found.rows]


def test_names_are_counted_by_registrar_tld_and_week(node: Node) -> None:
    (peer,) = authors(node, 1)
    tell(
        node, peer, "green",
        registered("a-x.com", 1), registered("b-x.com", 2), registered("c-x.net", 3, 8888),
        registered("d-x.org", 4, None, registrar="S"), claim("e-x.org", 5),
    )  # fmt: skip
    make_verdicts(node)
    by_registrar = show_concentration(node)
    assert counted(by_registrar) == [("9999", 2), ("8888", 1), (None, 1)]
    assert [row.name for row in by_registrar.rows] == ["R", "R", "S"]
    assert [row.share for row in by_registrar.rows] == [0.5, 0.25, 0.25]
    assert counted(show_concentration(node, "tld")) == [("com", 2), ("org", 2), ("net", 1)]
    # The Monday of that week.
    assert counted(show_concentration(node, "window")) == [("2026-02-16", 4)]
    assert counted(show_concentration(node, threat_type="dga")) == []
    assert counted(show_concentration(node, days=1)) == counted(by_registrar)
    clock_of(node).advance(days=2)
    assert counted(show_concentration(node, days=1)) == []


def test_names_are_counted_by_the_name_servers_that_observables_tell(node: Node) -> None:
    (peer,) = authors(node, 1)
    ns = {"rrtype": "NS", "rdata": ["NS1.bulk-host.net."]}
    records = {"extension_type": "property-extension", "records": [ns, {"rrtype": "A"}]}
    seen = [
        domain(name, extensions={DNS_RECORDS: records}) for name in ("a-x.com", "b-x.com", "c.com")
    ]
    tell(node, peer, "green", claim("a-x.com", 1), claim("b-x.com", 2))
    peer.put("green", *seen)
    assert peer.deliver(node, "green").error is None
    make_verdicts(node)
    found = show_concentration(node, "nameserver")
    assert (counted(found), found.names) == ([("ns1.bulk-host.net", 2)], 2)


def test_a_label_counts_what_it_shows_and_nothing_else(node: Node) -> None:
    """PROTOCOL 3.5: of a name that only AMBER claims, GREEN counts nothing."""
    (peer,) = authors(node, 1)
    tell(node, peer, "green", registered("a-x.com", 1))
    tell(node, peer, "amber", registered("b-x.com", 2))
    make_verdicts(node)
    assert counted(show_concentration(node, tlp=Tlp.GREEN)) == [("9999", 1)]
    assert counted(show_concentration(node, "tld", tlp=Tlp.GREEN)) == [("com", 1)]
    assert counted(show_concentration(node)) == [("9999", 2)]
    assert counted(show_concentration(node, tlp=Tlp.CLEAR)) == []


def test_a_name_counts_once_and_the_newest_version_counts(node: Node) -> None:
    one, other = authors(node, 2)
    tell(node, one, "green", registered("a-x.com", 1))
    tell(node, other, "green", registered("a-x.com", 2))
    make_verdicts(node)
    assert counted(show_concentration(node)) == [("9999", 1)]
    created = write_wire_time(node.now())
    clock_of(node).advance(hours=1)
    tell(node, one, "green", registered("a-x.com", 1, 8888, created=created))
    tell(node, other, "green", registered("a-x.com", 2, 8888, created=created))
    make_verdicts(node)
    assert counted(show_concentration(node)) == [("8888", 1)]


def test_what_is_withdrawn_counts_no_more(node: Node) -> None:
    draft = Draft({"spec_version": "2.1"} | registered("a-x.com", 1))
    publish_objects(node, PublishRequest(drafts=[draft], tlp=Tlp.GREEN))
    make_verdicts(node)
    assert counted(show_concentration(node)) == [("9999", 1)]
    clock_of(node).advance(hours=1)
    withdraw_object(node, str(draft.value["id"]), "a mistake")
    make_verdicts(node)
    assert counted(show_concentration(node)) == []


@pytest.mark.parametrize(
    "facts",
    [
        {"registrar": {"iana_id": "9999"}},
        {"registrar": {"iana_id": True, "name": 7}},
        {"registrar": {"name": "\x00\x1b"}},
        {"registration": {"created": "yesterday"}},
        {"registration": {"created": "0001-01-01T00:00:00Z"}},
        {"registrar": {"iana_id": -1}, "registration": {}},
    ],
)
def test_odd_facts_of_a_peer_are_none(node: Node, facts: dict[str, Any]) -> None:
    (peer,) = authors(node, 1)
    value = claim("a-x.com", 1)
    value["extensions"][DNS_THREAT] |= facts
    tell(node, peer, "green", value)
    make_verdicts(node)
    assert {key for key, _ in counted(show_concentration(node))} <= {None}
    assert counted(show_concentration(node, "tld")) == [("com", 1)]


def test_avalanche_as_it_is_shared(node: Node) -> None:
    values, _ = read_bundle(shared_path("stix/avalanche.json").read_bytes())
    outcome = publish_objects(
        node, PublishRequest(drafts=[Draft(value) for value in values], tlp=Tlp.GREEN)
    )
    assert outcome.refused == ()
    make_verdicts(node)
    view = show_registrar(node, 9999)
    assert (view.name, view.names, view.share) == ("Demo Registrar", 3, 1.0)
    assert [(row.key, row.names) for row in view.threats] == [("phishing", 3)]
    assert [(row.key, row.names) for row in view.windows] == [("2009-09-28", 3)]
    (contact,) = view.contacts
    assert (contact.contact, contact.origin_name) == ("abuse@registrar.example", "this node")
    assert contact.own is False, "it is this node's word on another"


def test_a_registrars_own_word_on_its_contact_goes_first(tmp_path: Path, node: Node) -> None:
    registrar = make_node(tmp_path / "r", "registrar")
    join(node, registrar, "trusted", name="registrar")
    join(registrar, node, "trusted", name="cert")
    said = declare_operator(
        registrar, roles=["registrar"], iana_registrar_id=9999, abuse_contact="abuse@r.example"
    )
    assert (said.iana_registrar_id, said.tlds) == (9999, ())
    carry(registrar, node)
    values, _ = read_bundle(shared_path("stix/avalanche.json").read_bytes())
    publish_objects(node, PublishRequest(drafts=[Draft(v) for v in values], tlp=Tlp.GREEN))
    contacts = show_registrar(node, 9999).contacts
    assert [(each.contact, each.own) for each in contacts] == [
        ("abuse@r.example", True),
        ("abuse@registrar.example", False),
    ]
    clock_of(registrar).advance(hours=1)
    assert declare_operator(registrar, tlds=["Org."]).abuse_contact == "abuse@r.example"


def history(weeks: int, *, last: int) -> list[Seen]:
    """Fifty names a week at five registrars, and the last week with more at one of them."""
    at = to_micros(NOW)
    span = timedelta(weeks=1) // timedelta(microseconds=1)
    seen = [
        Seen(f"n{week}-{n}.com", "phishing", n % 5 + 1, "R", at - week * span - 1)
        for week in range(1, weeks + 1)
        for n in range(50)
    ]
    seen += [Seen(f"n0-{n}.com", "phishing", n % 5 + 1, "R", at - 1) for n in range(50)]
    return seen + [Seen(f"m{n}.com", "phishing", 3, "R", at - 1) for n in range(last)]


@pytest.mark.parametrize(
    ("weeks", "last", "told"), [(12, 60, [("phishing", 3)]), (12, 3, []), (6, 60, [])]
)
def test_a_share_that_departs_from_its_own_past_is_found(
    weeks: int, last: int, told: list[tuple[str, int]]
) -> None:
    assert list(find_departures(history(weeks, last=last), NOW)) == told


def test_an_alarm_names_the_registrar_and_ends_with_its_reason(node: Node) -> None:
    (peer,) = authors(node, 1)
    clock, number = clock_of(node), 0

    def week(at_one: int) -> None:
        nonlocal number
        names = [1, 2, 3, 4] * 3 + [3] * at_one
        claims = []
        for iana_id in names:
            number += 1
            claims.append(registered(f"n{number}-x.com", number, iana_id))
        for start in range(0, len(claims), 60):
            tell(node, peer, "green", *claims[start : start + 60])
        clock.advance(days=7)
        make_verdicts(node)

    for _ in range(9):
        week(0)
    assert watch_concentration(node) == ()
    week(50)
    clock.advance(seconds=-1)
    (departure,) = watch_concentration(node)
    assert (departure.now.names, departure.now.of) == (53, 62)
    (alarm,) = [each for each in list_alarms(node) if each.code == "CONCENTRATION"]
    assert alarm.subject == "3/phishing"
    assert "53 of 62 phishing names of this week are registered at R (3)" in words_of(alarm)[0]
    assert "concentration --registrar" in words_of(alarm)[1]
    clock.advance(days=8)
    assert watch_concentration(node) == ()
    assert [each for each in list_alarms(node) if each.code == "CONCENTRATION"] == []


def test_it_looks_once_a_day(node: Node) -> None:
    Author(1).meets(node)
    assert watch_concentration(node) == ()
    before = list_alarms(node)
    clock_of(node).advance(hours=23)
    assert watch_concentration(node) == ()
    assert list_alarms(node) == before
