"""Signed requests of a peer to every federation address: answered with 2xx or 4xx, never more.

The peer is real and its signatures hold: it may ask for anything and send anything.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from federation.signing.request_auth import sign_request
from hub.app import create_app
from hub.peers.node_documents import read_hint
from schemas.strict_json import strict_loads, write_json
from tests.properties.test_fuzz_entries import VALUES, mutated
from tests.support.nodes import make_node
from tests.support.publications import Author, indicator

_NONCES = itertools.count(1)
AUTHOR = Author(1)
TARGETS = [
    "/taxii2/fed/", "/taxii2/fed/collections/", "/taxii2/fed/collections/{feed}/",
    "/taxii2/fed/collections/{feed}/objects/", "/taxii2/fed/collections/{feed}/manifest/",
    "/federation/v1/heads", "/federation/v1/node", "/federation/v1/wake", "/federation/v1/pair",
    "/federation/v1/acks", "/federation/v1/open", "/federation/v1/evidence", "/.well-known/tocsin",
]  # fmt: skip
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["next", "limit", "feed", "version", "id", "added_after", "x"]),
        st.sampled_from(
            [
                "", "0", "1", "-1", "seq:0", "seq:1", "seq:9007199254740991",
                "seq:99999999999999999",
                "seq:01", "%00", "%FF", "%E2%82%AC", "100", "999999999", "9" * 400, "a" * 52,
                "a" * 52 + "/clear/1", "true", "%22", "1e5",
            ]
        ),
    ),
    max_size=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    node = make_node(tmp_path_factory.mktemp("fuzz"), "receiver")
    AUTHOR.meets(node, "partner")
    AUTHOR.put("clear", indicator(1))
    AUTHOR.deliver(node, "clear")
    with TestClient(create_app(node), raise_server_exceptions=False) as http:
        yield node, http
    node.database.close()


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    wake: dict[str, Any] = {"heads": [AUTHOR.head("clear"), {"payload": "e30="}]}
    pair: dict[str, Any] = {"v": 1, "token": "A" * 22 + "==", "node": [AUTHOR.document.to_json()]}
    return draw(
        st.one_of(
            st.binary(max_size=40),
            VALUES.map(write_json),
            mutated(wake).map(write_json),
            mutated(pair).map(write_json),
            st.sampled_from([b"", b"[" * 50_000, b'{"heads":' + b"[" * 20, b'{"a":1,"a":1}']),
        )
    )


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    target=st.sampled_from(TARGETS),
    method=st.sampled_from(["GET", "GET", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
    query=QUERIES,
    body=bodies(),
)
def test_a_peer_is_always_answered_with_2xx_or_4xx(world, target, method, query, body):
    node, http = world
    base = read_hint(node)["base"]
    target = target.replace("{feed}", AUTHOR.feed("clear").name.collection_id)
    if query:
        target += "?" + "&".join(f"{name}={value}" for name, value in query)
    content = body if method in {"POST", "PUT"} else None
    headers = sign_request(
        method=method, url=base.rstrip("/") + target, body=content, recipient=node.node_id,
        signer=AUTHOR.owner.http, created=node.now(), nonce=next(_NONCES).to_bytes(16),
    )  # fmt: skip
    answer = http.request(
        method, base.rstrip("/") + target, content=content,
        headers={**headers, "Accept": "application/taxii+json;version=2.1"},
    )  # fmt: skip
    assert answer.status_code < 500, (answer.status_code, target)
    if answer.status_code >= 400 and answer.content:
        assert strict_loads(answer.content)["error_code"]
