"""A ccTLD hijack: who is alarmed, whose answer counts, what is blocked, and how a claim closes.

``docs/stories/cctld-hijacks.md`` tells it to people.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.hijacks import OLD_DS
from tests.support.moved_clock import MovedClock
from tests.support.processes import Tocsin, organisations, start_all, until
from tests.support.shared_data import shared_path
from tests.support.signed_zone import signed_dns
from tests.support.told_stories import acquaint, open_alarms, wait_alarm, zone_names

ZONE, TLD, REGISTRAR = "shop-a.zz", "zz", 9999
OLD_NS = ("ns1.shop-a.zz", "ns2.shop-a.zz")
NEW_NS = ("ns1.rogue-host.net", "ns2.rogue-host.net")
TAXII = "application/taxii+json;version=2.1"
HIJACK = "HIJACK_CLAIMED"


def report(cert: Tocsin, *recipients: Tocsin) -> str:
    """The CERT reports what it saw, under AMBER; return the incident."""
    said = cert.run(
        "hijack", "report", "--zone", ZONE,
        *(word for name in OLD_NS for word in ("--old-ns", name)),
        *(word for name in NEW_NS for word in ("--new-ns", name)),
        "--old-ds", OLD_DS[0], "--registrar", "Demo Registrar", "--registrar-id", REGISTRAR,
        "--vector", "registration-system-compromise", "--address", "198.51.100.66",
        "--tlp", "amber", *(word for node in recipients for word in ("--to", node.node_id)),
    )  # fmt: skip
    assert said["change_kinds"] == ["ns-replaced", "ds-removed"]
    assert tuple(said["rogue"]) == NEW_NS
    return str(said["incident"])


def state_at(node: Tocsin) -> list[str]:
    """How the claims on the zone stand at a node."""
    return [row["state"] for row in node.run("hijack", "list", ZONE)]


def blocked_at(node: Tocsin, folder: Path) -> set[str]:
    """What a node's own resolvers would block now."""
    file = folder / f"{node.name}.zone"
    node.run("export", "rpz", "-o", file)
    return zone_names(file)


def test_those_in_the_path_are_alarmed_and_only_authority_changes_anything(tmp_path: Path) -> None:
    with organisations(tmp_path, "cert", "registry", "registrar", "bank") as nodes:
        cert, registry, registrar, bank = nodes
        start_all(*nodes)
        acquaint(cert, registry, registrar, bank)
        registry.run("operator", "set", "--role", "registry", "--tld", TLD)
        registrar.run("operator", "set", "--role", "registrar", "--registrar-id", REGISTRAR)
        cert.run("peer", "set", "registry", "--authority", f"zone:{TLD}.=hijack")

        incident = report(cert, registry, registrar)
        # Nobody pulls: both were woken, and each is told why it concerns it.
        for node in (registry, registrar):
            alarm = wait_alarm(node, HIJACK)
            assert (alarm["params"]["zone"], alarm["params"]["concern"]) == (ZONE, [node.name])
            assert NEW_NS[0] in alarm["sentence"]
        assert blocked_at(cert, tmp_path) == set(), "one lineage blocks nothing"

        # The registrar has no authority here, and a desk's tool signs nothing.
        registrar.run("hijack", "answer", incident, "authorised", "--reason", "It was us.")
        until(lambda: answers_at(cert, incident), "the registrar's answer is there")
        post_unsigned_note(cert, incident)
        assert state_at(cert) == ["open"]
        assert [(a["answer"], a["counts"]) for a in answers_at(cert, incident)] == [
            ("authorised-change", False)
        ]
        assert open_alarms(registry, HIJACK)

        # The registry looks into its own records: that is a second lineage, a sensor of its own.
        registry.run("hijack", "answer", incident, "not-ours", "--reason", "Not in our records.")
        until(lambda: state_at(cert) == ["not-ours"], "the registry's answer counts")
        rogue = {f"{name}.rpz-nsdname" for name in NEW_NS}
        until(lambda: blocked_at(cert, tmp_path) == rogue, "the rogue name servers are blocked")
        assert open_alarms(registry, HIJACK), "it is still hijacked"

        # Who was not named knows nothing of any of it.
        assert bank.run("hijack", "list") == []
        assert open_alarms(bank, HIJACK) == []
        stored = bank.everything_on_disk()
        for word in (ZONE, *NEW_NS, incident, "198.51.100.66"):
            assert word.encode() not in stored


def answers_at(node: Tocsin, incident: str) -> list[dict[str, Any]]:
    """The answers to an incident, as a node judges them."""
    answers: list[dict[str, Any]] = node.run("hijack", "show", incident)["answers"]
    return answers


