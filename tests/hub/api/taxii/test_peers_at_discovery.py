"""A peer's signature shows it the fed root and opens no intel collection (PROTOCOL 2.6)."""

from __future__ import annotations

import pytest

from hub.exchange.collections import ORIGINALS_ID
from hub.peers.node_documents import read_hint
from schemas.strict_json import strict_loads
from tests.support.nodes import make_node, pair, serving
from tests.support.signed_requests import ask, code_of


@pytest.fixture
def hubs(tmp_path):
    a, b, stranger = (make_node(tmp_path, name) for name in ("a", "b", "stranger"))
    with serving(a):
        pair(a, b, "trusted")
        yield a, b, stranger
    for node in (a, b, stranger):
        node.database.close()


def test_a_peer_is_shown_the_fed_root_alone(hubs):
    a, b, _ = hubs
    answer = ask(b, a, "/taxii2/")
    assert strict_loads(answer.body)["api_roots"] == [read_hint(a)["base"] + "taxii2/fed/"]


def test_a_stranger_and_a_repeated_request_are_401(hubs):
    a, b, stranger = hubs
    assert ask(stranger, a, "/taxii2/").status == 401
    assert ask(b, a, "/taxii2/", nonce=bytes(16)).status == 200
    again = ask(b, a, "/taxii2/", nonce=bytes(16))
    assert (again.status, code_of(again)) == (401, "E_HTTP_REPLAY")


@pytest.mark.parametrize(
    "path", ["", "collections/", f"collections/{ORIGINALS_ID}/objects/", "status/x/"]
)
def test_a_signature_opens_nothing_of_the_intel_root(hubs, path):
    a, b, _ = hubs
    answer = ask(b, a, "/taxii2/intel/" + path)
    assert (answer.status, code_of(answer)) == (401, "E_TOKEN")
