"""Raising a peer's trust releases what waited for it, and nothing else (PROTOCOL 4.1)."""

from __future__ import annotations

from hub.exchange.object_listing import list_objects, reject_quarantined
from hub.peers.pull import pull_peer
from hub.peers.trust import PeerChanges, set_peer
from hub.storage.queries.objects import list_objects as stored_rows
from hub.storage.queries.objects import update_objects
from tests.support.nodes import make_node, pair, peer_of, publish_names, serving


def _indicators(node, state):
    return list_objects(node, state=state, stix_type="indicator")


def test_what_waited_for_trust_is_accepted_when_trust_is_given(tmp_path):
    a, b = make_node(tmp_path, "a"), make_node(tmp_path, "b")
    with serving(a):
        pair(a, b)
        publish_names(a, ["one.example", "two.example"], "clear")
        pull_peer(b, peer_of(b, a))
    assert len(_indicators(b, "quarantined")) == 2
    rejected = _indicators(b, "quarantined")[0].id
    reject_quarantined(b, [rejected], "not for us")
    change = set_peer(b, peer_of(b, a), PeerChanges(trust="trusted", verified=True))
    # Beside the indicator: the peer's identity, the grouping and the label's definition.
    assert "waited in quarantine are accepted" in change.sentences[-1]
    assert [listed.id for listed in _indicators(b, "accepted")] != [rejected]
    assert len(_indicators(b, "accepted")) == 1
    assert [listed.id for listed in _indicators(b, "rejected")] == [rejected]


def test_trust_without_the_words_compared_releases_nothing(tmp_path):
    a, b = make_node(tmp_path, "a"), make_node(tmp_path, "b")
    with serving(a):
        pair(a, b)
        publish_names(a, ["one.example"], "clear")
        pull_peer(b, peer_of(b, a))
    set_peer(b, peer_of(b, a), PeerChanges(trust="trusted"))
    assert len(_indicators(b, "quarantined")) == 1


def test_what_waits_for_another_reason_goes_on_waiting(tmp_path):
    a, b = make_node(tmp_path, "a"), make_node(tmp_path, "b")
    with serving(a):
        pair(a, b)
        publish_names(a, ["one.example"], "clear")
        pull_peer(b, peer_of(b, a))
    with b.database.write() as tx:
        rows = [row for row in stored_rows(tx) if row.stix_type == "indicator"]
        update_objects(tx, [row.object_row for row in rows], code="E_UNKNOWN_MARKING")
    set_peer(b, peer_of(b, a), PeerChanges(trust="trusted", verified=True))
    assert len(_indicators(b, "quarantined")) == 1
