"""What is received of hijack claims: who is alarmed, what waits, and what ends an alarm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.exchange.erase import erase_here
from hub.exchange.object_listing import accept_quarantined
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.withdraw import withdraw_object
from hub.imports.drafts import Draft
from hub.imports.stix_bundles import read_bundle
from hub.incidents.list_hijacks import list_hijacks
from hub.incidents.note_incidents import MOST_ALARMS, read_answer
from hub.incidents.operators import declare_operator
from hub.incidents.watch_delegations import watch_delegations
from hub.monitoring.alarm_words import words_of
from hub.monitoring.alarms import list_alarms
from hub.node import Node
from hub.operators.tokens import add_token
from hub.peers.directory import resolve_peer
from hub.storage.queries.alarms import AlarmRow
from schemas.markings import Tlp
from tests.support.hijacks import NEW_NS, ZONE, carry, only, tell_hijack, two_nodes
from tests.support.nodes import make_node
from tests.support.publications import Author, join, stix_id
from tests.support.shared_data import shared_path
from tests.support.stored_state import rows_of


def hijack_alarms(node: Node) -> list[AlarmRow]:
    return [alarm for alarm in list_alarms(node) if alarm.code == "HIJACK_CLAIMED"]


def test_whose_zone_it_is_is_alarmed_at_once_and_others_see_it_listed(tmp_path: Path) -> None:
    cert, owner = two_nodes(tmp_path)
    other = make_node(tmp_path / "other", "other")
    join(cert, other, "trusted", name="other")
    join(other, cert, "trusted", name="cert")
    reported = tell_hijack(cert, owner, other)
    (alarm,) = hijack_alarms(owner)
    assert (alarm.params["zone"], alarm.params["concern"]) == (ZONE, ["own-zone"])
    said, remedy = words_of(alarm)
    assert f"cert claims that the delegation of {ZONE} was hijacked, to {NEW_NS[0]}" in said
    assert "tocsin hijack answer" in remedy
    assert hijack_alarms(other) == []
    for node in (owner, other):
        listed = only(node)
        assert (listed.incident, listed.state, listed.tlp) == (reported.incident, "open", "amber")
        assert (listed.zone, listed.new_ns, listed.origin_name) == (ZONE, NEW_NS, "cert")


def test_the_registry_and_the_registrar_in_the_path_are_alarmed(tmp_path: Path) -> None:
    cert, registry = make_node(tmp_path / "a", "cert"), make_node(tmp_path / "b", "registry")
    join(cert, registry, "trusted", name="registry")
    join(registry, cert, "trusted", name="cert")
    declare_operator(
        registry, roles=["registry", "registrar"], tlds=["org"], iana_registrar_id=9999
    )
    tell_hijack(cert, registry, registrar="R", registrar_id=9999)
    (alarm,) = hijack_alarms(registry)
    assert alarm.params["concern"] == ["registry", "registrar"]
    assert only(registry).concern == ("registry", "registrar")


def test_a_constituents_zone_alarms_its_hub(tmp_path: Path) -> None:
    cert, hub = make_node(tmp_path / "a", "cert"), make_node(tmp_path / "b", "hub")
    join(cert, hub, "trusted", name="hub")
    join(hub, cert, "trusted", name="cert")
    add_token(hub, "shop", "constituent", zones=[ZONE])
    tell_hijack(cert, hub)
    assert [alarm.params["concern"] for alarm in hijack_alarms(hub)] == [["own-zone"]]


def test_what_waits_in_quarantine_is_listed_as_waiting_and_alarms_when_it_is_accepted(
    tmp_path: Path,
) -> None:
    cert = make_node(tmp_path / "cert", "cert")
    owner = make_node(tmp_path / "owner", "owner", profile={"domain": ZONE})
    join(cert, owner, "trusted", name="owner")
    join(owner, cert, "known", name="cert")
    reported = tell_hijack(cert, owner, tlp=Tlp.GREEN)
    assert (only(owner).state, only(owner).zone) == ("waiting", ZONE)
    assert hijack_alarms(owner) == []
    accept_quarantined(owner, [reported.incident])
    assert only(owner).state == "open"
    assert len(hijack_alarms(owner)) == 1


def test_a_withdrawn_claim_ends_the_alarm(tmp_path: Path) -> None:
    cert, owner = two_nodes(tmp_path)
    reported = tell_hijack(cert, owner)
    withdraw_object(cert, reported.incident, "a mistake")
    carry(cert, owner)
    assert only(owner).state == only(cert).state == "withdrawn"
    assert hijack_alarms(owner) == []


def test_an_exercise_alarms_nobody(tmp_path: Path) -> None:
    cert, owner = two_nodes(tmp_path)
    values, _ = read_bundle(shared_path("stix/cctld_hijack.json").read_bytes())
    drafts = [Draft(value) for value in values]
    publish_objects(cert, PublishRequest(drafts=drafts, tlp=Tlp.GREEN, exercise=True))
    carry(cert, owner)
    assert list_hijacks(owner) == ()


def test_the_shared_bundle_says_the_same_to_its_readers(tmp_path: Path) -> None:
    """It was set back before it was told: that still has to reach a person."""
    cert = make_node(tmp_path / "cert", "cert")
    owner = make_node(tmp_path / "owner", "owner", profile={"domain": "bank.example"})
    join(cert, owner, "trusted", name="owner")
    join(owner, cert, "trusted", name="cert")
    values, _ = read_bundle(shared_path("stix/cctld_hijack.json").read_bytes())
    publish_objects(
        cert,
        PublishRequest(
            drafts=[Draft(value) for value in values],
            tlp=Tlp.AMBER,
            to=(peer_named(cert, "owner"),),
        ),
    )
    carry(cert, owner)
    listed = only(owner)
    assert (listed.zone, listed.state) == ("bank.example", "closed")
    assert listed.change_kinds == ("ns-replaced", "ds-removed")
    assert listed.registrar_id == 9999
    (alarm,) = hijack_alarms(owner)
    assert alarm.params["state"] == "closed"
    watch_delegations(owner)
    assert len(hijack_alarms(owner)) == 1, "it stays for a person"


def test_erasing_takes_what_was_read_and_the_next_round_ends_the_alarm(tmp_path: Path) -> None:
    cert, owner = two_nodes(tmp_path)
    reported = tell_hijack(cert, owner)
    (carried,) = rows_of(
        owner,
        "SELECT feed, seq FROM carried JOIN objects USING (object_row) JOIN feeds USING (feed_row)"
        f" WHERE stix_id = '{reported.incident}'",
    )
    erase_here(owner, f"{carried['feed']}/{carried['seq']}", "asked by the owner")
    tables = ("hijack_claims", "hijack_servers", "name_servers")
    assert [rows_of(owner, f"SELECT * FROM {table}") for table in tables] == [[], [], []]
    assert len(hijack_alarms(owner)) == 1
    watch_delegations(owner)
    assert hijack_alarms(owner) == []


def peer_named(node: Node, name: str) -> Any:
    return resolve_peer(node, name)


def test_one_origin_opens_so_many_alarms_and_no_more(tmp_path: Path) -> None:
    owner = make_node(tmp_path, "owner", profile={"domain": ZONE})
    author = Author(1)
    author.meets(owner, "trusted")
    incidents = [
        {
            "type": "incident",
            "spec_version": "2.1",
            "id": stix_id("incident", number),
            "created": "2026-02-28T00:00:00.000Z",
            "modified": "2026-02-28T00:00:00.000Z",
            "name": "x",
            "extensions": {
                "extension-definition--ee30bea3-18ac-5ba3-9c71-e444a9d66124": {
                    "extension_type": "property-extension",
                    "zone": f"z{number}.{ZONE}",
                    "change_kinds": ["ns-replaced"],
                    "new_ns": ["ns1.rogue-host.net."],
                }
            },
        }
        for number in range(1, MOST_ALARMS + 4)
    ]
    author.put("green", *incidents)
    assert author.deliver(owner, "green").accepted
    assert len(hijack_alarms(owner)) == MOST_ALARMS + 1
    assert len(list_hijacks(owner)) == MOST_ALARMS + 3


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ["hijack-answer"]},
        {"labels": ["hijack-answer", "not-ours", "reverted"]},
        {"labels": "hijack-answer"},
        {"labels": ["not-ours"]},
        {"external_references": [{"source_name": "tocsin-incident", "external_id": 7}]},
        {"external_references": [{"source_name": "other", "external_id": "x"}]},
        {"external_references": {}},
    ],
)
def test_what_is_no_answer_is_read_as_none(changes: dict[str, Any]) -> None:
    uuid = stix_id("incident", 1).partition("--")[2]
    note = {
        "labels": ["hijack-answer", "not-ours"],
        "external_references": [{"source_name": "tocsin-incident", "external_id": uuid}],
    }
    assert read_answer(note) == (stix_id("incident", 1), None, None, "not-ours")
    assert read_answer(note | changes) is None
