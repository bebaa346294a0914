"""A hijack is reported in one entry, first on every line, and names rogue servers alone."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from federation.errors import SharingRefused
from hub.incidents.report import HijackReport, read_report, report_hijack
from hub.node import Node
from hub.storage.queries.feeds import find_feed, records_after
from schemas.dns.extensions import DNS_DELEGATION_CHANGE, DNS_RECORDS, DNS_THREAT
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from tests.support.hijacks import NEW_NS, OLD_DS, OLD_NS, ZONE, a_report, only
from tests.support.nodes import NOW, make_node
from tests.support.publications import Author, domain
from tests.support.stored_state import rows_of


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "cert")


def contents(node: Node) -> list[dict[str, Any]]:
    rows = rows_of(node, "SELECT content FROM objects WHERE tlp > 0 ORDER BY object_row")
    return [strict_loads(bytes(row["content"])) for row in rows]


def of_type(node: Node, stix_type: str) -> list[dict[str, Any]]:
    return [value for value in contents(node) if value["type"] == stix_type]


def test_one_entry_carries_the_incident_the_rogue_servers_and_what_was_seen(node: Node) -> None:
    reported = report_hijack(
        node, a_report(addresses=["198.51.100.66"], registrar="R", registrar_id=9999), Tlp.GREEN
    )
    assert (reported.entries, reported.rogue, reported.left_out) == (1, NEW_NS, ())
    assert reported.change_kinds == ("ns-replaced", "ds-removed")
    (incident,) = of_type(node, "incident")
    change = incident["extensions"][DNS_DELEGATION_CHANGE]
    assert change["zone"] == ZONE
    assert change["old_ns"] == [f"{name}." for name in OLD_NS]
    assert change["old_ds"] == list(OLD_DS)
    assert "new_ds" not in change, "an empty list is invalid in STIX"
    assert change["registrar"] == {"name": "R", "iana_id": 9999}
    indicators = of_type(node, "indicator")
    assert [each["pattern"] for each in indicators] == [
        f"[domain-name:value = '{name}']" for name in NEW_NS
    ]
    for each in indicators:
        facts = each["extensions"][DNS_THREAT]
        assert facts["match_on"] == "nsdname"
        assert facts["requested_actions"] == ["check-own-zones", "block-nsdname"]
        assert each["valid_until"] > each["valid_from"]
    (grouping,) = of_type(node, "grouping")
    others = {value["id"] for value in contents(node)} - {grouping["id"]}
    assert set(grouping["object_refs"]) == others - {
        value["id"] for value in of_type(node, "marking-definition")
    }
    assert grouping["object_marking_refs"] == [Tlp.GREEN.marking_id]
    (observed,) = of_type(node, "observed-data")
    seen = {value["value"]: value for value in of_type(node, "domain-name")}
    assert set(seen) == {ZONE, *NEW_NS}
    assert {value["id"] for value in seen.values()} < set(observed["object_refs"])
    assert DNS_RECORDS in seen[ZONE]["extensions"]
    ties = [each["relationship_type"] for each in of_type(node, "relationship")]
    assert sorted(ties) == ["consists-of"] * 2 + ["indicates"] * 2 + ["related-to"]


def test_it_is_the_first_on_every_line(node: Node) -> None:
    report_hijack(node, a_report(), Tlp.GREEN)
    own = FeedName(node.node_id, "green")
    with node.database.read() as tx:
        held = find_feed(tx, own)
        assert held is not None
        ((_, _, record),) = records_after(tx, held.feed_row, 0, 2)
    sealed = base64.b64decode(strict_loads(record)["dsse"]["payload"])
    assert strict_loads(sealed)["policy"]["urgency"] == "immediate"


def test_a_victims_own_server_and_a_protected_name_are_never_indicators(node: Node) -> None:
    new_ns = ["ns3.shop-a.org", "ns1.google.com", "ns1.rogue-host.net", OLD_NS[0]]
    reported = report_hijack(node, a_report(new_ns=new_ns), Tlp.GREEN)
    assert reported.rogue == ("ns1.rogue-host.net",)
    assert [(each.what, each.code) for each in reported.left_out] == [
        ("ns3.shop-a.org", "E_HIJACK_VICTIM"),
        ("ns1.google.com", "E_HIJACK_PROTECTED"),
    ]
    (indicator,) = of_type(node, "indicator")
    assert indicator["name"] == "ns1.rogue-host.net"
    (incident,) = of_type(node, "incident")
    assert len(incident["extensions"][DNS_DELEGATION_CHANGE]["new_ns"]) == 4


def test_a_report_in_which_nothing_changed_is_refused(node: Node) -> None:
    with pytest.raises(WireFormatError) as refused:
        report_hijack(node, a_report(new_ns=[f"{OLD_NS[1]}.", OLD_NS[0].upper()], old_ds=()),
                      Tlp.GREEN)  # fmt: skip
    assert refused.value.code == "E_HIJACK_SAME"
    assert contents(node) == []


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"old_ds": ()}, ("ns-replaced",)),
        ({"new_ns": [*OLD_NS, NEW_NS[0]], "old_ds": ()}, ("ns-added",)),
        ({"new_ns": (), "new_ds": ["1 8 2 AB CD"]}, ("ds-replaced",)),
        ({"new_ns": ()}, ("ds-removed",)),
        ({"new_ds": OLD_DS}, ("ns-replaced",)),
    ],
)
def test_what_changed_follows_from_before_and_after(
    changes: dict[str, Any], kinds: tuple[str, ...]
) -> None:
    assert read_report(a_report(**changes), NOW).change_kinds == kinds


@pytest.mark.parametrize(
    "changes",
    [
        {"vector": "magic"},
        {"addresses": ["ns1.rogue-host.net"]},
        {"old_ds": ["20326 8"]},
        {"confidence": 101},
        {"registrar_id": 0},
        {"new_ns": [f"ns{number}.rogue-host.net" for number in range(14)]},
        {"zone": "192.0.2.1"},
    ],
)
def test_what_is_no_report_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(WireFormatError):
        read_report(a_report(**changes), NOW)


def test_a_dry_run_stores_nothing_and_says_who_would_get_it(node: Node) -> None:
    Author(1).meets(node, "trusted")
    reported = report_hijack(node, a_report(), Tlp.GREEN, dry_run=True)
    assert (reported.entries, len(reported.audience)) == (1, 1)
    assert contents(node) == []


def test_a_second_report_on_the_same_servers_goes_out_without_what_was_said_otherwise(
    node: Node,
) -> None:
    report_hijack(node, a_report(), Tlp.GREEN)
    again = report_hijack(node, a_report(addresses=["198.51.100.66"]), Tlp.GREEN)
    assert again.entries == 1
    assert {each.code for each in again.left_out} == {"E_STALE_MODIFIED"}
    assert {domain(name)["id"] for name in NEW_NS} == {each.what for each in again.left_out}
    assert len(of_type(node, "incident")) == 2


def test_amber_needs_somebody_named(node: Node) -> None:
    with pytest.raises(SharingRefused) as refused:
        report_hijack(node, a_report(), Tlp.AMBER)
    assert refused.value.code == "E_NOBODY"


def test_the_reporter_lists_its_own_claim_as_open(node: Node) -> None:
    report_hijack(node, HijackReport("bücher-a.org", ["a.ns-x.net"], ["b.ns-x.net"]), Tlp.GREEN)
    assert (only(node).zone, only(node).state) == ("xn--bcher-a-n2a.org", "open")


@pytest.mark.parametrize(("said", "level"), [({}, 1), ({"pap": "amber"}, 2)])
def test_what_asks_for_a_block_permits_it_above_green_too(
    node: Node, said: dict[str, str], level: int
) -> None:
    """PROTOCOL 2.4: without a word AMBER permits nothing that the other side notices."""
    registry = Author(3).meets(node, "trusted")
    report_hijack(node, a_report(), Tlp.AMBER, to=(registry,), **said)
    assert {row["pap"] for row in rows_of(node, "SELECT pap FROM entries WHERE tlp = 2")} == {level}
