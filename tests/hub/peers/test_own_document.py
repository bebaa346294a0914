"""Own documents and epochs after a restore (PROTOCOL 4.6)."""

from __future__ import annotations

import pytest

from federation.feeds.heads import head_payload
from federation.identity.node_document import rootset
from federation.identity.rotation import NextDocument, keys_beside, new_record, next_payload
from federation.signing.signer import SeedSigner, seal
from hub.bootstrap import open_node
from hub.errors import Conflict
from hub.peers.key_custody import kid_in, waiting_file
from hub.peers.known_nodes import pinned
from hub.peers.may_sign import sign_anyway, standing_of_signing
from hub.peers.pull import pull_peer
from hub.peers.root_ceremonies import RootGiven, rotate_root_with
from hub.peers.root_files import RootFiles, read_root_signers
from hub.peers.rotate_keys import open_new_epochs, rotate_key, turn_keys
from hub.peers.self_check import check_own_feeds
from hub.peers.signing_marker import note_restored
from hub.storage.backup import back_up, restore
from hub.storage.queries.feeds import find_feed, update_feed
from hub.workers.jobs import run_due_jobs
from schemas.identifiers import FeedName
from schemas.signed_envelope import HEAD_TYPE, NODE_TYPE
from tests.support.nodes import (
    FixedClock,
    make_node,
    names_seen,
    pair,
    peer_of,
    publish_names,
    serve_in_thread,
    serving,
)
from tests.support.revocations import learn
from tests.support.stored_state import check_invariants


@pytest.fixture
def nodes(tmp_path):
    clock = FixedClock()
    return make_node(tmp_path, "alpha", clock), make_node(tmp_path, "beta", clock)


def put_back(node, backup):
    home = node.settings.home
    node.database.close()
    restore(node.database, backup, note_restored=lambda: note_restored(home))
    return open_node(node.settings, clock=node.clock)


def document_of(node):
    with node.database.read() as tx:
        return pinned(tx, node.node_id).newest


def root_of(node):
    return read_root_signers(document_of(node), [RootFiles(node.settings.home).current], None)


def test_documents_that_a_restore_lost_come_back_from_a_peer(nodes, tmp_path):
    """Else the node would not know the key in its own home, and sign a second version 2."""
    a, b = nodes
    with serving(b):
        with serve_in_thread(a):
            pair(a, b, "member")
            back_up(a.database, tmp_path / "backup.db")
            rotated = rotate_key(a, "entry", root_of(a))
            run_due_jobs(a)
            assert a.keys.entry.kid == rotated.kid
        a = put_back(a, tmp_path / "backup.db")
        with a.database.read() as tx:
            assert pinned(tx, a.node_id).newest.version == 1
        check_own_feeds(a)
        with a.database.read() as tx:
            assert pinned(tx, a.node_id).newest.version == 2
        assert publish_names(a, ["one.example"], "green").objects == 1
    a.database.close()
    b.database.close()


def test_what_nobody_can_give_back_goes_on_in_a_new_epoch(nodes, tmp_path):
    a, b = nodes
    with serving(b):
        with serve_in_thread(a):
            pair(a, b, "member")
            publish_names(a, ["first.example"], "green")
            back_up(a.database, tmp_path / "backup.db")
            publish_names(a, ["second.example"], "green")
            pull_peer(b, peer_of(b, a))
        a = put_back(a, tmp_path / "backup.db")
        sign_anyway(a)
        publish_names(a, ["other.example"], "green")
        check_own_feeds(a)
        with pytest.raises(Conflict, match="E_SELF_CHECK"):
            publish_names(a, ["third.example"], "green")
        (epoch,) = open_new_epochs(a, ["green"], root_of(a)).epochs
        assert epoch.next_feed.endswith("/green/2")
        assert publish_names(a, ["third.example"], "green").objects == 1
        # What peers hold of the ended epoch closes nothing again.
        assert check_own_feeds(a).standing.closed == ()
    with serving(a):
        pull_peer(b, peer_of(b, a))
    assert names_seen(b, "quarantined") >= {"first.example", "second.example", "third.example"}
    check_invariants(a)
    check_invariants(b)
    a.database.close()
    b.database.close()


