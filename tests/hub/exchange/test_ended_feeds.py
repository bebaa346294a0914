"""Taking back what stands in feeds that take no more entries (PROTOCOL 2.4, 3.3)."""

from __future__ import annotations

import json

import pytest

from federation.identity.document_form import Position
from hub.errors import Conflict, NotFound
from hub.exchange.epochs import open_next_epoch
from hub.exchange.erase import erase_everywhere
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.receipts import list_receipts
from hub.exchange.restrict import restrict_object
from hub.exchange.serve_feeds import PageRequest, read_feed_page
from hub.peers.key_custody import read_key_file
from hub.peers.rotate_keys import revoke_key
from hub.storage.queries.feeds import find_feed
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.grouped_nodes import group_of, leave_group
from tests.support.joined_nodes import direct, states, sync, view_ids
from tests.support.nodes import FixedClock, make_node, peer_of
from tests.support.publications import drafts, indicator, join, note, stix_id
from tests.support.stored_state import check_invariants, events_of, rows_of

ONE, TWO, THREE, FOUR = (stix_id("indicator", number) for number in (1, 2, 3, 4))
ADA = "Ada Lovelace"


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def nodes(tmp_path, clock):
    made = [make_node(tmp_path, name, clock) for name in "abc"]
    for other in made[1:]:
        join(made[0], other)
        join(other, made[0])
    yield made
    for node in made:
        check_invariants(node)
        node.database.close()


def publish(node, *values, tlp=Tlp.AMBER, **where):
    done = publish_objects(node, PublishRequest(drafts(*values), tlp, **where))
    assert not done.refused
    return done


def holds(node, text):
    home = node.settings.home
    files = [home / "tocsin.db", home / "tocsin.db-wal"]
    node.database.forget_deleted()
    return any(text.encode() in file.read_bytes() for file in files if file.exists())


def page(node, reader, audience, after, epoch=1):
    feed = FeedName(node.node_id, audience, epoch)
    request = PageRequest(after, 100)
    return json.loads(read_feed_page(node, peer_of(node, reader), feed.collection_id, request))


class TestAClosedGroup:
    @pytest.fixture
    def closed(self, nodes):
        """A group's feed that b and c have read, and that c's leaving closed."""
        a, b, c = nodes
        gid = group_of(a, b, c).gid
        publish(a, indicator(1, name=ADA), indicator(2), groups=("banks",))
        publish(a, indicator(3), groups=("banks",))
        for member in (b, c):
            sync(a, member, gid)
        leave_group(a, c)
        return gid

    @pytest.fixture
    def told(self, nodes):
        """What each member reads after the group changed: its next feed, and its direct one."""

        def tell():
            a, b, c = nodes
            (gid,) = (
                row["audience"]
                for row in rows_of(a, "SELECT audience FROM feeds WHERE audience LIKE 'g-%'"
                                      " AND state = 'open'")
            )  # fmt: skip
            pages = sync(a, b, gid) + sync(a, b, direct(b)) + sync(a, c, direct(c))
            assert [page.rejected for page in pages] == [0] * len(pages)

        return tell

    def test_erasing_reaches_who_is_in_and_who_left_and_deletes_its_bytes(
        self, nodes, closed, told
    ):
        a = nodes[0]
        done = erase_everywhere(a, f"{closed}/4", "personal data", [ONE])
        assert {kind for *_, kind in done.entries} == {"restrict"}
        assert done.unreached == (str(FeedName(a.node_id, closed)),)
        told()
        for node in nodes:
            assert states(node, ONE)[0] == ("erased", None)
            assert not holds(node, ADA)
            assert {TWO, THREE} <= view_ids(node, Tlp.AMBER)

    def test_its_origin_serves_that_entry_no_more(self, nodes, closed):
        a, b, _ = nodes
        erase_everywhere(a, f"{closed}/4", "personal data", [ONE])
        assert "E_ERASED" in _refusal(lambda: page(a, b, closed, 3))
        assert page(a, b, closed, 4)["objects"]

    def test_restricting_reaches_both_too_and_stops_serving(self, nodes, closed, told):
        a, b, c = nodes
        restrict_object(a, ONE, Tlp.AMBER_STRICT)
        told()
        for node in (b, c):
            assert states(node, ONE) == [("withheld", "RESTRICTED")]
        assert "E_ERASED" in _refusal(lambda: page(a, b, closed, 3))

    def test_the_receipts_name_who_is_to_confirm(self, nodes, closed):
        a, b, c = nodes
        erase_everywhere(a, f"{closed}/4", "personal data", [ONE])
        lines = list_receipts(a, ONE)
        assert {line.did for line in lines} == {"erased"}
        assert {line.peer for line in lines} == {b.node_id, c.node_id}
        assert events_of(a, "ERASED")[0]["reason"] == "personal data"

    def test_once_is_enough(self, nodes, closed):
        a = nodes[0]
        erase_everywhere(a, f"{closed}/4", "personal data", [ONE])
        with pytest.raises(Conflict, match="E_NOT_ERASABLE"):
            erase_everywhere(a, f"{closed}/4", "again", [ONE])