def post_unsigned_note(cert: Tocsin, incident: str) -> None:
    """A tool with a writer's token adds what looks like the registry's answer."""
    cert.run("collection", "add", "Desk", "--alias", "desk")
    token = cert.run("token", "add", "tool", "--kind", "writer")["token"]
    cert.run("collection", "grant", "desk", "tool", "--write")
    at = cert.run("objects", "show", incident)[-1]["object"]["modified"]
    note = {
        "type": "note",
        "spec_version": "2.1",
        "id": "note--3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "created": at,
        "modified": at,
        "content": "The delegation was set back.",
        "labels": ["hijack-answer", "reverted"],
        "object_refs": [incident],
        "external_references": [
            {
                "source_name": "tocsin-incident",
                "external_id": incident.removeprefix("incident--"),
                "description": f"{cert.node_id} {at}",
            }
        ],
    }
    answer = cert.ask(
        "POST",
        "/taxii2/intel/collections/desk/objects/",
        {"Authorization": f"Bearer {token}", "Accept": TAXII, "Content-Type": TAXII},
        json.dumps({"objects": [note]}).encode(),
    )
    assert (answer.status, answer.document["success_count"]) == (202, 1)


def test_a_claim_closes_itself_when_the_parent_s_zone_is_turned_back(tmp_path: Path) -> None:
    folder = tmp_path / "dns"
    folder.mkdir()
    with (
        MovedClock(tmp_path / "clock") as clock,
        signed_dns(folder, signed=[TLD], unsigned=[]) as dns,
        organisations(tmp_path, "cert", "registry") as (cert, registry),
    ):
        dns.publish(TLD, {}, records=[f"shop-a NS {name}." for name in NEW_NS])
        cert.environment["TOCSIN_DELEGATION_SERVER"] = f"127.0.0.1:{dns.authority_port}"
        start_all(cert, registry)
        acquaint(cert, registry)
        registry.run("operator", "set", "--role", "registry", "--tld", TLD)
        incident = report(cert, registry)
        wait_alarm(registry, HIJACK)
        clock.take_over(cert, registry)
        look_again(clock, cert, incident)
        assert state_at(cert) == ["open"]

        back = [f"shop-a NS {name}." for name in OLD_NS]
        glue = [f"{name.split('.')[0]}.shop-a A 192.0.2.{n}" for n, name in enumerate(OLD_NS, 1)]
        dns.publish(TLD, {}, records=[*back, *glue])
        look_again(clock, cert, incident)
        look_again(clock, cert, incident)
        assert state_at(cert) == ["open"], "the name servers are back, and the DS is not"
        dns.publish(TLD, {}, records=[*back, *glue, f"shop-a DS {OLD_DS[0]}"])
        look_again(clock, cert, incident)
        assert state_at(cert) == ["open"], "seen once"
        look_again(clock, cert, incident)
        for node in (cert, registry):
            until(lambda n=node: state_at(n) == ["closed"], f"{node.name} knows")  # type: ignore[misc]
        until(lambda: not open_alarms(registry, HIJACK), "nobody is alarmed any more")


def look_again(clock: MovedClock, cert: Tocsin, incident: str) -> None:
    """Let a quarter of an hour go by, in which the CERT's node asks the parent once."""
    before = cert.run("hijack", "show", incident)["looked_at"]
    clock.move(minutes=15)
    until(
        lambda: cert.run("hijack", "show", incident)["looked_at"] != before,
        "the parent's servers were asked",
    )


def test_the_bundle_of_2009_gives_the_same_alarm(tmp_path: Path) -> None:
    bundle = shared_path("stix/cctld_hijack.json")
    with organisations(tmp_path, "cert", "registry") as (cert, registry):
        start_all(cert, registry)
        acquaint(cert, registry)
        registry.run("operator", "set", "--role", "registry", "--tld", "example")
        told = cert.run("publish", bundle, "--tlp", "amber", "--pap", "green", "--to", "registry")
        assert told["refused"] == []
        alarm = wait_alarm(registry, HIJACK)
        assert (alarm["params"]["zone"], alarm["params"]["concern"]) == (
            "bank.example", ["registry"],
        )  # fmt: skip
        [row] = registry.run("hijack", "list", "bank.example")
        assert (row["state"], row["registrar_id"], row["vector"]) == (
            "closed", REGISTRAR, "registration-system-compromise",
        )  # fmt: skip
        assert row["reverted_at"].startswith("2009-04-21T03:00")
