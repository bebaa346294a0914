"""Disputes: said to the origin, weighed by who says so, and held until a person decides."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.errors import Conflict, NotFound
from hub.monitoring.alarm_words import words_of
from hub.monitoring.alarms import list_alarms
from hub.node import Node
from hub.peers.suspend import resume_peer, suspend_peer
from hub.verdicts.dispute_claims import dispute
from hub.verdicts.disputes import decide_dispute, list_disputes
from hub.verdicts.explain_verdict import explain_name
from hub.verdicts.outcomes import reliability_of_peer
from schemas.markings import Tlp
from tests.support.exported import exported_lines
from tests.support.joined_nodes import direct, sync
from tests.support.nodes import make_node, peer_of
from tests.support.publications import Author, domain, join, stix_id
from tests.support.stored_state import rows_of
from tests.support.told_claims import (
    EVIL,
    authors,
    claim,
    clock_of,
    confidences,
    make_verdicts,
    tell,
    verdicts_seen,
)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "cert")


def opinion(number: int = 1, name: str = EVIL, **changes: Any) -> tuple[dict[str, Any], ...]:
    """A name and a dissenting opinion on it, as peers send them."""
    about = domain(name)
    value = {
        "type": "opinion",
        "spec_version": "2.1",
        "id": stix_id("opinion", number),
        "opinion": "strongly-disagree",
        "object_refs": [about["id"]],
    }
    return about, value | changes


def say(node: Node, who: Author, label: str = "clear", **changes: Any) -> None:
    """Let an author publish an opinion, and the node receive it and make verdicts."""
    tell(node, who, label, *opinion(**changes))
    make_verdicts(node)


def believed(node: Node, *names: str) -> list[Author]:
    """Two partners whose word suffices to block names."""
    found = authors(node, 2, "partner", first=1)
    for who in found:
        claims = [claim(name, number) for number, name in enumerate(names or (EVIL,), 1)]
        tell(node, who, "clear", *claims)
    make_verdicts(node)
    return found


def blocked(node: Node) -> tuple[str, ...]:
    return exported_lines(node, "organisation")


def codes(node: Node, name: str = EVIL, label: str = "amber+strict") -> tuple[str, ...]:
    return explain_name(node, name).views[label].codes


def dated(node: Node, ceiling: Tlp) -> list[tuple[Any, ...]]:
    seen = verdicts_seen(node, ceiling)
    return [(value["type"], value.get("confidence"), value["date_added"]) for value in seen]


def make_pair(tmp_path: Path) -> tuple[Node, Node]:
    origin, other = make_node(tmp_path / "a", "origin"), make_node(tmp_path / "b", "other")
    join(origin, other, name="other")
    join(other, origin, name="origin")
    return origin, other


def test_a_dispute_reaches_the_origin_at_the_claim_s_label_and_counts_there(
    tmp_path: Path,
) -> None:
    origin, other = make_pair(tmp_path)
    (witness,) = authors(origin, 1)
    tell(origin, witness, "green", claim(EVIL))
    make_verdicts(origin)
    before = confidences(origin, Tlp.GREEN)[EVIL]
    witness.meets(other)
    tell_again = witness.deliver(other, "green")
    assert tell_again.accepted
    make_verdicts(other)
    said = dispute(
        other, EVIL, "strongly-disagree", "Our bank.", to=(peer_of(other, origin.node_id),)
    )
    assert (said.name, said.tlp, len(said.feeds)) == (EVIL, "green", 1)
    assert said.feeds[0].split("/")[1] == direct(origin)
    (received,) = sync(other, origin, direct(origin))
    assert (received.rejected, received.error) == (0, None)
    make_verdicts(origin)
    after = confidences(origin, Tlp.GREEN).get(EVIL, 0)
    assert before >= 65
    assert after < before / 2
    why = " ".join(explain_name(origin, EVIL).views["green"].why)
    assert "Disputes weigh" in why
    assert "other disagrees with confidence 100." in why
    # It counts for the disputer itself, too.
    make_verdicts(other)
    assert EVIL not in confidences(other, Tlp.GREEN)
    (listed,) = list_disputes(origin)
    assert (listed.origin_name, listed.opinion, listed.tlp) == (
        "other",
        "strongly-disagree",
        "green",
    )


def test_by_default_it_goes_to_the_origin_which_is_told_which_object_is_meant(
    tmp_path: Path,
) -> None:
    _, other = make_pair(tmp_path)
    who = Author(3)
    who.meets(other)
    tell(other, who, "green", claim(EVIL, 7))
    make_verdicts(other)
    said = dispute(other, stix_id("indicator", 7), "disagree", "A sinkhole.")
    assert [feed.split("/")[1][:6] for feed in said.feeds] == ["d-" + who.node_id[:4]]
    notes = rows_of(other, "SELECT content FROM objects WHERE stix_type = 'note'")
    assert b"00000000-0000-4000-8000-000000000007" in bytes(notes[0]["content"])
    assert b"indicator--0000" not in bytes(notes[0]["content"])


def test_a_name_is_spoken_of_at_several_labels(tmp_path: Path) -> None:
    """A domain-name stands at one label; another object stands for the name at the others."""
    node = make_node(tmp_path, "cert")
    first, second = authors(node, 2, "partner")
    tell(node, first, "amber", claim(EVIL, 1))
    tell(node, second, "green", claim(EVIL, 2))
    make_verdicts(node)
    for number, label in ((1, "amber"), (2, "green")):
        said = dispute(node, stix_id("indicator", number), "disagree", "A shop.")
        assert (said.tlp, len(said.ids)) == (label, 2)
    make_verdicts(node)
    assert [(row.name, row.tlp) for row in list_disputes(node)] == [
        (EVIL, "amber"),
        (EVIL, "green"),
    ]


def test_what_cannot_be_disputed_says_why(node: Node) -> None:
    (who,) = authors(node, 1)
    tell(node, who, "clear", claim(EVIL, 1))
    tell(node, who, "green", claim(EVIL, 2))
    make_verdicts(node)
    with pytest.raises(Conflict) as several:
        dispute(node, EVIL, "disagree", "No.")
    assert several.value.code == "E_DISPUTE_WHICH"
    with pytest.raises(NotFound) as unknown:
        dispute(node, "other.example", "disagree", "No.")
    assert unknown.value.code == "E_NOT_FOUND"
    with pytest.raises(NotFound) as undisputed:
        decide_dispute(node, EVIL, "block", "No.")
    assert undisputed.value.code == "E_DISPUTE_UNKNOWN"


def test_the_newest_opinion_of_an_origin_counts(node: Node) -> None:
    believed(node)
    (doubter,) = authors(node, 1, "trusted", first=5)
    before = confidences(node, Tlp.CLEAR)[EVIL]
    say(node, doubter, opinion="disagree", confidence=50)
    assert confidences(node, Tlp.CLEAR)[EVIL] < before - 10
    clock_of(node).advance(minutes=1)
    say(node, doubter, number=2, opinion="agree")
    assert confidences(node, Tlp.CLEAR)[EVIL] == before, "agreeing adds nothing either"


def test_a_withdrawn_opinion_counts_no_more(node: Node) -> None:
    believed(node)
    (doubter,) = authors(node, 1, "trusted", first=5)
    before = confidences(node, Tlp.CLEAR)[EVIL]
    say(node, doubter)
    doubter.at = node.now()
    doubter.write("clear", kind="retract", ids=[stix_id("opinion", 1)])
    doubter.deliver(node, "clear")
    make_verdicts(node)
    assert confidences(node, Tlp.CLEAR)[EVIL] == before


def test_what_was_suspended_and_comes_back_counts_again(node: Node) -> None:
    believed(node)
    (doubter,) = authors(node, 1, "trusted", first=5)
    before = confidences(node, Tlp.CLEAR)[EVIL]
    say(node, doubter, opinion="disagree", confidence=50)
    disputed = confidences(node, Tlp.CLEAR)[EVIL]
    suspend_peer(node, peer_of(node, doubter.node_id))
    make_verdicts(node)
    assert confidences(node, Tlp.CLEAR)[EVIL] == before
    resume_peer(node, peer_of(node, doubter.node_id))
    make_verdicts(node)
    assert confidences(node, Tlp.CLEAR)[EVIL] == disputed < before
    assert len(list_disputes(node)) == 1


def test_three_members_contest_a_name_and_two_do_not(node: Node) -> None:
    believed(node)
    doubters = [Author(number) for number in (5, 6, 7)]
    for who in doubters:
        who.meets(node, "member", inbound="accept")
    for who in doubters[:2]:
        say(node, who, opinion="disagree", confidence=1)
    assert "CONTESTED" not in codes(node)
    assert blocked(node) == (EVIL,)
    say(node, doubters[2], opinion="disagree", confidence=1)
    assert codes(node) == ("CONTESTED",)
    assert blocked(node) == ()
    assert EVIL in confidences(node, Tlp.CLEAR), "it is kept"


def test_t40_strangers_cannot_clear_a_malware_name_by_disputing_it(node: Node) -> None:
    """Peers at known: what they say waits; let in, it weighs like their claims would."""
    believed(node)
    before = confidences(node, Tlp.CLEAR)[EVIL]
    for who in authors(node, 12, "known", first=8):
        tell(node, who, "clear", *opinion())
    make_verdicts(node)
    assert confidences(node, Tlp.CLEAR)[EVIL] == before
    assert blocked(node) == (EVIL,)
    # Let in by themselves they contest nothing, and take no more than their claims would give.
    for number in range(20, 25):
        who = Author(number)
        who.meets(node, "known", inbound="accept")
        tell(node, who, "clear", *opinion())
    make_verdicts(node)
    assert "CONTESTED" not in codes(node)
    assert confidences(node, Tlp.CLEAR)[EVIL] >= before * 0.59


def test_t40_authority_clears_names_inside_its_scope_alone(node: Node) -> None:
    """A registry says "benign" of its own zone and of another's."""
    inside, outside = "kit.zone-a.org", "kit.zone-b.net"
    believed(node, inside, outside)
    registry = Author(9)
    registry.meets(node, "member", authority=["zone:org.=benign"])
    say(node, registry, name=inside, opinion="disagree", confidence=1)
    say(node, registry, name=outside, number=2, opinion="disagree", confidence=1)
    assert codes(node, inside) == ("AUTHORITY_BENIGN",)
    assert codes(node, outside) == ("BLOCKED",)
    assert blocked(node) == (outside,)


