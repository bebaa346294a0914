"""Own keys change: new ones beside the old, stolen ones revoked, the root, new epochs."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from federation.identity.node_document import Position, rootset
from federation.identity.rotation import OVERLAP
from federation.signing.signer import SeedSigner
from hub.errors import Conflict, Misconfigured, NotFound, StorageBusy
from hub.exchange.withdraw import withdraw_object
from hub.peers.groups import add_member, create_group, remove_member
from hub.peers.key_custody import current_file, former_file, kid_in, read_key_file, waiting_file
from hub.peers.known_nodes import pinned
from hub.peers.last_good_room import has_room_for_revocation
from hub.peers.root_ceremonies import RootGiven, renew_with, rotate_root_with
from hub.peers.root_files import RootFiles, read_next_root, read_root_signers
from hub.peers.rotate_keys import (
    open_new_epochs,
    renew_document,
    revoke_key,
    rotate_key,
    rotate_root,
    turn_keys,
)
from hub.peers.signing_key import require_signing_key
from hub.storage.queries.feeds import entry_hashes, find_feed, list_feeds, records_after
from hub.storage.queries.jobs import subjects_with_job
from hub.storage.queries.node_updates import note_told
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from tests.support.joined_nodes import sync, view_ids
from tests.support.nodes import FixedClock, make_node, peer_of, publish_names
from tests.support.publications import hand_over, join, last_seq, page_of
from tests.support.revocations import learn
from tests.support.stored_state import check_invariants, envelope_in, events_of, rows_of


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    made = make_node(tmp_path, "owner", clock)
    yield made
    made.database.close()


@pytest.fixture
def peer(tmp_path, clock, node):
    """A peer that holds the node's feeds and is not told of new documents by itself."""
    made = make_node(tmp_path, "peer", clock)
    join(made, node)
    join(node, made)
    yield made
    made.database.close()


def root_of(node):
    files = RootFiles(node.settings.home)
    return read_root_signers(document(node), [files.current], None)


def document(node):
    with node.database.read() as tx:
        return pinned(tx, node.node_id).newest


def documents(node):
    with node.database.read() as tx:
        return pinned(tx, node.node_id).documents


def tell(node, peer):
    """Let a peer hear of the node's documents, and the node know that it did."""
    learn(peer, *[found.envelope for found in documents(node)])
    with node.database.write() as tx:
        note_told(tx, peer.node_id, document(node).version, node.now())


def signers_of(node, audience, epoch=1):
    rows = rows_of(
        node,
        "SELECT record FROM entries JOIN feeds USING (feed_row)"
        f" WHERE feed = '{FeedName(node.node_id, audience, epoch)}' ORDER BY seq",
    )
    return [envelope_in(row["record"]).signatures[0].keyid for row in rows]


