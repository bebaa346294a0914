"""Entries under a revoked key count by their place in the chain (PROTOCOL 2.3, THREATS 15)."""

from __future__ import annotations

import pytest

from federation.errors import ChainBroken, EntryDeferred
from federation.identity.node_document import Position, RevokedKey
from hub.exchange.receive import Ahead, receive_page
from hub.storage.queries.nodes import StoredDocument, store_document
from hub.storage.queries.peers import find_peer
from schemas.identifiers import EntryHash
from schemas.markings import Tlp
from tests.support.joined_nodes import entry_states, view_ids
from tests.support.nodes import make_node
from tests.support.publications import Author, indicator, page_of, stix_id
from tests.support.stored_state import check_invariants


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver")
    yield made
    made.database.close()


@pytest.fixture
def a(node):
    author = Author(1)
    author.meets(node, "trusted")
    return author


def revoke(node, author, *last_good):
    """The origin's next document, which says that its entry key was stolen."""
    positions = tuple(Position(seq, EntryHash(found)) for seq, found in last_good)
    document = author.owner.after(
        author.document,
        identities=[author.identity],
        revoked=[RevokedKey(author.owner.entry.kid, "compromise", positions)],
    )
    with node.database.write() as tx:
        store_document(
            tx, StoredDocument(author.node_id, 2, document.hash, document.to_bytes()), node.now()
        )


def deliver(node, author, *, until=None, more=False, ahead=None):
    with node.database.read() as tx:
        sender = find_peer(tx, author.node_id)
    feed = author.feed("clear")
    page = page_of(feed.entries[:until])
    if more:
        page = type(page)(True, until, page.objects, page.head, None, None)
    return receive_page(node, feed=feed.name, sender=sender, page=page, ahead=ahead)


def test_t15_what_the_thief_wrote_after_the_last_good_entry_is_void(node, a):
    good = [a.put("clear", indicator(number)) for number in (1, 2)]
    a.put("clear", indicator(3))
    revoke(node, a, (2, good[1]))
    received = deliver(node, a)
    assert isinstance(received.error, ChainBroken)
    assert received.error.code == "E_KEY_REVOKED"
    assert received.last_seq == 2
    assert stix_id("indicator", 3) not in view_ids(node, Tlp.CLEAR)
    check_invariants(node)


def test_t15_a_key_revoked_without_a_position_in_this_feed_leaves_nothing_good(node, a):
    a.put("clear", indicator(1))
    revoke(node, a, (1, "f" * 64))
    received = deliver(node, a)
    assert (received.error.code, received.last_seq) == ("E_KEY_REVOKED", 0)
    assert entry_states(node, a.feed("clear").name) == []


def test_until_the_position_is_reached_the_feed_waits_without_an_alarm(node, a):
    hashes = [a.put("clear", indicator(number)) for number in (1, 2, 3)]
    revoke(node, a, (3, hashes[2]))
    received = deliver(node, a, until=2, more=True)
    assert isinstance(received.error, EntryDeferred)
    assert (received.error.code, received.last_seq) == ("E_KEY_REVOKED", 0)


def test_hashes_read_behind_the_page_make_its_entries_good(node, a):
    hashes = [a.put("clear", indicator(number)) for number in (1, 2, 3)]
    revoke(node, a, (3, hashes[2]))
    ahead = Ahead(dict(enumerate(hashes, 1)))
    received = deliver(node, a, until=2, more=True, ahead=ahead)
    assert (received.error, received.last_seq) == (None, 2)


def test_hashes_that_do_not_hang_on_the_page_vouch_for_nothing(node, a):
    hashes = [a.put("clear", indicator(number)) for number in (1, 2, 3)]
    revoke(node, a, (3, hashes[2]))
    ahead = Ahead({2: EntryHash("e" * 64), 3: hashes[2]}, ended=True)
    received = deliver(node, a, until=2, more=True, ahead=ahead)
    assert isinstance(received.error, EntryDeferred)
    assert received.last_seq == 0


def test_t15_a_true_entry_on_the_page_vouches_for_no_forged_one_before_it(node, a):
    first = a.put("clear", indicator(1))
    a.put("clear", indicator(2))
    third = a.put("clear", indicator(3))
    revoke(node, a, (3, third))
    # The thief signs another entry 2 and lays it before the true entry 3.
    thief = Author(1)
    thief.put("clear", indicator(1))
    assert thief.feed("clear").prev == first
    thief.put("clear", indicator(9))
    feed = a.feed("clear")
    feed.entries[1] = thief.feed("clear").entries[1]
    received = deliver(node, a)
    assert received.last_seq == 0
    assert stix_id("indicator", 9) not in view_ids(node, Tlp.CLEAR)


def test_an_entry_under_a_new_key_needs_no_position(node, a):
    a.put("clear", indicator(1))
    revoke(node, a, (1, a.feed("clear").prev))
    assert deliver(node, a).error is None
