"""A node that was set back signs nothing before its peers were heard (PROTOCOL 4.6, THREATS 13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from federation.errors import PeerUnreachable
from federation.feeds.recovery import Hold
from hub.bootstrap import open_node
from hub.errors import Conflict
from hub.exchange.withdraw import withdraw_object
from hub.node import Node
from hub.peers.may_sign import note_doubt, sign_anyway, standing_of_signing
from hub.peers.own_heads import hear_own_heads
from hub.peers.pull import pull_peer
from hub.peers.root_ceremonies import RootGiven, open_epochs_with
from hub.peers.self_check import begin_self_check, check_before_signing, check_own_feeds
from hub.peers.signing_marker import MARKER_FILE, note_restored, read_marker
from hub.peers.suspend import suspend_peer
from hub.storage.backup import back_up, restore
from hub.storage.queries.peers import PeerRow, store_peer
from hub.workers.jobs import run_due_jobs
from schemas.identifiers import FeedName, NodeId, direct_audience
from schemas.markings import Tlp
from tests.support.http_server import ScriptedServer, silent
from tests.support.joined_nodes import states, view
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
from tests.support.publications import Author
from tests.support.stored_state import rows_of


@dataclass
class Restorable:
    """A node of which there is a backup."""

    node: Node
    backup: Path

    def back_up(self) -> None:
        self.backup.unlink(missing_ok=True)
        back_up(self.node.database, self.backup)

    def restore(self, *, noted: bool = True) -> Node:
        """Put the backup back, by the command or by hand, which notes nothing."""
        home = self.node.settings.home
        self.node.database.close()
        restore(
            self.node.database, self.backup,
            note_restored=lambda: note_restored(home) if noted else None,
        )  # fmt: skip
        self.node = open_node(self.node.settings, clock=self.node.clock)
        return self.node


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def a(tmp_path, clock):
    return Restorable(make_node(tmp_path, "alpha", clock), tmp_path / "alpha.db")


@pytest.fixture
def b(tmp_path, clock):
    return make_node(tmp_path, "beta", clock)


@pytest.fixture
def c(tmp_path, clock):
    return make_node(tmp_path, "gamma", clock)


class LineThatBreaks:
    """It told that it has more, and then the line broke."""

    def page(self, *_):
        raise PeerUnreachable("E_HTTP_TIMEOUT", "the line broke")


def pull(node, other):
    outcome = pull_peer(node, peer_of(node, other))
    assert outcome.error is None, outcome.error
    return outcome


def chain(node, feed):
    """Seq and hash of every entry that a node holds of a feed."""
    return [
        (row["seq"], row["hash"])
        for row in rows_of(
            node,
            f"SELECT seq, hash FROM entries JOIN feeds USING (feed_row) WHERE feed = '{feed}'"
            " ORDER BY seq",
        )
    ]


def refusal(node, name="late.example"):
    with pytest.raises(Conflict) as refused:
        publish_names(node, [name], "green")
    assert refused.value.code == "E_SELF_CHECK"
    return refused.value.params["why"]


def hold(node):
    return standing_of_signing(node).hold


class TestAfterARestore:
    def test_t13_it_refuses_to_sign_heals_and_there_is_no_fork(self, a, b):
        with serving(b):
            with serve_in_thread(a.node):
                pair(a.node, b, "trusted")
                publish_names(a.node, ["first.example"], "green")
                a.back_up()
                publish_names(a.node, ["second.example"], "green")
                publish_names(a.node, ["third.example"], "amber", [b])
                pull(b, a.node)
            before = view(a.node, Tlp.RED)
            node = a.restore()
            assert refusal(node) == "doubtful"
            checked = check_own_feeds(node)
            assert (checked.answered, checked.recovered) == (("beta",), 2)
            assert sorted(view(node, Tlp.RED)) == sorted(before)
            publish_names(node, ["fourth.example"], "green")
            publish_names(node, ["fifth.example"], "amber", [b])
        with serving(node):
            pull(b, node)
        for audience in ("clear", "green", direct_audience(b.node_id)):
            feed = FeedName(node.node_id, audience)
            assert chain(node, feed) == chain(b, feed)
        assert names_seen(b) == {
            f"{n}.example" for n in ("first", "second", "third", "fourth", "fifth")
        }

    def test_t13_a_clock_that_went_back_makes_nobody_heard(self, a, b, clock):
        with serving(b):
            with serve_in_thread(a.node):
                pair(a.node, b, "trusted")
                clock.advance(hours=2)
                publish_names(a.node, ["first.example"], "green")
                check_own_feeds(a.node)
                a.back_up()
                publish_names(a.node, ["second.example"], "green")
                pull(b, a.node)
            clock.advance(hours=-1)
            node = a.restore()
            note_doubt(node)
            assert refusal(node) == "doubtful"
            clock.advance(hours=1)
            assert check_own_feeds(node).recovered == 1
            publish_names(node, ["third.example"], "green")

    def test_a_peer_whose_entries_could_not_be_fetched_is_not_heard(self, a):
        author = Author(1)
        peer = author.meets(a.node)
        note_restored(a.node.settings.home)
        note_doubt(a.node)
        green = FeedName(a.node.node_id, "green")
        hear_own_heads(a.node, peer, LineThatBreaks(), [], beyond=frozenset({green}))
        assert hold(a.node) is Hold.DOUBTFUL
        hear_own_heads(a.node, peer, LineThatBreaks(), [])
        assert hold(a.node) is None

    @pytest.mark.long
    def test_a_restore_by_hand_is_noticed_by_the_marker_beside_the_keys(self, a, b):
        with serving(b):
            with serve_in_thread(a.node):
                pair(a.node, b, "member")
                a.back_up()
                publish_names(a.node, ["second.example"], "green")
                pull(b, a.node)
            node = a.restore(noted=False)
            assert refusal(node) == "doubtful"
            assert check_own_feeds(node).recovered == 1
            assert hold(node) is None

    def test_a_lost_marker_is_a_doubt_too(self, a, b):
        with serving(a.node, b):
            pair(a.node, b, "member")
            publish_names(a.node, ["first.example"], "green")
            (a.node.settings.home / MARKER_FILE).unlink()
            assert refusal(a.node) == "doubtful"
            check_own_feeds(a.node)
            publish_names(a.node, ["second.example"], "green")

    @pytest.mark.long
    def test_a_withdrawal_is_refused_like_a_publication(self, a, b):
        with serving(a.node, b):
            pair(a.node, b, "member")
            stix_id = publish_names(a.node, ["first.example"], "green").stix_ids[0]
            note_restored(a.node.settings.home)
            with pytest.raises(Conflict) as refused:
                withdraw_object(a.node, stix_id, "wrong")
            assert refused.value.code == "E_SELF_CHECK"
            assert refused.value.remedy

    @pytest.mark.long
    def test_what_was_withdrawn_and_drilled_is_again_what_it_was(self, a, b):
        with serving(b):
            with serve_in_thread(a.node):
                pair(a.node, b, "member")
                a.back_up()
                stix_id = publish_names(a.node, ["wrong.example"], "green").stix_ids[0]
                publish_names(a.node, ["right.example"], "green")
                withdraw_object(a.node, stix_id, "wrong")
                pull(b, a.node)
            before = states(a.node, stix_id), own_rows(a.node)
            node = a.restore()
            check_own_feeds(node)
            assert (states(node, stix_id), own_rows(node)) == before
            with pytest.raises(Conflict) as refused:
                withdraw_object(node, stix_id, "again")
            assert refused.value.code == "E_WITHDRAWN"

    @pytest.mark.long
    def test_two_peers_are_to_be_heard_where_there_are_two(self, a, b, c):
        with serving(b):
            with serving(a.node, c):
                pair(a.node, b, "member")
                pair(a.node, c, "member")
            node = a.node
            note_restored(node.settings.home)
            assert check_own_feeds(node).standing.hold is Hold.DOUBTFUL
            assert refusal(node) == "doubtful"
            # One that is gone for good is no peer any more.
            suspend_peer(node, peer_of(node, c))
            assert check_own_feeds(node).standing.hold is None

    def test_a_feed_that_one_peer_alone_knows_waits_for_that_peer(self, tmp_path, clock, a, b, c):
        d = make_node(tmp_path, "delta", clock)
        node = a.node
        with serving(a.node, b, c, d):
            for other in (b, c, d):
                pair(node, other, "trusted")
            note_restored(node.settings.home)
        with serving(b, c):
            checked = check_own_feeds(node)
            assert (checked.standing.hold, checked.standing.unheard) == (None, ("delta",))
            publish_names(node, ["green.example"], "green")
            with pytest.raises(Conflict) as refused:
                publish_names(node, ["amber.example"], "amber", [d])
            assert refused.value.params["why"] == "unheard"
        with serving(d):
            pull(node, d)
        publish_names(node, ["amber.example"], "amber", [d])

    @pytest.mark.long
    def test_peers_of_whom_the_backup_knows_nothing_were_told_all_the_same(self, a, b):
        a.back_up()
        with serving(a.node, b):
            pair(a.node, b, "member")
            publish_names(a.node, ["first.example"], "green")
            pull(b, a.node)
        node = a.restore()
        assert refusal(node) == "doubtful"
        with serving(node, b):
            pair(b, node)
            assert check_own_feeds(node).recovered > 0
            publish_names(node, ["second.example"], "green")

    def test_a_person_who_knows_better_may_sign_anyway(self, a, b):
        with serving(a.node, b):
            pair(a.node, b, "member")
        note_restored(a.node.settings.home)
        assert refusal(a.node) == "doubtful"
        sign_anyway(a.node)
        publish_names(a.node, ["first.example"], "green")
        assert rows_of(a.node, "SELECT 1 FROM audit_events WHERE code = 'SIGNING_FORCED'")

    def test_a_node_without_peers_signs_at_once(self, a):
        note_restored(a.node.settings.home)
        publish_names(a.node, ["first.example"], "green")


class TestWhatCannotBeMended:
    def test_entries_that_nobody_has_any_more_keep_their_feed_closed(self, a, b):
        """B has a head and no bytes: it holds the number, and nobody the entry."""
        with serving(b):
            with serve_in_thread(a.node):
                pair(a.node, b, "member")
                a.back_up()
                publish_names(a.node, ["second.example"], "green")
                pull(b, a.node)
            with b.database.write() as tx:
                tx.connection.exec_driver_sql("UPDATE entries SET record = x'' WHERE kind = 'put'")
            node = a.restore()
            closed = dict(check_own_feeds(node).standing.closed)
            assert closed == {f"{node.node_id}/green/1": Hold.BEHIND}
            assert refusal(node) == "behind"
            publish_names(node, ["other.example"], "clear")

    def test_another_entry_under_a_number_of_ours_closes_the_feed_for_good(self, a, b):
        with serving(b):
            with serve_in_thread(a.node):
                pair(a.node, b, "member")
                a.back_up()
                publish_names(a.node, ["second.example"], "green")
                pull(b, a.node)
            node = a.restore()
            sign_anyway(node)
            publish_names(node, ["other.example"], "green")
            assert dict(check_own_feeds(node).standing.closed) == {
                f"{node.node_id}/green/1": Hold.CONTRADICTED
            }
            with pytest.raises(Conflict) as refused:
                publish_names(node, ["third.example"], "green")
            assert "new-epoch" in refused.value.remedy
            open_epochs_with(node, [f"{node.node_id}/green/1"], RootGiven())
            publish_names(node, ["third.example"], "green")
            check_own_feeds(node)
            assert standing_of_signing(node).closed == ()


class TestWhileItRuns:
    def test_entries_that_nobody_expects_are_an_alarm_and_not_fetched(self, a, b):
        """A copy of the node, or a thief, signs elsewhere while this one runs."""
        with serving(b):
            with serve_in_thread(a.node):
                pair(a.node, b, "member")
                pull(a.node, b)
                a.back_up()
                publish_names(a.node, ["second.example"], "green")
                pull(b, a.node)
            node = a.restore(noted=False)
            (node.settings.home / MARKER_FILE).unlink()
            sign_anyway(node)  # the copy knows of no restore
            pull(node, b)
            assert refusal(node) == "alien"
            assert check_own_feeds(node).recovered == 0
            assert check_own_feeds(node, adopt=True).recovered == 1
            publish_names(node, ["third.example"], "green")

    @pytest.mark.long
    def test_a_pull_hears_what_the_peer_holds(self, a, b):
        with serving(b):
            with serve_in_thread(a.node):
                pair(a.node, b, "member")
                a.back_up()
                publish_names(a.node, ["second.example"], "green")
                pull(b, a.node)
            node = a.restore()
            refusal(node)
            note_doubt(node)
            pull(node, b)
            assert hold(node) is None
            assert len(chain(node, f"{node.node_id}/green/1")) == 1


class TestAtTheStart:
    def test_nothing_is_signed_before_the_peers_were_asked(self, a, b):
        with serving(a.node, b):
            pair(a.node, b, "member")
            begin_self_check(a.node)
            assert refusal(a.node) == "pending"
            run_due_jobs(a.node)
            publish_names(a.node, ["first.example"], "green")

    def test_a_machine_that_was_set_back_as_a_whole_learns_it_from_its_peers(self, a, b):
        """Database and marker alike are old, so nothing here tells."""
        marker = a.node.settings.home / MARKER_FILE
        with serving(b):
            with serve_in_thread(a.node):
                pair(a.node, b, "member")
                a.back_up()
                old = marker.read_bytes()
                publish_names(a.node, ["second.example"], "green")
                pull(b, a.node)
            node = a.restore(noted=False)
            marker.write_bytes(old)
            begin_self_check(node)
            run_due_jobs(node)
            assert len(chain(node, f"{node.node_id}/green/1")) == 1
            assert hold(node) is None

    def test_unreachable_peers_keep_nobody_from_publishing(self, a, b):
        with serving(a.node, b):
            pair(a.node, b, "member")
        begin_self_check(a.node)
        run_due_jobs(a.node)
        publish_names(a.node, ["first.example"], "green")

    @pytest.mark.long
    def test_but_after_an_unclean_end_they_do(self, a, b):
        with serving(a.node, b):
            pair(a.node, b, "member")
        note_restored(a.node.settings.home)
        begin_self_check(a.node)
        run_due_jobs(a.node)
        assert refusal(a.node) == "doubtful"

    def test_a_peer_that_hangs_delays_the_others_answers_not(self, a, b):
        with serving(a.node, b), ScriptedServer(silent) as nobody:
            pair(a.node, b, "member")
            hang(a.node, nobody.base)
            begin_self_check(a.node)
            # A machine under load may need longer for the one that answers; the other never does.
            for patience in (1.5, 6.0, 20.0):
                checked = check_own_feeds(a.node, patience_seconds=patience)
                if checked.answered:
                    break
        assert checked.answered == ("beta",)
        assert checked.standing.hold is None

    def test_a_command_asks_only_when_nobody_did_for_a_day(self, a, b, clock):
        with serving(a.node):
            with serve_in_thread(b):
                pair(a.node, b, "member")
                check_before_signing(a.node)
            asked = peer_of(a.node, b).own_heads_at
            assert asked == clock.now()
            clock.advance(hours=23)
            check_before_signing(a.node)
            assert peer_of(a.node, b).own_heads_at == asked
            clock.advance(hours=2)
            with serve_in_thread(b):
                check_before_signing(a.node)
            assert peer_of(a.node, b).own_heads_at == clock.now()


class TestTheMarker:
    def test_it_counts_along_with_every_write_that_signs(self, a):
        before = read_marker(a.node.settings.home).generation
        publish_names(a.node, ["one.example"], "green")
        publish_names(a.node, ["two.example"], "green")
        assert read_marker(a.node.settings.home).generation == before + 2

    def test_a_torn_marker_is_none(self, a):
        (a.node.settings.home / MARKER_FILE).write_bytes(b'{"generation":3,')
        assert read_marker(a.node.settings.home) is None


def own_rows(node):
    """What readers and later entries depend on, of the node's own objects."""
    return sorted(
        (row["stix_id"], row["version"], row["state"], row["tlp"], row["strength"], row["idn"],
         row["revoked"], row["exercise"], bytes(row["content"]))
        for row in rows_of(node, f"SELECT * FROM objects WHERE origin = '{node.node_id}'")
    )  # fmt: skip


def hang(node, base):
    with node.database.write() as tx:
        store_peer(
            tx,
            PeerRow(
                node_id=NodeId("h" * 52), name="hanging", base=base, trust=1, verified=False,
                state="active", added_at=node.now() - timedelta(days=1),
            ),
        )  # fmt: skip