class TestRotating:
    @pytest.mark.usefixtures("peer")
    def test_a_new_key_is_listed_beside_the_old_for_fourteen_days(self, node, clock):
        before = node.keys.entry.kid
        rotated = rotate_key(node, "entry", root_of(node))
        assert rotated.version == 2
        assert rotated.former_kid == before
        assert rotated.ends_at == clock.at + OVERLAP
        keys = {key.kid: key for key in document(node).keys if key.use == "entry"}
        assert keys[before].naf == clock.at + OVERLAP
        assert keys[rotated.kid].naf == document(node).expires > clock.at + OVERLAP

    def test_it_waits_until_every_peer_was_told(self, node, peer):
        before = node.keys.entry.kid
        rotated = rotate_key(node, "entry", root_of(node))
        assert rotated.untold == 1
        assert turn_keys(node) == ()
        assert node.keys.entry.kid == before
        tell(node, peer)
        assert turn_keys(node) == ("entry",)
        assert node.keys.entry.kid == rotated.kid

    @pytest.mark.usefixtures("peer")
    def test_nobody_is_waited_for_longer_than_half_of_the_overlap(self, node, clock):
        rotated = rotate_key(node, "http", root_of(node))
        clock.advance(days=6)
        assert turn_keys(node) == ()
        clock.advance(days=1)
        assert turn_keys(node) == ("http",)
        assert node.keys.http.kid == rotated.kid

    def test_a_node_without_peers_uses_it_at_once(self, node):
        rotated = rotate_key(node, "entry", root_of(node))
        assert (rotated.untold, node.keys.entry.kid) == (0, rotated.kid)

    def test_every_peer_gets_a_job_that_tells_it(self, node, peer):
        rotate_key(node, "http", root_of(node))
        with node.database.read() as tx:
            assert subjects_with_job(tx, "node") == {peer.node_id}

    def test_what_the_old_key_signed_stays_good_at_a_newcomer(self, node, peer, clock):
        publish_names(node, ["one.example"], "clear")
        rotate_key(node, "entry", root_of(node))
        tell(node, peer)
        turn_keys(node)
        publish_names(node, ["two.example"], "clear")
        clock.advance(days=30)
        renew_document(node, root_of(node))
        learn(peer, *[found.envelope for found in documents(node)])
        assert len(set(signers_of(node, "clear"))) == 2
        assert all(page.error is None for page in sync(node, peer, "clear"))
        assert {key.use: key.kid for key in document(node).keys}["entry"] == node.keys.entry.kid

    def test_the_old_private_key_is_destroyed_after_the_overlap(self, node, clock):
        before = node.keys.entry.kid
        rotate_key(node, "entry", root_of(node))
        former = former_file(node.settings.home, "entry")
        assert kid_in(former) == before
        clock.advance(OVERLAP)
        turn_keys(node)
        assert former.exists()
        clock.advance(seconds=1)
        turn_keys(node)
        assert not former.exists()
        assert kid_in(current_file(node.settings.home, "entry")) == node.keys.entry.kid

    @pytest.mark.usefixtures("peer")
    def test_two_rotations_at_once_are_refused(self, node):
        rotate_key(node, "entry", root_of(node))
        with pytest.raises(Conflict, match="E_ROTATION_WAITS"):
            rotate_key(node, "entry", root_of(node))

    @pytest.mark.usefixtures("peer")
    def test_a_key_file_that_no_document_lists_is_dropped(self, node):
        """The process was killed after the file was written and before the commit."""
        rotate_key(node, "entry", root_of(node))
        waiting = waiting_file(node.settings.home, "entry")
        with node.database.write() as tx:
            tx.connection.exec_driver_sql("DELETE FROM node_documents WHERE version = 2")
        before = node.keys.entry.kid
        turn_keys(node)
        assert not waiting.exists()
        assert node.keys.entry.kid == before

    @pytest.mark.usefixtures("peer")
    def test_key_files_are_for_their_owner_alone(self, node):
        rotate_key(node, "entry", root_of(node))
        assert stat.S_IMODE(waiting_file(node.settings.home, "entry").stat().st_mode) == 0o600


