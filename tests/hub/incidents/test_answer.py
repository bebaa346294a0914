"""An answer to a hijack claim counts by authority, is signed, and goes no further than it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.errors import NotFound
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.restrict import own_versions
from hub.imports.drafts import Draft
from hub.incidents.answer import answer_hijack
from hub.incidents.list_hijacks import list_hijacks, show_hijack
from hub.incidents.report import report_hijack
from hub.monitoring.alarms import list_alarms
from hub.node import Node
from hub.peers.trust import PeerChanges, set_peer
from hub.storage.queries.names import NameRow, store_names
from hub.storage.queries.objects import contents_of
from hub.verdicts.explain_verdict import explain_name
from schemas.dns.extensions import DNS_DELEGATION_CHANGE
from schemas.errors import WireFormatError
from schemas.identifiers import own_stix_id
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from schemas.timestamps import write_wire_time
from tests.support.grouped_nodes import group_of
from tests.support.hijacks import NEW_NS, ZONE, a_report, carry, only, tell_hijack, two_nodes
from tests.support.joined_nodes import direct, sync
from tests.support.nodes import make_node, peer_of
from tests.support.publications import Author, domain, join, stix_id
from tests.support.stored_state import rows_of
from tests.support.told_claims import claim, clock_of, make_verdicts, tell

SCOPE = ["zone:org.=hijack"]


def hijack_alarms(node: Node) -> list[str]:
    return [alarm.subject for alarm in list_alarms(node) if alarm.code == "HIJACK_CLAIMED"]


@pytest.mark.parametrize(
    ("word", "state"),
    [("authorised", "authorised"), ("not-ours", "not-ours"), ("reverted", "reverted")],
)
def test_an_authority_answers_and_the_reporter_hears_it(
    tmp_path: Path, word: str, state: str
) -> None:
    cert, owner = two_nodes(tmp_path, authority=SCOPE)
    reported = tell_hijack(cert, owner)
    answered = answer_hijack(owner, reported.incident, word, reason="We know.")
    assert (answered.tlp, answered.state) == ("amber", state)
    assert [feed.split("/")[1] for feed in answered.feeds] == [direct(cert)]
    carry(owner, cert)
    listed = only(cert)
    (answer,) = listed.answers
    assert (listed.state, answer.counts, answer.origin_name) == (state, True, "owner")
    # Not ours keeps everybody awake, and the two others end it.
    assert bool(hijack_alarms(owner)) is (word == "not-ours")


def test_an_answer_from_without_authority_is_shown_and_changes_nothing(tmp_path: Path) -> None:
    cert, other = make_node(tmp_path / "a", "cert"), make_node(tmp_path / "b", "other")
    join(cert, other, "partner", name="other", authority=["zone:net.", "zone:org.=benign"])
    join(other, cert, "trusted", name="cert")
    reported = tell_hijack(cert, other)
    make_verdicts(cert)
    before = dumped(cert)
    answered = answer_hijack(other, reported.incident, "authorised")
    assert answered.state == "open", "nor does it count at home"
    carry(other, cert)
    make_verdicts(cert)
    listed = only(cert)
    assert listed.state == "open"
    assert listed.answers[0].why == "without authority, changes nothing"
    assert dumped(cert) == before


def dumped(node: Node) -> list[Any]:
    verdicts = rows_of(node, "SELECT name, label, result, block, dispute FROM verdicts ORDER BY 1")
    return [tuple(row.values()) for row in verdicts]


def test_authority_that_is_granted_later_counts_then_and_no_longer_when_it_goes(
    tmp_path: Path,
) -> None:
    cert, owner = two_nodes(tmp_path)
    reported = tell_hijack(cert, owner)
    answer_hijack(owner, reported.incident, "authorised")
    carry(owner, cert)
    assert only(cert).state == "open"
    set_peer(cert, peer_of(cert, owner), PeerChanges(authority=SCOPE))
    assert only(cert).state == "authorised"
    set_peer(cert, peer_of(cert, owner), PeerChanges(trust="known"))
    assert only(cert).state == "open", "below member a scope lies idle"


@pytest.mark.parametrize(("since", "state"), [(-1, "authorised"), (1, "open")])
def test_a_domain_that_dnssec_proved_before_the_claim_is_authority(
    tmp_path: Path, since: int, state: str
) -> None:
    """Who took the zone signs it anew and would answer for it himself (THREATS 53)."""
    cert, owner = two_nodes(tmp_path)
    reported = tell_hijack(cert, owner)
    answer_hijack(owner, reported.incident, "authorised")
    carry(owner, cert)
    at = cert.now() + timedelta(hours=since)
    with cert.database.write() as tx:
        row = NameRow(owner.node_id, ZONE, "verified", (owner.node_id,), at, at)
        store_names(tx, owner.node_id, [row])
    assert only(cert).state == state


def test_a_public_suffix_takes_two(tmp_path: Path) -> None:
    cert = make_node(tmp_path, "cert")
    reported = tell_hijack(cert, tlp=Tlp.GREEN, zone="co.uk", old_ns=["ns1.nic.uk"])
    for number in (1, 2):
        authority = Author(number)
        authority.meets(cert, "member", authority=["zone:uk."])
        say(cert, authority, reported.incident, "not-ours")
        assert only(cert).state == ("open" if number == 1 else "not-ours")
    assert [each.why for each in only(cert).answers] == ["counts", "counts"]


def say(
    node: Node, author: Author, incident: str, word: str, *, proven: bool = True, **changes: Any
) -> None:
    """Let an author send an answer, with or without the proof that its id is his own."""
    number = len(author.feed("green").entries) + 1
    value = {
        "type": "note",
        "spec_version": "2.1",
        "id": stix_id("note", number),
        "created": write_wire_time(node.now()),
        "modified": write_wire_time(node.now()),
        "content": "x",
        "labels": ["hijack-answer", word],
        "object_refs": [author.identity],
        "external_references": [
            {"source_name": "tocsin-incident", "external_id": incident.partition("--")[2]}
        ],
    } | changes
    members: dict[str, Any] = {}
    if proven:
        name = f"random-name-{number:04d}"
        value["id"] = own_stix_id(author.node_id, "note", name)
        members = {"idn": {value["id"]: name}}
    tell(node, author, "green", value, **members)


def test_an_unsigned_answer_changes_nothing(tmp_path: Path) -> None:
    """Somebody's answer, taken in over TAXII or an import and published by one with authority."""
    cert = make_node(tmp_path, "cert")
    reported = tell_hijack(cert, tlp=Tlp.GREEN)
    registry = Author(1)
    registry.meets(cert, "trusted", authority=SCOPE)
    say(cert, registry, reported.incident, "authorised-change", proven=False)
    listed = only(cert)
    assert listed.state == "open"
    assert listed.answers[0].why == "not its author's own object, changes nothing"