def test_an_authority_holds_for_72_hours_and_not_longer_by_repeating(node: Node) -> None:
    name = "shop-a.org"
    clock = clock_of(node)
    registry = Author(9)
    # At this trust what it sends waits; its word inside its zone does not.
    registry.meets(node, "member", authority=["zone:org."], inbound="quarantine")
    believed(node, name)
    assert blocked(node) == (name,)
    say(node, registry, name=name, opinion="disagree", confidence=1)
    assert blocked(node) == ()
    (alarm,) = list_alarms(node)
    assert (alarm.code, alarm.subject) == ("AUTHORITY_DISSENTS", name)
    assert alarm.params["tlp"] == "clear"
    assert "shop-a.org is harmless" in words_of(alarm)[0]
    clock.advance(hours=71)
    make_verdicts(node)
    assert blocked(node) == ()
    say(node, registry, name=name, number=2, opinion="disagree", confidence=1)
    clock.advance(hours=1)
    make_verdicts(node)
    assert "AUTHORITY_BENIGN" not in codes(node, name)


def test_an_authority_holds_nothing_while_its_zone_is_said_to_be_hijacked(node: Node) -> None:
    name = "login.shop-a.org"
    believed(node, name)
    registry = Author(9)
    registry.meets(node, "member", authority=["zone:org."])
    say(node, registry, name=name, opinion="disagree", confidence=1)
    assert codes(node, name) == ("AUTHORITY_BENIGN",)
    (victim,) = authors(node, 1, "member", first=12)
    member_says = claim("shop-a.org", 3, threat="delegation-hijack")
    tell(node, victim, "clear", member_says)
    make_verdicts(node)
    # It waits for a person or a second voice, as all that members say.
    assert codes(node, name) == ("AUTHORITY_BENIGN",)
    (cert,) = authors(node, 1, "trusted", first=13)
    tell(node, cert, "clear", claim("shop-a.org", 4, threat="delegation-hijack"))
    make_verdicts(node)
    assert codes(node, name) == ("BLOCKED",)