class TestRevoking:
    @pytest.mark.usefixtures("peer")
    def test_the_feeds_go_on_in_their_next_epoch_under_a_new_key(self, node):
        publish_names(node, ["one.example"], "clear")
        publish_names(node, ["two.example"], "green")
        stolen = node.keys.entry.kid
        revoked = revoke_key(node, stolen, "stolen", root_of(node))
        assert node.keys.entry.kid == revoked.new_kid != stolen
        assert {epoch.next_feed.split("/", 1)[1] for epoch in revoked.epochs} == {
            "clear/2", "green/2",
        }  # fmt: skip
        publish_names(node, ["three.example"], "green")
        assert signers_of(node, "green", 2) == [revoked.new_kid] * 2
        check_invariants(node)

    def test_t15_a_peer_takes_everything_before_and_after_and_nothing_between(self, node, peer):
        publish_names(node, ["one.example"], "green")
        sync(node, peer, "clear")
        sync(node, peer, "green")
        good = [(f.audience, f.last_seq) for f in _own_feeds(node)]
        publish_names(node, ["thief.example"], "green")
        sync(node, peer, "green")
        assert "thief.example" in _names(peer)
        revoke_key(
            node, node.keys.entry.kid, "stolen", root_of(node),
            last_good=[f"{audience}/{seq}" for audience, seq in good],
        )  # fmt: skip
        publish_names(node, ["two.example"], "green")
        learn(peer, *[found.envelope for found in documents(node)])
        for audience in ("clear", "green"):
            for epoch in (1, 2):
                assert all(page.error is None for page in _sync(node, peer, audience, epoch))
        assert _names(peer) == {"one.example", "two.example"}
        assert _names(node) == {"one.example", "two.example"}
        check_invariants(node)
        check_invariants(peer)

    def test_the_head_of_an_ended_epoch_is_signed_by_the_new_key(self, node):
        revoke_key(node, node.keys.entry.kid, "stolen", root_of(node))
        with node.database.read() as tx:
            ended = find_feed(tx, FeedName(node.node_id, "clear"))
        assert ended.state == "ended"
        assert strict_loads(ended.head)["signatures"][0]["keyid"] == node.keys.entry.kid

    def test_epochs_that_ended_before_keep_a_head_that_counts(self, node):
        """Else the history of two revocations ago would be served to nobody any more."""
        publish_names(node, ["one.example"], "green")
        for _ in range(2):
            revoke_key(node, node.keys.entry.kid, "stolen", root_of(node))
        with node.database.read() as tx:
            first = find_feed(tx, FeedName(node.node_id, "green"))
        assert first.state == "ended"
        assert strict_loads(first.head)["signatures"][0]["keyid"] == node.keys.entry.kid

    def test_what_was_published_is_not_published_again(self, node):
        publish_names(node, ["one.example"], "green")
        revoke_key(node, node.keys.entry.kid, "stolen", root_of(node))
        assert publish_names(node, ["one.example"], "green").objects == 0

    def test_what_was_published_before_can_still_be_withdrawn(self, node, peer):
        (stix_id, *_) = publish_names(node, ["one.example"], "green").stix_ids
        sync(node, peer, "clear")
        sync(node, peer, "green")
        revoke_key(node, node.keys.entry.kid, "stolen", root_of(node))
        withdraw_object(node, stix_id, "gone")
        learn(peer, *[found.envelope for found in documents(node)])
        _sync(node, peer, "green", 2)
        assert stix_id not in view_ids(peer, Tlp.RED) - _revoked(peer)

    @pytest.mark.usefixtures("peer")
    def test_an_http_key_is_replaced_at_once_and_no_feed_is_touched(self, node):
        stolen = node.keys.http.kid
        revoked = revoke_key(node, stolen, "stolen", root_of(node))
        assert node.keys.http.kid == revoked.new_kid
        assert revoked.epochs == ()
        assert stolen not in {key.kid for key in document(node).keys}

    @pytest.mark.usefixtures("peer")
    def test_a_key_that_waits_beside_the_stolen_one_is_revoked_with_it(self, node):
        waiting = rotate_key(node, "entry", root_of(node)).kid
        revoked = revoke_key(node, node.keys.entry.kid, "stolen", root_of(node))
        assert {key.kid for key in document(node).revoked} == {revoked.kid, waiting}
        assert node.keys.entry.kid not in {revoked.kid, waiting}

    def test_a_former_key_can_be_revoked_too(self, node):
        former = node.keys.entry.kid
        rotated = rotate_key(node, "entry", root_of(node))
        revoked = revoke_key(node, former, "found on a disk", root_of(node))
        assert revoked.new_kid is None
        assert node.keys.entry.kid == rotated.kid

    def test_a_feed_that_is_a_thiefs_from_its_beginning_has_no_good_place(self, node):
        publish_names(node, ["thief.example"], "green")
        revoke_key(node, node.keys.entry.kid, "stolen", root_of(node), last_good=["green/0"])
        assert _names(node) == set()
        assert document(node).revoked[0].last_good == (Position(1, _hash_of(node, "clear")),)
        publish_names(node, ["one.example"], "green")
        assert signers_of(node, "green") == [node.keys.entry.kid]
        check_invariants(node)

    @pytest.mark.parametrize(
        "place", ["green/1", "clear/99", "clear/x", "clear", "clear/" + "9" * 5000]
    )
    def test_a_place_that_is_none_is_refused(self, node, place):
        with pytest.raises((Conflict, NotFound)):
            revoke_key(node, node.keys.entry.kid, "r", root_of(node), last_good=[place])
        assert document(node).version == 1

    def test_a_strange_key_is_refused_and_one_that_is_revoked(self, node):
        stolen = node.keys.entry.kid
        with pytest.raises(NotFound, match="E_KEY_NOT_OURS"):
            revoke_key(node, "a" * 26, "r", root_of(node))
        revoke_key(node, stolen, "r", root_of(node))
        with pytest.raises(Conflict, match="E_REVOKED_ALREADY"):
            revoke_key(node, stolen, "r", root_of(node))

    def test_a_crash_before_the_key_was_turned_is_mended(self, node):
        stolen = node.keys.entry.kid
        current = current_file(node.settings.home, "entry")
        before = current.read_bytes()
        revoke_key(node, stolen, "stolen", root_of(node))
        # As if the files had not been touched yet: the new key waits, the stolen one is in use.
        current.rename(waiting_file(node.settings.home, "entry"))
        current.touch(0o600)
        current.write_bytes(before)
        with pytest.raises(Conflict, match="E_SIGNING_KEY"):
            publish_names(node, ["one.example"], "clear")
        assert turn_keys(node) == ("entry",)
        assert publish_names(node, ["one.example"], "clear").objects == 1


