"""What a peer states, against the types of a real PostgreSQL: seqs beyond 32 bits, NUL in text."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from federation.feeds.heads import head_payload
from federation.signing.request_auth import sign_request
from federation.signing.signer import seal
from hub.app import create_app
from hub.peers.node_documents import read_hint
from hub.peers.wake import accept_wake
from schemas.identifiers import EntryHash
from schemas.signed_envelope import HEAD_TYPE
from schemas.strict_json import MAX_INTEGER, write_json
from tests.support.databases import postgresql_with_tables
from tests.support.nodes import FixedClock, make_node, peer_of
from tests.support.publications import Author, indicator, record


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    made = make_node(tmp_path, "receiver", clock, database_url=postgresql_with_tables())
    yield made
    made.database.close()


@pytest.fixture
def a(node):
    author = Author(1)
    author.meets(node, "trusted")
    return author


def test_t14_a_head_of_the_highest_seq_is_only_a_promise(node, a):
    a.put("clear", indicator(1))
    assert a.deliver(node, "clear").error is None
    feed = a.feed("clear").name
    payload = head_payload(feed, MAX_INTEGER, EntryHash("0" * 64), a.at)
    head = seal(a.owner.entry, HEAD_TYPE, payload).to_json()
    accept_wake(node, peer_of(node, a.node_id), write_json({"heads": [head]}))


def test_t14_an_entry_of_the_highest_seq_is_a_gap(node, a):
    envelope = a.entry("clear", seq=MAX_INTEGER)
    feed = a.feed("clear")
    feed.entries.append(record(feed.name, MAX_INTEGER, envelope))
    assert a.deliver(node, "clear").error.code == "E_GAP"


TARGETS = [
    "/federation/v1/blobs/%00",
    "/taxii2/fed/collections/%00/",
    "/taxii2/fed/collections/%00/objects/",
    "/taxii2/fed/collections/a%00b/objects/",
    "/taxii2/fed/collections/{clear}/objects/?next=seq:9007199254740991",
    "/taxii2/fed/collections/{clear}/objects/?next=seq:2147483648",
    "/federation/v1/heads?feed=%00",
    "/federation/v1/node?version=999999999",
    "/federation/v1/node?id=%00",
]


def test_addresses_that_postgresql_cannot_take_are_not_found_or_empty(node, a):
    a.put("clear", indicator(1))
    a.deliver(node, "clear")
    collection = a.feed("clear").name.collection_id
    for number, target in enumerate(TARGETS):
        answer = _ask(node, a, target.replace("{clear}", collection), number)
        assert answer.status_code in {200, 400, 404}, target


def _ask(node, author: Author, target: str, number: int):
    base = read_hint(node)["base"]
    headers = sign_request(
        method="GET", url=base.rstrip("/") + target, body=None, recipient=node.node_id,
        signer=author.owner.http, created=node.now(), nonce=bytes([number]) * 16,
    )  # fmt: skip
    with TestClient(create_app(node), base_url=base) as http:
        return http.get(target, headers={**headers, "Accept": "application/taxii+json;version=2.1"})
