"""Claims on protected names: never blocked, told to a person, and paid for (THREATS 38)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from federation.trust.presets import TrustLevel
from hub.monitoring.alarm_words import words_of
from hub.monitoring.alarms import list_alarms
from hub.node import Node
from hub.operators.tokens import add_token
from hub.peers.trust import PeerChanges, dials_of, set_peer
from hub.verdicts.blocklist import AUDIENCES
from hub.verdicts.guard_overrides import override_guard
from schemas.dns.names import is_public_suffix
from schemas.markings import Tlp
from tests.support.exported import exported_lines
from tests.support.nodes import make_node, peer_of
from tests.support.publications import Author
from tests.support.stored_state import rows_of
from tests.support.told_claims import (
    EVIL,
    authors,
    claim,
    clock_of,
    confidences,
    make_verdicts,
    tell,
)

PROTECTED = (
    "google.com",
    "cert.example",  # this node's own zone
    "www.registry.example",  # in a member's zone
    "www.bank.example",  # in a constituent's zone
    "co.uk",
    "a.root-servers.net",
    "com",
)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "cert")


def author(number: int, domain: str) -> Author:
    made = Author(number)
    made.document = made.owner.document(identities=[made.identity], domains=[domain])
    return made


def exported(node: Node, audience: str = "organisation") -> tuple[str, ...]:
    make_verdicts(node)
    return exported_lines(node, audience)


def inbound(node: Node, peer: Author) -> str:
    return dials_of(peer_of(node, peer.node_id)).inbound


def test_t38_a_partner_s_claims_on_protected_names_never_reach_a_blocking_export(
    node: Node,
) -> None:
    """With two that say the same; what the three say of other names is blocked all the while."""
    partner = author(1, "partner.example")
    partner.meets(node, "partner")
    member = author(4, "registry.example")
    member.meets(node, "member")
    add_token(node, "bank", "constituent", zones=["bank.example"])
    others = authors(node, 2, "trusted", first=2)
    for who in (partner, *others):
        claims = [
            claim(name, number, confidence=100, scope=scope)
            for number, (name, scope) in enumerate(
                [(EVIL, "exact"), *((name, "exact") for name in PROTECTED), ("org", "subtree")], 1
            )
        ]
        tell(node, who, "clear", *claims, policy={"pap": "clear"})
    # What is believed says so: the names are told to be malicious, and well supported.
    make_verdicts(node)
    believed = confidences(node, Tlp.AMBER_STRICT)
    assert believed["google.com"] >= 75
    assert set(believed) == {EVIL, "org", *PROTECTED}
    # It never reaches a blocking export, whoever observes it.
    for audience in AUDIENCES:
        assert exported(node, audience) == (EVIL,)
    # It raises an alarm that names the peer and the names.
    alarms = {alarm.subject: alarm for alarm in list_alarms(node)}
    assert alarms.keys() == {each.node_id for each in (partner, *others)}
    sentence, remedy = words_of(alarms[partner.node_id])
    assert "a.root-servers.net" in sentence
    assert "Telephone" in remedy
    # And it costs them that their claims come in by themselves.
    assert {inbound(node, each) for each in (partner, *others)} == {"corroborated"}
    causes = rows_of(node, "SELECT params FROM audit_events WHERE code = 'PEER_DEMOTED'")
    assert len(causes) == 3
    assert b"DEMOTED_PROTECTED_NAMES" in bytes(causes[0]["params"])


def test_a_block_below_a_name_meets_what_is_protected_there(node: Node) -> None:
    for who in authors(node, 3):
        tell(node, who, "clear", claim("root-servers.net", scope="subtree"))
        tell(node, who, "clear", claim("servers.example", 2, scope="subtree"))
    assert exported(node) == ("servers.example", "*.servers.example")


def test_three_names_in_a_day_cost_one_step_and_two_do_not(node: Node) -> None:
    (peer,) = authors(node, 1, "partner")
    tell(node, peer, "clear", claim("google.com", 1), claim("apple.com", 2))
    make_verdicts(node)
    clock_of(node).advance(hours=25)
    tell(node, peer, "clear", claim("microsoft.com", 3))
    make_verdicts(node)
    assert inbound(node, peer) == "accept", "three, but not in one day"
    tell(node, peer, "clear", claim("paypal.com", 4), claim("visa.com", 5))
    make_verdicts(node)
    assert inbound(node, peer) == "corroborated"
    assert peer_of(node, peer.node_id).trust == TrustLevel.PARTNER, "a person decides on the rest"


def test_what_was_paid_for_is_not_charged_again(node: Node) -> None:
    (peer,) = authors(node, 1, "partner")
    names = ("google.com", "apple.com", "microsoft.com")
    tell(node, peer, "clear", *(claim(name, number) for number, name in enumerate(names, 1)))
    make_verdicts(node)
    set_peer(node, peer_of(node, peer.node_id), PeerChanges(inbound="accept"))
    clock_of(node).advance(hours=1)
    tell(node, peer, "clear", claim("paypal.com", 4))
    make_verdicts(node)
    assert inbound(node, peer) == "accept"


def test_one_alarm_a_peer_and_none_for_what_is_only_held(node: Node) -> None:
    (peer,) = authors(node, 1)
    tell(node, peer, "clear", claim("kit.google.com", 1), claim("duckdns.org", 2))
    make_verdicts(node)
    assert list_alarms(node) == ()
    for number, name in enumerate(("google.com", "apple.com"), 3):
        tell(node, peer, "clear", claim(name, number))
        make_verdicts(node)
    (alarm,) = list_alarms(node)
    assert (alarm.code, alarm.params["hits"]) == ("PROTECTED_NAME", 2)


def test_a_stranger_s_zone_shields_nothing_at_others_cost(node: Node) -> None:
    """It calls the zone of its botnet its own; honest reports are held, and cost nobody a step."""
    stranger = author(9, "botnet.example")
    stranger.meets(node, "known")
    shady = author(8, "com")
    shady.meets(node, "member")
    honest = authors(node, 2)
    names = ("a.botnet.example", "b.botnet.example", "c.botnet.example", "evil.com")
    for who in honest:
        tell(node, who, "clear", *(claim(name, number) for number, name in enumerate(names, 1)))
    assert exported(node) == ("evil.com",)
    assert [inbound(node, who) for who in honest] == ["accept", "accept"]
    assert list_alarms(node) == ()


def test_an_override_lets_the_verdict_s_block_pass_until_it_ends(node: Node) -> None:
    clock = clock_of(node)
    for who in authors(node, 2):
        tell(node, who, "clear", claim("kit.google.com"))
    assert exported(node) == ()
    until = clock.now() + timedelta(hours=1)
    override_guard(node, "kit.google.com", reason="A kit.", until=until)
    assert exported(node) == ("kit.google.com",)
    clock.advance(hours=1)
    assert exported(node) == ()


def test_the_names_of_the_test_are_what_they_are_meant_to_be() -> None:
    assert is_public_suffix("co.uk")
    assert is_public_suffix("com")


def test_a_member_s_own_word_on_its_zones_costs_others_no_step(node: Node) -> None:
    """A bad member calls the names of its botnet its own: honest reports are told, and no more."""
    bad = author(9, "botnet.example")
    bad.meets(node, "member")
    honest = authors(node, 1, "partner")[0]
    names = [f"{number}.botnet.example" for number in range(5)]
    tell(node, honest, "clear", *(claim(name, number) for number, name in enumerate(names, 1)))
    make_verdicts(node)
    assert inbound(node, honest) == "accept"
    (alarm,) = list_alarms(node)
    assert alarm.params["names"] == names


def test_a_zone_that_is_granted_for_one_statement_is_protected_too(node: Node) -> None:
    Author(9).meets(node, "member", authority=("zone:registry.example.=benign",))
    for who in authors(node, 2):
        tell(node, who, "clear", claim("registry.example"))
    assert exported(node) == ()