class TestManyFeeds:
    """A document has room for some six hundred places; a revocation is signed all the same."""

    @pytest.fixture
    def node(self, tmp_path, clock):
        """A node whose documents are full of something else but for a few hundred bytes."""
        profile = {"contact": "c" * 63_200}
        made = make_node(tmp_path, "owner", clock, profile=profile)
        yield made
        made.database.close()

    def test_t15_places_without_room_are_left_out_and_nothing_of_a_thief_is_good(
        self, node, peer, clock
    ):
        groups = [f"group-{number}" for number in range(8)]
        for name in groups:
            create_group(node, name)
            clock.advance(minutes=1)
        for name in groups[:6]:
            add_member(node, name, peer_of(node, peer))
            remove_member(node, name, peer_of(node, peer))
        publish_names(node, ["mine.example"], "green")
        with node.database.read() as tx:
            assert not has_room_for_revocation(tx, node, node.now())
        signed = {row.feed for row in _own_feeds(node)}
        revoked = revoke_key(node, node.keys.entry.kid, "stolen", root_of(node))
        assert 0 < len(revoked.left_out) < len(signed)
        last_good = {p.hash for key in document_naming(node, revoked.kid) for p in key.last_good}
        states = {row.feed: row for row in _own_feeds(node)}
        # What is closed goes first, and every feed that is written to goes on.
        out = [states[feed] for feed in revoked.left_out]
        assert {row.last_hash for row in out if row.state == "closed"}.isdisjoint(last_good)
        assert len(revoked.epochs) == len([f for f in signed if states[f].state == "ended"])
        assert all(row.state != "open" for row in states.values() if row.epoch == 1)
        tell(node, peer)
        sync(node, peer, "green")
        assert publish_names(node, ["next.example"], "green")
        check_invariants(node)

    def test_a_new_key_has_signed_in_no_closed_feed(self, node, clock):
        for number in range(8):
            create_group(node, f"group-{number}")
        clock.advance(hours=1)
        rotate_key(node, "entry", root_of(node))
        publish_names(node, ["mine.example"], "green")
        with node.database.read() as tx:
            assert has_room_for_revocation(tx, node, node.now())

    def test_epochs_are_opened_in_as_many_documents_as_it_takes(self, node):
        for number in range(20):
            create_group(node, f"group-{number}")
        before = document(node).version
        opened = open_new_epochs(node, None, root_of(node))
        assert opened.version > before + 1
        assert len(opened.epochs) == 21
        assert {row.epoch for row in _own_feeds(node) if row.state == "open"} == {2}