def test_of_a_public_suffix_it_takes_two_authorities(node: Node) -> None:
    registries = [Author(9), Author(10)]
    for who in registries:
        who.meets(node, "trusted", authority=["zone:co.uk."])
    believed(node, "co.uk")
    say(node, registries[0], name="co.uk", opinion="disagree", confidence=1)
    assert "AUTHORITY_BENIGN" not in codes(node, "co.uk")
    say(node, registries[1], name="co.uk", opinion="disagree", confidence=1)
    assert "AUTHORITY_BENIGN" in codes(node, "co.uk")


def test_a_person_decides_and_what_turned_out_is_known_of_both_sides(node: Node) -> None:
    first, _ = believed(node)
    doubters = authors(node, 3, "trusted", first=5)
    for who in doubters:
        say(node, who, opinion="disagree", confidence=1)
    decided = decide_dispute(node, EVIL, "block", "Seen in our own mail.")
    make_verdicts(node)
    assert (decided.tlp, decided.outcomes) == ("clear", 5)
    assert codes(node) == ("BLOCKED",)
    (claims,) = reliability_of_peer(node, peer_of(node, first.node_id))
    assert (claims.type, claims.confirmed, claims.reliability) == ("indicator", 1, 0.95)
    told = reliability_of_peer(node, peer_of(node, doubters[0].node_id))
    assert {(each.type, each.false_positives) for each in told} == {
        ("indicator", 0),
        ("opinion", 1),
    }
    # Whoever speaks up anew is heard anew.
    clock_of(node).advance(minutes=1)
    for who in doubters:
        say(node, who, number=2, opinion="disagree", confidence=1)
    assert codes(node) == ("CONTESTED",)
    decide_dispute(node, EVIL, "release", "A shared host after all.")
    make_verdicts(node)
    assert codes(node) == ("DECIDED_NOT_TO_BLOCK",)
    assert blocked(node) == ()


