"""What claims and answers mean for verdicts, at each label from what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.incidents.claim_holds import HIJACK_AUTHORISED, held_servers, is_hijack_live
from hub.node import Node
from hub.peers.trust import PeerChanges, set_peer
from hub.verdicts.disputes import decide_dispute
from schemas.dns.subjects import NSDNAME, Subject
from schemas.markings import Tlp
from tests.hub.incidents.test_answer import SCOPE, codes, dissent, say
from tests.support.hijacks import NEW_NS, ZONE, tell_hijack, two_nodes
from tests.support.nodes import make_node, peer_of
from tests.support.publications import Author
from tests.support.told_claims import claim, make_verdicts, tell

NAME = NEW_NS[0]
KEYS = (NAME, Subject(NAME, NSDNAME).key)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "cert")


def held(node: Node, label: Tlp) -> frozenset[str]:
    with node.database.read() as tx:
        return held_servers(tx, KEYS, int(label), node.now())


def live(node: Node, label: Tlp, zone: str = ZONE) -> bool:
    with node.database.read() as tx:
        return is_hijack_live(tx, [zone], int(label), node.now())


def authority(node: Node, number: int = 9) -> Author:
    made = Author(number)
    made.meets(node, "trusted", authority=SCOPE)
    return made


def test_both_subjects_of_a_name_server_are_held(node: Node) -> None:
    reported = tell_hijack(node, tlp=Tlp.GREEN)
    assert held(node, Tlp.RED) == frozenset()
    say(node, authority(node), reported.incident, "authorised-change")
    assert held(node, Tlp.GREEN) == frozenset(KEYS)


def test_what_a_label_does_not_show_holds_and_opens_nothing_there(tmp_path: Path) -> None:
    """PROTOCOL 3.5: neither an AMBER claim nor an AMBER answer shows at GREEN."""
    cert, owner = two_nodes(tmp_path)
    tell_hijack(cert, owner)
    assert not live(owner, Tlp.GREEN)
    assert live(owner, Tlp.AMBER)
    say(owner, authority(owner), tell_hijack(cert, owner, tlp=Tlp.GREEN).incident,
        "authorised-change")  # fmt: skip
    # At AMBER another claim that calls it rogue is live; GREEN does not know of it.
    assert held(owner, Tlp.GREEN) == frozenset(KEYS)
    assert held(owner, Tlp.AMBER) == frozenset()


def test_the_very_zone_counts_and_no_other(node: Node) -> None:
    tell_hijack(node, tlp=Tlp.GREEN)
    assert live(node, Tlp.GREEN)
    assert not live(node, Tlp.GREEN, "org")
    assert not live(node, Tlp.GREEN, f"www.{ZONE}")


@pytest.mark.parametrize(("trust", "counts"), [("known", False), ("member", True)])
def test_a_claim_of_a_stranger_rests_no_authority(tmp_path: Path, trust: str, counts: bool) -> None:
    cert, owner = two_nodes(tmp_path)
    tell_hijack(cert, owner, tlp=Tlp.GREEN)
    set_peer(owner, peer_of(owner, cert), PeerChanges(trust=trust))
    assert live(owner, Tlp.GREEN) is counts


def test_a_claim_of_another_kind_takes_the_hold_away(node: Node) -> None:
    reported = tell_hijack(node, tlp=Tlp.GREEN)
    say(node, authority(node), reported.incident, "authorised-change")
    other = Author(3)
    other.meets(node, "trusted")
    tell(node, other, "green", claim(NAME, 1, threat="malware-c2"))
    make_verdicts(node)
    assert NAME not in held(node, Tlp.GREEN)


def test_a_person_s_decision_stands_before_the_hold(node: Node) -> None:
    reported = tell_hijack(node, tlp=Tlp.GREEN)
    for number in (7, 8):
        voice = Author(number)
        voice.meets(node, "partner")
        hijack = claim(NAME, number, threat="delegation-hijack", confidence=95)
        tell(node, voice, "green", hijack)
    say(node, authority(node), reported.incident, "authorised-change")
    make_verdicts(node)
    assert codes(node, NAME) == (HIJACK_AUTHORISED,)
    doubter = Author(4)
    doubter.meets(node, "trusted")
    tell(node, doubter, "green", *dissent(NAME, 1))
    make_verdicts(node)
    decide_dispute(node, NAME, "block", "Seen with the owner.")
    make_verdicts(node)
    assert codes(node, NAME) == ("BLOCKED",)