class TestAnEndedEpoch:
    @pytest.fixture(autouse=True)
    def _ended(self, nodes):
        a, b, _ = nodes
        publish(a, indicator(9), tlp=Tlp.GREEN)
        publish(a, indicator(1, name=ADA), indicator(2), tlp=Tlp.GREEN)
        publish(a, indicator(3), note(1, TWO), tlp=Tlp.GREEN)
        sync(a, b, "green")
        with a.database.write() as tx:
            held = find_feed(tx, FeedName(a.node_id, "green"))
            position = Position(held.last_seq, held.last_hash)
            open_next_epoch(tx, a, held, position, a.now())

    def test_what_is_behind_it_is_said_again_in_the_next_one(self, nodes):
        a, b, _ = nodes
        publish(a, indicator(4), tlp=Tlp.GREEN)
        done = erase_everywhere(a, "green/2", "personal data", [ONE])
        assert [(feed.rsplit("/", 1)[1], kind) for feed, _, _, kind in done.entries] == [
            ("2", "restrict")
        ]
        assert "E_ERASED" in _refusal(lambda: page(a, b, "green", 1))
        rows = rows_of(
            a,
            "SELECT stix_id FROM carried JOIN objects USING (object_row)"
            " JOIN feeds USING (feed_row) WHERE epoch = 2 AND audience = 'green'",
        )
        assert {TWO, THREE, FOUR, stix_id("note", 1)} <= {row["stix_id"] for row in rows}
        assert stix_id("indicator", 9) not in {row["stix_id"] for row in rows}
        assert not holds(a, ADA)
        assert TWO in view_ids(a, Tlp.GREEN)

    def test_nothing_is_said_twice(self, nodes):
        a = nodes[0]
        restrict_object(a, ONE, Tlp.AMBER)
        before = rows_of(a, "SELECT count(*) AS n FROM entries")[0]["n"]
        restrict_object(a, ONE, Tlp.AMBER_STRICT)
        assert rows_of(a, "SELECT count(*) AS n FROM entries")[0]["n"] == before + 1


@pytest.mark.parametrize("behind", [True, False], ids=["something stays", "nothing stays"])
def test_what_it_took_back_stays_at_its_origin_when_keys_are_revoked_again(nodes, clock, behind):
    """Its entry has lost the bytes, and with them who signed it: it counts all the same."""
    a = nodes[0]
    root = read_key_file(a.settings.home / "root-current.key")
    publish(a, indicator(1, name=ADA), tlp=Tlp.GREEN)
    if behind:
        publish(a, indicator(2), tlp=Tlp.GREEN)
    for _ in range(2):
        clock.advance(days=1)
        revoke_key(a, a.keys.entry.kid, "lost", [root])
        restrict_object(a, ONE, Tlp.AMBER if states(a, ONE)[0][0] == "accepted" else Tlp.RED)
    assert states(a, ONE) == [("withheld", "RESTRICTED")]
    assert holds(a, ADA)


def _refusal(ask):
    with pytest.raises(NotFound) as refused:
        ask()
    return str(refused.value)
