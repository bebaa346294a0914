"""What a peer's feeds and documents may not do to a pull, nor through us to other peers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from federation.errors import PeerUnreachable
from federation.identity.node_document import Position, RevokedKey, pin_chain
from federation.signing.signer import seal
from federation.transport.peer_answers import FeedPage
from hub.exchange.serve_feeds import PageRequest, heads_for, list_collections_for, read_feed_page
from hub.peers.admit import store_relation
from hub.peers.node_documents import learn_node
from hub.peers.pull import pull_peer
from hub.peers.pull_feed import FeedPull
from hub.peers.stated_heads import find_good_head, keep_head
from hub.peers.wake import accept_wake
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.nodes import StoredDocument, store_document
from hub.storage.queries.peers import find_peer, objects_today
from hub.storage.tables.feeds import FEEDS
from schemas.identifiers import EntryHash, FeedName
from schemas.signed_envelope import HEAD_TYPE
from schemas.strict_json import MAX_BODY_BYTES, strict_loads, write_json
from schemas.timestamps import write_wire_time
from tests.support.nodes import NOW, make_node, pair, peer_of, publish_names, serving
from tests.support.publications import Author, indicator, record
from tests.support.signed_nodes import record_of, seeded

FAR = datetime(9999, 12, 31, tzinfo=UTC)


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver")
    yield made
    made.database.close()


class Pages:
    """A peer that serves an author's feed from memory, a few entries a page."""

    def __init__(self, author: Author, size: int = 2) -> None:
        self.author = author
        self.size = size
        self.asked = 0

    def page(self, feed, after_seq, limit=100):
        del limit
        self.asked += 1
        entries = self.author.feed(feed.audience).entries
        until = after_seq + self.size
        more = until < len(entries)
        return FeedPage(
            more, until if more else None, entries[after_seq:until],
            self.author.head(feed.audience), None, None,
        )  # fmt: skip


def revoke(node, author, *last_good):
    document = author.owner.after(
        author.document,
        identities=[author.identity],
        revoked=[
            RevokedKey(
                author.owner.entry.kid,
                "compromise",
                tuple(Position(seq, EntryHash(found)) for seq, found in last_good),
            )
        ],
    )
    with node.database.write() as tx:
        store_document(
            tx, StoredDocument(author.node_id, 2, document.hash, document.to_bytes()), node.now()
        )


def run(node, author, pages):
    with node.database.read() as tx:
        sender = find_peer(tx, author.node_id)
    pull = FeedPull(node, sender, pages, lambda: False)
    return pull.run(author.feed("clear").name, None)


class TestRevokedKeys:
    def test_a_newcomer_looks_ahead_for_the_position_many_pages_on(self, node):
        author = Author(1)
        author.meets(node)
        hashes = [author.write("clear") for _ in range(9)]
        revoke(node, author, (9, hashes[-1]))
        pages = Pages(author)
        pulled = run(node, author, pages)
        assert (pulled.error, pulled.entries) == (None, 9)
        assert pages.asked <= 10

    def test_t15_beyond_the_last_good_position_the_feed_ends(self, node):
        author = Author(1)
        author.meets(node)
        hashes = [author.write("clear") for _ in range(7)]
        revoke(node, author, (4, hashes[3]))
        pulled = run(node, author, Pages(author))
        assert (pulled.error.code, pulled.entries) == ("E_KEY_REVOKED", 4)

    def test_t15_a_feed_that_reaches_no_good_position_is_void_from_its_first_entry(self, node):
        author = Author(1)
        author.meets(node)
        for _ in range(5):
            author.write("clear")
        revoke(node, author, (900, "f" * 64))
        pulled = run(node, author, Pages(author))
        assert (pulled.error.code, pulled.entries) == ("E_KEY_REVOKED", 0)

    def test_t15_the_thiefs_head_wakes_nobody(self, node):
        author = Author(1)
        author.meets(node)
        first = author.write("clear")
        assert run(node, author, Pages(author)).error is None
        author.write("clear")
        with node.database.read() as tx:
            assert find_good_head(tx, author.head("clear")) is not None
        revoke(node, author, (1, first))
        with node.database.read() as tx:
            assert find_good_head(tx, author.head("clear")) is None


class TestNewDocuments:
    def test_a_key_that_is_not_known_yet_is_fetched_once_and_the_pull_goes_on(self, tmp_path, node):
        """PROTOCOL 2.6: on `E_KEY_UNKNOWN` a puller fetches the chain once and tries again."""
        relay = make_node(tmp_path, "relay")
        origin = Author(1)
        new_key = seeded(77)
        later = origin.owner.after(
            origin.document,
            identities=[origin.identity],
            keys=[record_of(origin.owner.entry, "entry"), record_of(new_key, "entry")],
        )
        with serving(relay):
            pair(relay, node, "trusted")
            origin.meets(relay)
            origin.is_known_to(node)
            with relay.database.write() as tx:
                stored = StoredDocument(origin.node_id, 2, later.hash, later.to_bytes())
                store_document(tx, stored, relay.now())
            origin.put("clear", indicator(1))
            feed = origin.feed("clear")
            envelope = origin.entry("clear", signer=new_key)
            feed.entries.append(record(feed.name, 2, envelope))
            feed.prev = envelope.hash
            assert origin.deliver(relay, "clear").entries == 2
            _keep(relay, origin.head("clear"))
            outcome = pull_peer(node, peer_of(node, relay))
        assert outcome.error is None
        with node.database.read() as tx:
            assert find_feed(tx, origin.feed("clear").name).last_seq == 2
        relay.database.close()

    def test_t36_a_chain_that_comes_too_slowly_or_too_large_is_given_up(self, node):
        author = Author(1)
        relay = Author(2).meets(node)

        class Slow:
            def node_documents_chain(self, _node_id, *, max_bytes, is_late):
                assert max_bytes == 1024 * 1024
                if is_late():
                    raise PeerUnreachable("E_HTTP_TIMEOUT")
                return [author.document.to_json()]

        with pytest.raises(PeerUnreachable):
            learn_node(node, author.node_id, Slow(), sender=relay, is_late=lambda: True)
        learn_node(node, author.node_id, Slow(), sender=relay)
        with node.database.read() as tx:
            assert objects_today(tx, relay.node_id, node.now().date().isoformat()) == 1