def test_a_stricter_dispute_shows_in_no_view_below_it(tmp_path: Path) -> None:
    """The lower views of two nodes, one of which is told more, are equal to the last date."""
    told, untold = make_node(tmp_path / "a", "told"), make_node(tmp_path / "b", "untold")
    for node in (told, untold):
        believed(node)
        (doubter,) = authors(node, 1, first=5)
        clock_of(node).advance(hours=1)
        if node is told:
            say(node, doubter, label="amber", opinion="disagree", confidence=50)
        clock_of(node).advance(hours=1)
        make_verdicts(node)
    assert dated(told, Tlp.GREEN) == dated(untold, Tlp.GREEN)
    assert confidences(told, Tlp.AMBER)[EVIL] < confidences(told, Tlp.GREEN)[EVIL] - 10
    decide_dispute(told, EVIL, "release", "Ours.")
    make_verdicts(told)
    assert codes(told, label="green") == ("BLOCKED",)
    assert codes(told, label="amber")[-1] == "DECIDED_NOT_TO_BLOCK"


def test_one_opinion_is_on_few_names(node: Node) -> None:
    (doubter,) = authors(node, 1, "trusted", first=5)
    names = [domain(f"n{number}.example") for number in range(40)]
    _, value = opinion()
    value["object_refs"] = [name["id"] for name in names]
    tell(node, doubter, "clear", *names, value)
    make_verdicts(node)
    assert len(list_disputes(node)) == 16
    assert node.now() - list_disputes(node)[0].received_at == timedelta(0)


def test_a_hijack_claim_that_was_taken_back_is_open_no_more(node: Node) -> None:
    """Its earlier version lies in the store for ever; the authority's word counts again."""
    believed(node, "bank.example")
    registry = Author(9)
    registry.meets(node, "member", authority=("zone:example.",))
    (other,) = authors(node, 1, "trusted", first=6)
    hijack = claim("bank.example", 77, threat="delegation-hijack")
    tell(node, other, "clear", hijack)
    say(node, registry, name="bank.example")
    assert codes(node, "bank.example") == ("BLOCKED",)
    clock_of(node).advance(hours=1)
    tell(node, other, "clear", hijack | {"revoked": True})
    make_verdicts(node)
    assert codes(node, "bank.example") == ("AUTHORITY_BENIGN",)


def test_an_origin_that_says_it_many_times_weighs_as_its_last_word(node: Node) -> None:
    """Whoever waits in quarantine may say it hundreds of times: it is compared by origin."""
    believed(node)
    (other,) = authors(node, 1, "trusted", first=6)
    about = domain(EVIL)
    for first in range(1, 90, 30):
        words = [opinion(number)[1] for number in range(first, first + 30)]
        tell(node, other, "clear", about, *words)
        clock_of(node).advance(minutes=1)
    make_verdicts(node)
    least = confidences(node, Tlp.CLEAR).get(EVIL, 0)
    assert least < 30
    tell(node, other, "clear", about, opinion(99)[1] | {"opinion": "agree"})
    make_verdicts(node)
    assert confidences(node, Tlp.CLEAR)[EVIL] >= 75
