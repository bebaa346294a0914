"""``POST /federation/v1/evidence`` on the wire (PROTOCOL 2.6, 2.9)."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from hub.peers.suspend import suspend_peer
from hub.storage.queries.evidence import list_evidence, store_evidence
from hub.storage.queries.feeds import find_feed
from schemas.strict_json import strict_loads, write_json
from tests.support.nodes import FixedClock, make_node, pair, peer_of, serving
from tests.support.publications import Author, indicator
from tests.support.signed_requests import ask, code_of, send

ADDRESS = "/federation/v1/evidence"


@contextmanager
def a_sender_and_a_recipient(folder):
    clock = FixedClock()
    made = tuple(make_node(folder, name, clock) for name in ("sender", "recipient"))
    with serving(*made):
        pair(*made, "trusted")
        yield made
    for node in made:
        node.database.close()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    with a_sender_and_a_recipient(tmp_path_factory.mktemp("evidence")) as made:
        yield made


@pytest.fixture
def fresh(tmp_path):
    """Nodes of one test alone, for what the next one would feel."""
    with a_sender_and_a_recipient(tmp_path) as made:
        yield made


def proof_against(author, *, forged=False):
    author.put("clear", indicator(1))
    other = Author(author.number)
    other.put("clear", indicator(2))
    b = author.head("clear") if forged else other.head("clear")
    return {"type": "fork", "a": author.head("clear"), "b": b}


def post(nodes, value, **changes):
    sender, recipient = nodes
    body = value if isinstance(value, bytes) else write_json(value)
    return ask(sender, recipient, ADDRESS, method="POST", body=body, **changes)


def test_t12_a_proof_with_the_accuseds_chain_is_taken(nodes):
    _, recipient = nodes
    author = Author(1)
    value = {"proofs": [proof_against(author)], "node": [author.document.to_json()]}
    answers = [post(nodes, value | {"more": 1}) for _ in range(2)]
    assert [(answer.status, answer.body) for answer in answers] == [(202, b"{}")] * 2
    with recipient.database.read() as tx:
        assert find_feed(tx, author.feed("clear").name).state == "frozen"
        assert len(list_evidence(tx)) == 1


def test_one_that_does_not_hold_is_422_and_nothing_of_the_body_is_stored(nodes):
    _, recipient = nodes
    author = Author(2)
    good, bad = proof_against(author), proof_against(Author(2), forged=True)
    answer = post(nodes, {"proofs": [good, bad], "node": [author.document.to_json()]})
    assert (answer.status, code_of(answer)) == (422, "E_PROOF")
    assert strict_loads(answer.body)["details"] == {"because": "E_SCHEMA"}
    with recipient.database.read() as tx:
        assert find_feed(tx, author.feed("clear").name) is None


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"[", "E_JSON_SYNTAX"), (b"[]", "E_SCHEMA"), (b"{}", "E_SCHEMA"),
     (b'{"proofs":{}}', "E_SCHEMA"), (write_json({"proofs": [{}] * 17}), "E_SCHEMA")],
)  # fmt: skip
def test_another_body_is_malformed(nodes, body, code):
    answer = post(nodes, body)
    assert (answer.status, code_of(answer)) == (400, code)


def test_only_a_peer_may_accuse(nodes):
    sender, recipient = nodes
    assert send(recipient, ADDRESS, method="POST", body=b'{"proofs":[]}').status == 401
    stranger = Author(9).owner.http
    assert post(nodes, {"proofs": []}, signer=stranger).status == 401
    assert post(nodes, {"proofs": []}).status == 202
    assert ask(sender, recipient, ADDRESS).status == 404


def test_t36_too_many_are_429(fresh):
    sender, recipient = fresh
    with recipient.database.write() as tx:
        for number in range(32):
            store_evidence(
                tx, digest=f"{number}", kind="fork", accused=sender.node_id, feed=None, seq=None,
                body=b"{}", sender=sender.node_id, at=recipient.now(),
            )  # fmt: skip
    author = Author(3)
    answer = post(fresh, {"proofs": [proof_against(author)], "node": [author.document.to_json()]})
    assert (answer.status, code_of(answer)) == (429, "E_QUOTA")


def test_a_suspended_peer_is_a_stranger(fresh):
    sender, recipient = fresh
    suspend_peer(recipient, peer_of(recipient, sender))
    assert post(fresh, {"proofs": []}).status == 401