class TestOneOriginAndTheOthers:
    def test_t36_a_padded_head_is_not_kept_and_not_passed_on(self, node):
        author = Author(1)
        author.meets(node)
        author.write("clear")
        assert author.deliver(node, "clear").error is None
        _keep(node, _padded_head(author, "x" * 200_000))
        with node.database.read() as tx:
            assert find_feed(tx, author.feed("clear").name).head is None

    def test_t36_listing_and_heads_stay_within_an_answer_whatever_origins_make_up(self, node):
        author = Author(1)
        reader = Author(2).meets(node, "trusted")
        author.meets(node)
        author.write("clear")
        author.deliver(node, "clear")
        _keep(node, author.head("clear"))
        with node.database.write() as tx:
            row = dict(
                tx.connection.execute(sa.select(FEEDS).where(FEEDS.c.own == sa.false()))
                .one()
                ._mapping
            )
            rows = []
            for epoch in range(2, 9_500):
                name = FeedName(author.node_id, "clear", epoch)
                rows.append(
                    row
                    | {"feed_row": 10_000 + epoch, "feed": str(name), "epoch": epoch}
                    | {"collection_id": name.collection_id}
                )
            tx.connection.execute(FEEDS.insert(), rows)
        publish_names(node, ["own.example"], "clear")
        listing = list_collections_for(node, reader)
        assert len(write_json(listing)) < MAX_BODY_BYTES
        names = [item["x_tocsin_feed"] for item in listing["collections"]]
        assert names[0] == f"{node.node_id}/clear/1"
        heads = heads_for(node, reader, None)
        assert len(heads) < MAX_BODY_BYTES
        assert strict_loads(heads)["heads"]

    def test_a_feed_that_a_peer_cannot_serve_keeps_us_from_no_other(self, tmp_path, node):
        """Leak class 13: a stuck feed blocks the others."""
        relay = make_node(tmp_path, "relay")
        origin, other = Author(1), Author(3)
        with serving(relay):
            pair(relay, node, "trusted")
            for author in (origin, other):
                author.meets(relay)
                author.put("clear", indicator(author.number))
                assert author.deliver(relay, "clear").error is None
                _keep(relay, author.head("clear"))
            first = min(origin, other, key=lambda author: author.node_id)
            with relay.database.write() as tx:
                tx.connection.execute(
                    FEEDS.update()
                    .where(FEEDS.c.node_id == first.node_id)
                    .values(head=b'"' + b"x" * MAX_BODY_BYTES + b'"')
                )
            outcome = pull_peer(node, peer_of(node, relay))
        second = max(origin, other, key=lambda author: author.node_id)
        with node.database.read() as tx:
            assert find_feed(tx, second.feed("clear").name).last_seq == 1
        assert not outcome.failed
        assert outcome.error.code == "E_HTTP_TOO_BIG"
        relay.database.close()

    def test_what_its_origin_erased_is_served_to_it_as_a_stub_and_no_hole(self, node):
        author = Author(1)
        row = author.meets(node)
        author.put("clear", indicator(1))
        author.put("clear", indicator(2))
        author.write("clear", kind="erase", seqs=[2])
        author.deliver(node, "clear")
        _keep(node, author.head("clear"))
        collection = author.feed("clear").name.collection_id
        page = strict_loads(read_feed_page(node, row, collection, PageRequest(0, 100)))
        assert [item["seq"] for item in page["objects"]] == [1, 2, 3]
        assert [item["dsse"] is None for item in page["objects"]] == [False, True, False]


class TestTheEndOfTime:
    def test_a_head_of_the_year_9999_is_refused_like_any_other(self, node):
        author = Author(4)
        author.document = author.owner.document(
            expires=FAR, keys=[record_of(author.owner.entry, "entry", naf=FAR)]
        )
        sender = author.meets(node)
        head = _signed_head(author, ts=FAR, expires=FAR)
        accept_wake(node, sender, write_json({"heads": [head]}))


class TestNames:
    def test_a_peers_name_is_kept_as_it_may_be_shown(self, node):
        owner = Author(5).owner
        document = owner.document(name="bank\x00\x1b[2J\u202e" + "x" * 10_000)
        chain = pin_chain([document.to_json()], expected=None, allow_demo=False)
        with node.database.write() as tx:
            peer = store_relation(tx, node, chain, actor="operator", pull_at=NOW)
        assert peer.name.isprintable()
        assert len(peer.name) < 200


def _keep(node, value):
    with node.database.write() as tx:
        head = find_good_head(tx, value)
        assert head is not None
        keep_head(tx, head)


def _padded_head(author, padding):
    feed = author.feed("clear")
    return _signed_head(author, seq=len(feed.entries), hash=feed.prev, padding=padding)


def _signed_head(author, **changes):
    stated = {
        "v": 1, "feed": str(author.feed("clear").name), "seq": 1, "hash": "0" * 64,
        "ts": NOW, "expires": NOW, **changes,
    }  # fmt: skip
    times = {name: write_wire_time(stated[name]) for name in ("ts", "expires")}
    return seal(author.owner.entry, HEAD_TYPE, write_json(stated | times)).to_json()
