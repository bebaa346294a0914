"""What a change of dials or a suspension does is told before it is done, and then is so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.peers.told_changes import resume_now, sentences_of, suspend_now, turn_dials
from hub.peers.trust import PeerChanges
from schemas.markings import Tlp
from tests.support.joined_nodes import views
from tests.support.nodes import make_node, peer_of, publish_names
from tests.support.publications import Author
from tests.support.stored_state import events_of, rows_of
from tests.support.told_claims import (
    EVIL,
    authors,
    claim,
    clock_of,
    confidences,
    make_verdicts,
    tell,
)


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver")
    yield made
    made.database.close()


def state_of(node):
    return views(node), rows_of(node, "SELECT * FROM peers"), confidences(node, Tlp.RED)


def test_a_dry_run_tells_what_leaves_quarantine_and_changes_nothing(node):
    author = Author(1)
    author.meets(node, "known")
    publish_names(node, ["own.example"], "green")
    tell(node, author, "clear", claim(), claim("b.example", 2))
    make_verdicts(node)
    before = state_of(node)
    peer = peer_of(node, author.node_id)
    turned = turn_dials(node, peer, PeerChanges(trust="trusted"), dry_run=True)
    assert turned.change is None
    assert turned.effects.released == 2
    assert set(turned.effects.verdicts.won) == {EVIL, "b.example"}
    # Its own feeds: GREEN is for members and above.
    assert [feed.feed.split("/")[1] for feed in turned.effects.opened] == ["green"]
    told = " ".join(sentences_of(peer.name, turned.effects))
    assert "2 objects" in told
    assert "may read 1 further feed" in told
    assert state_of(node) == before
    turn_dials(node, peer, PeerChanges(trust="trusted"), reason="met in person")
    make_verdicts(node)
    assert confidences(node, Tlp.CLEAR).keys() == {EVIL, "b.example"}
    assert events_of(node, "PEER_SET")[-1]["reason"] == "met in person"


def test_a_lower_cap_tells_which_verdicts_it_changes_or_ends(node):
    one, two = authors(node, 2)
    tell(node, one, "clear", claim(), claim("only.example", 2))
    tell(node, two, "clear", claim(number=3))
    make_verdicts(node)
    peer = peer_of(node, one.node_id)
    effects = turn_dials(node, peer, PeerChanges(cap=0), dry_run=True).effects
    assert effects.verdicts.lost == ("only.example",)
    assert effects.verdicts.changed == 1
    assert effects.verdicts.blocks_ended == (EVIL,)


def test_a_suspension_lists_every_downstream_effect_first_and_is_undone(node):
    one, two, reader = authors(node, 3)
    tell(node, one, "clear", claim(), claim("only.example", 2), policy={"relay": "public"})
    tell(node, two, "clear", claim(number=3))
    make_verdicts(node)
    peer = peer_of(node, one.node_id)
    before = state_of(node)
    tried = suspend_now(node, peer, dry_run=True)
    assert state_of(node) == before
    assert tried.effects.hidden == 2
    assert tried.effects.verdicts.lost == ("only.example",)
    assert tried.effects.verdicts.blocks_ended == (EVIL,)
    clock_of(node).advance(timedelta(minutes=1))
    done = suspend_now(node, peer, reason="its key was stolen")
    assert done.effects == tried.effects
    assert confidences(node, Tlp.RED).keys() == {EVIL}
    assert events_of(node, "PEER_SUSPENDED")[-1]["reason"] == "its key was stolen"
    clock_of(node).advance(timedelta(minutes=1))
    resume_now(node, peer)
    assert confidences(node, Tlp.RED) == before[2]
    assert reader.node_id != two.node_id