def test_an_answer_to_one_change_says_nothing_of_the_next(tmp_path: Path) -> None:
    """The attacker who was authorised once moves the zone again, under the same incident."""
    cert, owner = two_nodes(tmp_path, authority=SCOPE)
    reported = tell_hijack(cert, owner)
    answer_hijack(owner, reported.incident, "authorised")
    carry(owner, cert)
    assert only(cert).state == "authorised"
    clock_of(cert).advance(hours=1)
    say_anew(cert, reported.incident, new_ns=["ns1.other-host.net."])
    listed = only(cert)
    assert listed.state == "open"
    assert listed.answers[0].why == "about another change of the delegation, changes nothing"


def say_anew(node: Node, incident: str, **changes: Any) -> None:
    with node.database.read() as tx:
        row = own_versions(tx, node, incident)[-1]
        value: dict[str, Any] = strict_loads(contents_of(tx, [row.object_row])[row.object_row])
    value["extensions"][DNS_DELEGATION_CHANGE] |= changes
    value["modified"] = write_wire_time(node.now())
    to = tuple(
        peer_of(node, peer["node_id"]) for peer in rows_of(node, "SELECT node_id FROM peers")
    )
    request = PublishRequest(drafts=[Draft(value, row.idn)], tlp=Tlp(row.tlp), to=to)
    assert publish_objects(node, request).refused == ()