def _own_feeds(node):
    with node.database.read() as tx:
        return list_feeds(tx, own=True)


def document_naming(node, kid):
    found = [key for each in documents(node) for key in each.revoked if key.kid == kid]
    assert found
    return found[-1:]


class TestTheRoot:
    def test_the_committed_root_becomes_the_current_one(self, node, peer):
        files = RootFiles(node.settings.home)
        signers, root = read_next_root(document(node), [files.next], None)
        fresh = SeedSigner(b"f" * 32)
        signed = rotate_root(node, signers, root, rootset(1, [fresh.public_key]).hex())
        assert signed.version == 2
        assert document(node).root_keys == root.keys
        learn(peer, *[found.envelope for found in documents(node)])
        assert document(node).hash == _held_by(peer, node).hash

    def test_another_key_is_not_the_committed_one(self, node):
        files = RootFiles(node.settings.home)
        with pytest.raises(Misconfigured, match="E_ROOT_KEY"):
            read_next_root(document(node), [files.current], None)
        with pytest.raises(Misconfigured, match="E_ROOT_KEY"):
            read_root_signers(document(node), [files.next], None)

    def test_what_is_committed_to_outlives_an_answer_that_was_lost(self, node):
        """The commit was done, and what came after it failed."""

        def fail():
            raise StorageBusy("E_STORAGE_BUSY", "the connection is gone")

        lost = replace(node, database=_Committing(node.database, fail))
        with pytest.raises(StorageBusy):
            rotate_root_with(lost, RootGiven())
        files = RootFiles(node.settings.home)
        assert document(node).version == 2
        assert files.following.exists()
        renew_with(node, RootGiven())
        assert read_next_root(document(node), [files.next], None)

    def test_the_files_change_places_also_where_the_next_one_is_written_elsewhere(self, node):
        files = RootFiles(node.settings.home)
        former, following = kid_in(files.current), kid_in(files.next)
        stick = node.settings.home / "stick.key"
        rotated = rotate_root_with(node, RootGiven(), stick)
        assert rotated.root_key_files == (files.current,)
        assert rotated.next_root_key_file == stick
        assert kid_in(files.current) == following
        assert [kid_in(path) for path in rotated.retired_root_key_files] == [former]
        assert renew_with(node, RootGiven()).version == 3


class _Committing:
    """A database whose writes are committed and fail all the same."""

    def __init__(self, database, fail):
        self._database, self._fail = database, fail

    @contextmanager
    def write(self, **more):
        with self._database.write(**more) as tx:
            tx.after_commit["fail"] = self._fail
            yield tx

    def read(self):
        return self._database.read()


class TestEpochs:
    def test_a_new_epoch_goes_on_where_the_chain_ends(self, node, peer):
        publish_names(node, ["one.example"], "green")
        sync(node, peer, "green")
        signed = open_new_epochs(node, None, root_of(node))
        assert {epoch.next_feed.split("/", 1)[1] for epoch in signed.epochs} == {
            "clear/2", "green/2",
        }  # fmt: skip
        publish_names(node, ["two.example"], "green")
        learn(peer, *[found.envelope for found in documents(node)])
        for audience in ("clear", "green"):
            for epoch in (1, 2):
                assert all(page.error is None for page in _sync(node, peer, audience, epoch))
        assert _names(peer) == {"one.example", "two.example"}

    def test_one_feed_alone(self, node):
        publish_names(node, ["one.example"], "green")
        (epoch,) = open_new_epochs(node, ["green"], root_of(node)).epochs
        assert epoch.next_feed == str(FeedName(node.node_id, "green", 2))


