"""Two releases side by side: what happens where they have no version in common."""

from __future__ import annotations

import pytest

from federation.errors import PeerState
from federation.identity.invitation import read_invitation, write_pairing_request
from hub.monitoring.alarm_words import words_of
from hub.monitoring.alarms import list_alarms
from hub.peers.invite import invite_peer
from hub.peers.pull import pull_peer
from hub.peers.wake import wake_peer
from hub.peers.wire_version import agree_on_version
from hub.storage.queries.nodes import StoredDocument, store_document
from tests.support.nodes import FixedClock, make_node, peer_of, serve_in_thread
from tests.support.publications import Author, indicator
from tests.support.signed_requests import ask, code_of
from tests.support.stored_state import rows_of


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    return make_node(tmp_path, "reader", clock)


def other_release(node, *wire):
    """A paired node whose newest document lists these versions."""
    author = Author(1)
    author.meets(node)
    later = author.owner.after(author.document, identities=[author.identity], wire=wire)
    with node.database.write() as tx:
        document = StoredDocument(author.node_id, 2, later.hash, later.to_bytes())
        store_document(tx, document, node.now())
    return author


def test_class16_a_peer_of_another_version_is_not_asked_and_loses_nothing(node):
    author = other_release(node, 2)
    before = rows_of(node, "SELECT trust, verified, state FROM peers")
    outcome = pull_peer(node, peer_of(node, author.node_id))
    # It was looked up whether there is a newer document, and nobody was there to say so.
    assert outcome.failed
    assert outcome.error.code == "E_HTTP_CONNECT"
    with pytest.raises(PeerState) as refused:
        wake_peer(node, peer_of(node, author.node_id))
    assert refused.value.code == "E_WIRE_VERSION"
    assert rows_of(node, "SELECT trust, verified, state FROM peers") == before


def test_class16_the_other_side_is_told_so_and_its_documents_are_given(node):
    author = other_release(node, 2, 3)
    with serve_in_thread(node):
        for target in ("/taxii2/fed/collections/", "/federation/v1/heads"):
            answer = _ask_as(author, node, target)
            assert (answer.status, code_of(answer)) == (409, "E_WIRE_VERSION")
            assert b'"spoken":[1]' in answer.body
        document = _ask_as(author, node, f"/federation/v1/node?id={node.node_id}")
        assert document.status == 200


def test_class16_one_version_in_common_is_enough(node):
    author = other_release(node, 1, 2)
    with serve_in_thread(node):
        assert _ask_as(author, node, "/federation/v1/heads").status == 200


class Documents:
    """A source that has node documents and nothing else."""

    def __init__(self, *documents):
        self.documents = [document.to_json() for document in documents]

    def node_documents_chain(self, _node_id=None, **_limits):
        return self.documents

    def collections(self):
        return []

    def heads(self, _feed=None):
        return []

    def page(self, feed, after_seq, limit=100):
        raise NotImplementedError


def test_class16_the_alarm_is_told_once_and_a_newer_document_ends_it(node):
    author = other_release(node, 2)
    second = author.owner.after(author.document, identities=[author.identity], wire=(2,))
    peer = peer_of(node, author.node_id)
    for _ in range(2):
        with pytest.raises(PeerState) as apart:
            agree_on_version(node, peer, Documents(author.document, second))
        assert apart.value.code == "E_WIRE_VERSION"
    (alarm,) = list_alarms(node)
    assert (alarm.code, alarm.subject) == ("WIRE_VERSION", author.node_id)
    assert "speaks versions 2 of the protocol, this node 1" in words_of(alarm)[0]
    updated = author.owner.document(
        version=3, prev=second.hash, identities=[author.identity], wire=(1, 2)
    )
    assert agree_on_version(node, peer, Documents(author.document, second, updated)) == 1
    assert list_alarms(node) == ()
    author.put("green", indicator())
    assert author.deliver(node, "green").accepted == 1


def test_nobody_is_paired_with_whom_no_version_is_shared(node):
    author = Author(1)
    document = author.owner.document(wire=(2,))
    token = read_invitation(invite_peer(node)).token
    body = write_pairing_request(token, [document.to_json()])
    with serve_in_thread(node):
        answer = ask(
            node, node, "/federation/v1/pair", method="POST", body=body, signer=author.owner.http
        )
    assert (answer.status, code_of(answer)) == (409, "E_WIRE_VERSION")
    assert rows_of(node, "SELECT 1 FROM peers") == []
    assert rows_of(node, "SELECT 1 FROM invitations WHERE used_at IS NOT NULL") == []


def _ask_as(author, node, target):
    headers = {"Accept": "application/taxii+json;version=2.1"} if "taxii2" in target else {}
    return ask(node, node, target, signer=author.owner.http, headers=headers)