def test_a_feed_of_which_nothing_is_left_ends_where_peers_say(nodes, tmp_path):
    a, b = nodes
    with serving(b):
        with serve_in_thread(a):
            pair(a, b, "member")
            back_up(a.database, tmp_path / "backup.db")
            publish_names(a, ["lost.example"], "green")
            pull_peer(b, peer_of(b, a))
        with b.database.write() as tx:
            tx.connection.exec_driver_sql("UPDATE entries SET record = x'' WHERE kind = 'put'")
        a = put_back(a, tmp_path / "backup.db")
        check_own_feeds(a)
        assert [feed.rpartition("/")[0][-5:] for feed, _ in standing_of_signing(a).closed] == [
            "green"
        ]
        opened = {e.next_feed.split("/", 1)[1] for e in open_new_epochs(a, None, root_of(a)).epochs}
        assert opened == {"clear/2", "green/2"}
        assert publish_names(a, ["third.example"], "green").objects == 1
    with serving(a):
        pull_peer(b, peer_of(b, a))
    assert "third.example" in names_seen(b, "quarantined")
    a.database.close()
    b.database.close()


def test_a_waiting_key_outlives_a_restore_that_lost_its_document(nodes, tmp_path):
    a, b = nodes
    with serving(a, b):
        pair(a, b, "member")
    back_up(a.database, tmp_path / "backup.db")
    rotated = rotate_key(a, "entry", root_of(a))
    a = put_back(a, tmp_path / "backup.db")
    turn_keys(a)
    assert kid_in(waiting_file(a.settings.home, "entry")) == rotated.kid
    a.database.close()
    b.database.close()


def test_t16_a_thief_of_the_root_does_not_write_this_nodes_own_documents(nodes):
    """A peer believes him, and states heads of ours under a key of his."""
    a, b = nodes
    thief = SeedSigner(b"t" * 32)
    with serving(a, b):
        pair(a, b, "member")
        publish_names(a, ["one.example"], "green")
        pull_peer(b, peer_of(b, a))
        pull_peer(a, peer_of(a, b))
        _say_as_thief(b, a, thief)
        pull_peer(a, peer_of(a, b))
        check_own_feeds(a)
        with a.database.read() as tx:
            assert pinned(tx, a.node_id).newest.version == 1
        assert publish_names(a, ["two.example"], "green").objects == 1
        rotated = rotate_root_with(a, RootGiven())
        run_due_jobs(a)
        with b.database.read() as tx:
            assert pinned(tx, a.node_id).newest.version == rotated.version == 2
            assert pinned(tx, a.node_id).newest.hash == document_of(a).hash
    for node in nodes:
        node.database.close()


def _say_as_thief(b, a, thief):
    """Let b believe a document of the current root's thief, and hold a head of his."""
    with a.database.read() as tx:
        own = pinned(tx, a.node_id)
        green = find_feed(tx, FeedName(a.node_id, "green"))
    now = own.newest.issued
    record = new_record(own.newest, thief.kid, thief.alg, thief.public_key, "entry", now)
    change = NextDocument(
        keys=keys_beside(own.newest, record, now),
        next_root=rootset(1, [thief.public_key]).hex(),
    )
    his = seal(root_of(a), NODE_TYPE, next_payload(own.newest, change, now))
    learn(b, *(document.envelope for document in own.documents), his)
    head = seal(
        thief, HEAD_TYPE, head_payload(green.name, green.last_seq, green.last_hash, a.now())
    )
    with b.database.write() as tx:
        held = find_feed(tx, green.name)
        update_feed(tx, held.feed_row, head=head.to_bytes(), head_ts=a.now())