def test_the_newest_answer_counts_and_the_cautious_one_goes_first(tmp_path: Path) -> None:
    cert, owner = two_nodes(tmp_path, authority=SCOPE)
    reported = tell_hijack(cert, owner)
    answer_hijack(owner, reported.incident, "not-ours")
    clock_of(owner).advance(hours=1)
    answer_hijack(owner, reported.incident, "reverted")
    clock_of(cert).advance(hours=1)
    carry(owner, cert)
    assert only(cert).state == "reverted"
    registrar = Author(5)
    registrar.meets(cert, "member", authority=SCOPE)
    say(cert, registrar, reported.incident, "not-ours")
    assert only(cert).state == "not-ours"


def test_members_of_the_same_group_hear_the_answer(tmp_path: Path) -> None:
    """The incident went to a group of the CERT; who is in it and is a peer is told, no other."""
    cert, owner = two_nodes(tmp_path, authority=SCOPE)
    isp = make_node(tmp_path / "isp", "isp")
    stranger = make_node(tmp_path / "stranger", "stranger")
    for a, b, name in ((cert, isp, "cert"), (owner, isp, "owner"), (owner, stranger, "owner")):
        join(a, b, "trusted", name="isp" if b is isp else "stranger")
        join(b, a, "trusted", name=name, **({"authority": SCOPE} if a is owner else {}))
    group = group_of(cert, owner, isp, roster="members")
    reported = report_hijack(cert, a_report(), Tlp.AMBER, groups=("banks",))
    for member in (owner, isp):
        sync(cert, member, group.gid)
    answered = answer_hijack(owner, reported.incident, "not-ours")
    assert {feed.split("/")[1] for feed in answered.feeds} == {direct(cert), direct(isp)}
    carry(owner, isp)
    assert only(isp).state == "not-ours"


def test_authorised_holds_the_rogue_servers_from_blocking(tmp_path: Path) -> None:
    cert, owner = two_nodes(tmp_path, authority=SCOPE)
    reported = tell_hijack(cert, owner, tlp=Tlp.GREEN)
    (name, _) = NEW_NS
    for number in (7, 8):
        voice = Author(number)
        voice.meets(cert, "partner")
        tell(cert, voice, "green", claim(name, number, threat="delegation-hijack", confidence=95))
    make_verdicts(cert)
    assert codes(cert, name) == ("BLOCKED",)
    answer_hijack(owner, reported.incident, "authorised")
    carry(owner, cert)
    make_verdicts(cert)
    assert codes(cert, name) == ("HIJACK_AUTHORISED",)
    # Another zone that was moved to the same servers: the registry of this one cannot clear them.
    tell_hijack(cert, zone="shop-b.org", old_ns=["ns1.shop-b.org"], old_ds=(), tlp=Tlp.GREEN)
    make_verdicts(cert)
    assert codes(cert, name) == ("BLOCKED",)


def codes(node: Node, name: str) -> tuple[str, ...]:
    return explain_name(node, name).views["green"].codes


def test_not_ours_is_a_second_lineage_from_the_registrys_own_records(tmp_path: Path) -> None:
    cert, owner = two_nodes(tmp_path, authority=SCOPE)
    reported = tell_hijack(cert, owner, tlp=Tlp.GREEN)
    answer_hijack(owner, reported.incident, "not-ours")
    carry(owner, cert)
    make_verdicts(cert)
    found = rows_of(cert, "SELECT name, lineages, result FROM verdicts WHERE label = 1")
    assert {row["lineages"] for row in found if NEW_NS[0] in row["name"]} == {2}
    assert [alarm.code for alarm in list_alarms(cert)] == [], "and no echo"