class TestRenewing:
    @pytest.mark.usefixtures("peer")
    def test_a_key_whose_successor_waits_still_ends_with_the_overlap(self, node, clock):
        rotated = rotate_key(node, "entry", root_of(node))
        renew_document(node, root_of(node))
        ends = {key.kid: key.naf for key in document(node).keys}
        assert ends[rotated.former_kid] == clock.at + OVERLAP
        assert ends[rotated.kid] == ends[node.keys.http.kid] == document(node).expires

    def test_an_expired_document_refuses_publishing_with_a_remedy(self, node, clock):
        clock.advance(days=366)
        with pytest.raises(Conflict, match="E_NODE_EXPIRED") as refused:
            publish_names(node, ["one.example"], "clear")
        assert "keys renew" in refused.value.remedy
        signed = renew_document(node, root_of(node))
        assert signed.expires == clock.at + timedelta(days=365)
        assert publish_names(node, ["one.example"], "clear").objects == 1
        assert {key.kid for key in document(node).keys} == {
            node.keys.entry.kid, node.keys.http.kid,
        }  # fmt: skip

    def test_t6_a_document_that_requires_what_our_key_is_not_signs_nothing(self, node):
        class Other:
            kid, alg = node.keys.entry.kid, "ml-dsa-44"

        other = replace(node, keys=type("Keys", (), {"entry": Other(), "http": node.keys.http})())
        with node.database.read() as tx, pytest.raises(Conflict, match="E_SIGNING_KEY"):
            require_signing_key(tx, other, node.now())


def test_every_change_is_in_the_audit(node):
    rotate_key(node, "http", root_of(node))
    revoke_key(node, node.keys.entry.kid, "stolen", root_of(node))
    assert [event["version"] for event in events_of(node, "NODE_DOCUMENT_SIGNED")] == [2, 3]
    assert {event["use"] for event in events_of(node, "KEY_TURNED")} == {"entry", "http"}


def test_no_secret_is_where_it_should_not_be(node):
    rotate_key(node, "entry", root_of(node))
    kept = read_key_file(current_file(node.settings.home, "entry"))
    secret = strict_loads(current_file(node.settings.home, "entry").read_bytes())["seed"]
    others = [
        path.name
        for path in node.settings.home.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]
    assert (kept.kid, others) == (node.keys.entry.kid, ["entry.key"])


def _hash_of(node, audience):
    with node.database.read() as tx:
        return entry_hashes(tx, find_feed(tx, FeedName(node.node_id, audience)).feed_row, [1])[1]


def _own_feeds(node):
    with node.database.read() as tx:
        return list_feeds(tx, own=True)


def _held_by(peer, node):
    with peer.database.read() as tx:
        return pinned(tx, node.node_id).newest


def _names(node):
    rows = rows_of(
        node,
        "SELECT name_key FROM objects WHERE name_key IS NOT NULL AND state = 'accepted'",
    )
    return {row["name_key"] for row in rows}


def _revoked(node):
    return {row["stix_id"] for row in rows_of(node, "SELECT stix_id FROM objects WHERE revoked")}


def _sync(origin, receiver, audience, epoch):
    """Let a node pull an epoch of a feed to its end."""
    feed = FeedName(origin.node_id, audience, epoch)
    with origin.database.read() as tx:
        held = find_feed(tx, feed)
        after = last_seq(receiver, feed)
        records = [] if held is None else records_after(tx, held.feed_row, after, 99)
    if not records:
        return []
    page = page_of([strict_loads(raw) for _, _, raw in records])
    return [hand_over(receiver, feed, page, origin)]