def test_while_the_very_zone_is_claimed_its_registrys_benign_holds_nothing(
    tmp_path: Path,
) -> None:
    """PROTOCOL 4.1."""
    cert = make_node(tmp_path, "cert")
    inside, outside = f"login.{ZONE}", "login.shop-b.org"
    for number in (7, 8):
        voice = Author(number)
        voice.meets(cert, "partner")
        tell(cert, voice, "green", claim(inside, 1), claim(outside, 2))
    registry = Author(9)
    registry.meets(cert, "member", authority=["zone:org."])
    tell(cert, registry, "green", *dissent(inside, 1), *dissent(outside, 2))
    make_verdicts(cert)
    assert codes(cert, inside) == codes(cert, outside) == ("AUTHORITY_BENIGN",)
    reported = tell_hijack(cert, tlp=Tlp.GREEN)
    make_verdicts(cert)
    assert codes(cert, inside) == ("BLOCKED",)
    assert codes(cert, outside) == ("AUTHORITY_BENIGN",)
    say(cert, registry, reported.incident, "reverted")
    make_verdicts(cert)
    assert codes(cert, inside) == ("AUTHORITY_BENIGN",)


def dissent(name: str, number: int) -> tuple[dict[str, Any], ...]:
    about = domain(name)
    value = {
        "type": "opinion",
        "spec_version": "2.1",
        "id": stix_id("opinion", number),
        "opinion": "disagree",
        "object_refs": [about["id"]],
    }
    return about, value


def test_who_answers_its_own_claim_tells_those_who_have_it(tmp_path: Path) -> None:
    cert, owner = two_nodes(tmp_path)
    reported = tell_hijack(cert, owner)
    answered = answer_hijack(cert, reported.incident, "reverted")
    assert [feed.split("/")[1] for feed in answered.feeds] == [direct(owner)]


def test_a_member_s_authority_counts_out_of_quarantine(tmp_path: Path) -> None:
    cert = make_node(tmp_path, "cert")
    reported = tell_hijack(cert, tlp=Tlp.GREEN)
    registry = Author(1)
    registry.meets(cert, "member", authority=SCOPE, inbound="quarantine")
    say(cert, registry, reported.incident, "not-ours")
    assert rows_of(cert, "SELECT state FROM objects WHERE stix_type = 'note'") == [
        {"state": "quarantined"}
    ]
    assert only(cert).state == "not-ours"


def test_what_cannot_be_answered_is_said(tmp_path: Path) -> None:
    cert, _ = two_nodes(tmp_path)
    with pytest.raises(NotFound) as unknown:
        answer_hijack(cert, stix_id("incident", 9), "authorised")
    assert unknown.value.code == "E_HIJACK_UNKNOWN"
    with pytest.raises(WireFormatError):
        answer_hijack(cert, stix_id("incident", 9), "perhaps")
    with pytest.raises(NotFound):
        show_hijack(cert, stix_id("incident", 9))
    assert list_hijacks(cert) == ()


@pytest.mark.parametrize(("pap", "level"), [("green", 1), ("amber", 2)])
def test_an_answer_permits_what_the_incident_does(tmp_path: Path, pap: str, level: int) -> None:
    cert, owner = two_nodes(tmp_path, authority=SCOPE)
    reported = report_hijack(cert, a_report(), Tlp.AMBER, to=(peer_of(cert, owner),), pap=pap)
    carry(cert, owner)
    answer_hijack(owner, reported.incident, "not-ours")
    said = rows_of(owner, "SELECT pap FROM entries WHERE tlp = 2")
    assert [row["pap"] for row in said] == [level, level]
