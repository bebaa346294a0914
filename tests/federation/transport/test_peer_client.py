"""One peer over HTTP, against a real server on loopback (PROTOCOL 2.6, 2.7 and 4.5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from federation.errors import ChainBroken, PeerState, PeerUnreachable
from federation.identity.node_document import document_payload
from federation.signing.keys import KeyRecord
from federation.signing.request_auth import SignedRequest, verify_request
from federation.signing.signer import SeedSigner, seal
from federation.transport.guarded_http import GuardedHttp
from federation.transport.peer_client import HttpPeer, PeerTransport
from schemas.errors import WireFormatError
from schemas.identifiers import ZERO_HASH, FeedName, NodeId
from schemas.signed_envelope import NODE_TYPE
from schemas.strict_json import write_json
from tests.support.certificates import CertificateAuthority
from tests.support.http_server import (
    Connection,
    ReceivedRequest,
    Script,
    ScriptedServer,
    answers,
    write_answer,
)
from tests.support.shared_data import shared_path

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
PEER = NodeId("b" * 52)
OWN_KEY = SeedSigner(bytes(31) + b"\x01")
FEED = FeedName(PEER, "green", 1)
JSON = {"Content-Type": "application/json"}
TAXII = {"Content-Type": "application/taxii+json;version=2.1"}
HEAD = {"payloadType": "…", "payload": "", "signatures": []}


def json_answer(value: object, status: int = 200, headers: dict[str, str] = JSON) -> bytes:
    return write_answer(status, write_json(value), headers)


def page_answer(*seqs: int, more: bool = False) -> bytes:
    value: dict[str, Any] = {"more": more, "x_tocsin_head": HEAD}
    if seqs:
        value["objects"] = [{"feed": str(FEED), "seq": seq, "dsse": None} for seq in seqs]
    if more:
        value["next"] = f"seq:{seqs[-1]}"
    return json_answer(value, headers=TAXII)


def fresh_nonces() -> Callable[[], bytes]:
    numbers = count(1)
    return lambda: next(numbers).to_bytes(16, "big")


@contextmanager
def peer_that(script: Script) -> Iterator[tuple[HttpPeer, ScriptedServer]]:
    with ScriptedServer(script) as server, GuardedHttp(allow_loopback=True) as http:
        yield (
            HttpPeer(
                server.base,
                PEER,
                signer=OWN_KEY,
                http=http,
                now=lambda: NOW,
                nonce=fresh_nonces(),
            ),
            server,
        )


def verified_nonce(request: ReceivedRequest, server: ScriptedServer) -> str:
    """Verify a request as the peer would, from what was on the wire; give its nonce."""
    signed = SignedRequest(
        method=request.method,
        target_uri=server.base.rstrip("/") + request.target,
        headers=request.headers,
        body=request.body or None,
    )
    verified = verify_request(
        signed,
        recipient=PEER,
        now=NOW,
        find_key=lambda kid: OWN_KEY.public_key if kid == OWN_KEY.kid else None,
    )
    return verified.nonce


def node_document(version: int) -> dict[str, object]:
    root = SeedSigner(bytes(31) + b"\x02")
    payload = document_payload(
        node_id=PEER,
        version=version,
        prev=ZERO_HASH,
        issued=NOW,
        expires=NOW + timedelta(days=365),
        name="Example Registry",
        domains=["example.fr"],
        contact="security@example.fr",
        root_threshold=1,
        root_keys=[root.public_key],
        next_root="0" * 64,
        keys=[
            KeyRecord(
                OWN_KEY.kid, "ed25519", OWN_KEY.public_key, "http", NOW, NOW + timedelta(days=90)
            )
        ],
        required_algs=["ed25519"],
        identities=[],
        base="https://hub.example.fr/",
    )
    return seal(root, NODE_TYPE, write_json(payload)).to_json()


def test_an_http_peer_is_a_peer_transport() -> None:
    with peer_that(answers(write_answer())) as (peer, _server):
        transport: PeerTransport = peer
        assert transport is peer


def test_a_page_is_asked_for_with_a_signature_over_the_exact_url() -> None:
    with peer_that(answers(page_answer(101, 102, more=True))) as (peer, server):
        page = peer.page(FEED, after_seq=100, limit=50)
        request = server.requests[0]
        assert verified_nonce(request, server)
    assert request.target == (
        f"/taxii2/fed/collections/{FEED.collection_id}/objects/?next=seq:100&limit=50"
    )
    assert request.headers["accept"] == "application/taxii+json;version=2.1"
    assert (page.more, page.next_seq) == (True, 102)


@pytest.mark.parametrize(("asked", "sent"), [(0, 1), (100, 100), (5_000, 100)])
def test_the_limit_stays_within_the_protocols(asked: int, sent: int) -> None:
    with peer_that(answers(page_answer())) as (peer, server):
        peer.page(FEED, after_seq=0, limit=asked)
        assert server.requests[0].target.endswith(f"?next=seq:0&limit={sent}")


def test_a_server_that_repeats_a_page_is_left_after_it() -> None:
    with peer_that(answers(page_answer(1, 2, more=True))) as (peer, server):
        cursor = peer.page(FEED, after_seq=0).next_seq
        assert cursor == 2
        with pytest.raises(ChainBroken) as failure:
            peer.page(FEED, after_seq=cursor)
        assert len(server.requests) == 2
    assert failure.value.code == "E_CURSOR_STALL"


def test_every_request_has_a_nonce_of_its_own_and_they_share_a_connection() -> None:
    with peer_that(answers(page_answer())) as (peer, server):
        for _ in range(3):
            peer.page(FEED, after_seq=0)
        nonces = {verified_nonce(request, server) for request in server.requests}
        assert server.connections == 1
    assert len(nonces) == 3


def test_taxii_pages_must_come_as_taxii() -> None:
    with (
        peer_that(answers(json_answer({"more": False, "x_tocsin_head": HEAD}))) as (peer, _server),
        pytest.raises(PeerUnreachable) as failure,
    ):
        peer.page(FEED, after_seq=0)
    assert failure.value.code == "E_HTTP_TYPE"


def test_the_collections_listing_is_read() -> None:
    listing = {"collections": [{"id": FEED.collection_id, "x_tocsin_feed": str(FEED)}]}
    with peer_that(answers(json_answer(listing, headers=TAXII))) as (peer, server):
        assert peer.collections() == listing["collections"]
        assert server.requests[0].target == "/taxii2/fed/collections/"
        assert verified_nonce(server.requests[0], server)


def test_a_listing_without_collections_is_empty() -> None:
    with peer_that(answers(json_answer({}, headers=TAXII))) as (peer, _server):
        assert peer.collections() == []


def test_heads_are_asked_for_all_feeds_or_for_one() -> None:
    with peer_that(answers(json_answer({"heads": [HEAD]}))) as (peer, server):
        assert peer.heads() == [HEAD]
        assert peer.heads(FEED) == [HEAD]
        targets = [request.target for request in server.requests]
        assert all(verified_nonce(request, server) for request in server.requests)
    assert targets == ["/federation/v1/heads", f"/federation/v1/heads?feed={FEED}"]


def test_wake_ups_are_signed_with_their_digest_and_come_in_hundreds() -> None:
    with peer_that(answers(json_answer({}, 202))) as (peer, server):
        peer.wake([HEAD] * 101)
        sizes = [len(json.loads(request.body)["heads"]) for request in server.requests]
        assert all(verified_nonce(request, server) for request in server.requests)
        assert all("content-digest" in request.headers for request in server.requests)
    assert sizes == [100, 1]


def test_pairing_posts_the_very_bytes_and_checks_who_answers() -> None:
    body = b'{"v":1, "token":"","node":[]}'
    with peer_that(answers(json_answer({"v": 1, "node_id": PEER}, 201))) as (peer, server):
        assert peer.pair(body)["node_id"] == PEER
        request = server.requests[0]
        assert verified_nonce(request, server)
    assert (request.method, request.target, request.body) == ("POST", "/federation/v1/pair", body)


@pytest.mark.parametrize("value", [{"v": 1, "node_id": "c" * 52}, {"v": 2, "node_id": PEER}, {}])
def test_a_pairing_answered_by_another_node_is_none(value: dict[str, object]) -> None:
    with (
        peer_that(answers(json_answer(value, 201))) as (peer, _server),
        pytest.raises(WireFormatError),
    ):
        peer.pair(b"{}")


def test_a_used_invitation_is_the_peers_refusal() -> None:
    not_found = {"title": "Not found", "http_status": "404", "error_code": "E_NOT_FOUND"}
    with (
        peer_that(answers(json_answer(not_found, 404, TAXII))) as (peer, _server),
        pytest.raises(PeerState) as failure,
    ):
        peer.pair(b"{}")
    assert failure.value.code == "E_NOT_FOUND"


def test_the_public_addresses_are_asked_without_a_signature() -> None:
    hint = {"node_id": PEER, "base": "https://hub.example.fr/"}
    with peer_that(answers(json_answer(hint), json_answer(HEAD))) as (peer, server):
        assert peer.well_known() == hint
        assert peer.node_document() == HEAD
        peer.node_document(3)
        assert all("signature" not in request.headers for request in server.requests)
        assert [request.target for request in server.requests] == [
            "/.well-known/tocsin",
            "/federation/v1/node",
            "/federation/v1/node?version=3",
        ]


def test_another_nodes_document_is_asked_for_with_a_signature() -> None:
    other = NodeId("c" * 52)
    with peer_that(answers(json_answer(HEAD))) as (peer, server):
        peer.node_document(2, other)
        assert server.requests[0].target == f"/federation/v1/node?version=2&id={other}"
        assert verified_nonce(server.requests[0], server)


@pytest.mark.parametrize("value", [{}, {"node_id": "x", "base": "y"}, {"node_id": PEER}])
def test_a_hint_without_a_node_is_rejected(value: dict[str, object]) -> None:
    with (
        peer_that(answers(json_answer(value))) as (peer, _server),
        pytest.raises(WireFormatError),
    ):
        peer.well_known()


def test_a_chain_is_fetched_from_the_first_document_to_the_newest() -> None:
    documents = {version: node_document(version) for version in (1, 2, 3)}

    def play(request: ReceivedRequest, connection: Connection) -> bool:
        _, _, version = request.target.partition("?version=")
        connection.send(json_answer(documents[int(version or 3)]))
        return True

    with peer_that(play) as (peer, server):
        assert peer.node_documents_chain() == [documents[1], documents[2], documents[3]]
        assert len(server.requests) == 3


def test_a_chain_of_absurd_length_is_not_fetched() -> None:
    with peer_that(answers(json_answer(node_document(1_001)))) as (peer, server):
        with pytest.raises(WireFormatError):
            peer.node_documents_chain()
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "base",
    ["https://hub.example.fr", "https://hub.example.fr/x/", "https://hub.example.fr:443/", "x"],
)
def test_a_base_in_another_spelling_is_rejected(base: str) -> None:
    with GuardedHttp(allow_loopback=False) as http, pytest.raises(WireFormatError):
        HttpPeer(base, PEER, signer=OWN_KEY, http=http, now=lambda: NOW, nonce=fresh_nonces())


class ToLocalPort(httpcore2.NetworkBackend):
    """Leads every connection to one local port, so that a test may use the default port's URL."""

    def __init__(self, port: int) -> None:
        self._port = port

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        del host, port
        return httpcore2.SyncBackend().connect_tcp(
            "127.0.0.1", self._port, timeout, local_address, socket_options
        )


def test_the_vectors_get_comes_out_on_the_wire(tmp_path: Path) -> None:
    vectors = json.loads(shared_path("vectors/protocol.json").read_bytes())
    vector = vectors["more"]["http_get"]
    stated = vector["headers"]["Signature-Input"]
    signers = [SeedSigner(bytes.fromhex(seed)) for seed in vectors["seeds_hex"].values()]
    authority = CertificateAuthority()
    context = authority.server_context("hub.b.example")
    recipient = NodeId(vector["headers"]["Tocsin-To"])
    with (
        ScriptedServer(answers(page_answer()), context=context) as server,
        GuardedHttp(
            allow_loopback=True,
            ca_file=authority.write_to(tmp_path),
            resolver=lambda _host, _port: ["127.0.0.1"],
            network=ToLocalPort(server.port),
        ) as http,
    ):
        peer = HttpPeer(
            "https://hub.b.example/",
            recipient,
            signer=next(signer for signer in signers if signer.kid in stated),
            http=http,
            now=lambda: NOW,
            nonce=lambda: b"get-nonce-get-nonce",
        )
        peer.page(FeedName(recipient, "green"), after_seq=100, limit=50)
        request = server.requests[0]
    assert "https://" + request.headers["host"] + request.target == vector["url"]
    for name, text in vector["headers"].items():
        assert request.headers[name.lower()] == text


DIGEST = "ab" * 32


def test_a_blob_is_asked_for_by_its_digest_signed_and_uncompressed() -> None:
    ranged = {"Content-Range": "bytes 5-9/10"}
    with peer_that(answers(write_answer(206, b"56789", ranged))) as (peer, server):
        with peer.fetch_blob(DIGEST, 5, 100) as stream:
            assert (stream.total, b"".join(stream.chunks)) == (10, b"56789")
        (request,) = server.requests
        assert request.target == f"/federation/v1/blobs/{DIGEST}"
        assert request.headers["range"] == "bytes=5-104"
        assert request.headers["accept-encoding"] == "identity"
        assert "signature" in request.headers
        assert (peer.received, peer.answered) == (5, True)


def test_a_refusal_in_the_place_of_a_blob_is_the_peers_word() -> None:
    body = b'{"title":"x","http_status":"404","error_code":"E_NOT_FOUND"}'
    with (
        peer_that(answers(write_answer(404, body, TAXII))) as (peer, _),
        pytest.raises(PeerState) as refused,
        peer.fetch_blob(DIGEST),
    ):
        raise AssertionError("there is no blob")
    assert refused.value.code == "E_NOT_FOUND"


def test_t31_a_refusal_is_no_way_to_send_much() -> None:
    with (
        peer_that(answers(write_answer(404, b"x" * 70_000))) as (peer, _),
        pytest.raises(PeerUnreachable) as refused,
        peer.fetch_blob(DIGEST),
    ):
        raise AssertionError("there is no blob")
    assert refused.value.code == "E_HTTP_TOO_BIG"


def test_bytes_of_a_blob_are_posted_with_their_place_and_digest() -> None:
    with peer_that(answers(json_answer({"held": 7}, 202))) as (peer, server):
        assert peer.post_blob(DIGEST, 4, 7, b"456") == 7
        (request,) = server.requests
        assert request.target == f"/federation/v1/blobs/{DIGEST}?start=4&size=7"
        assert (request.method, request.body) == ("POST", b"456")
        assert request.headers["content-type"] == "application/octet-stream"
        assert "content-digest" in request.headers
        assert peer.sent == 3


def test_a_peer_cannot_hold_more_of_a_blob_than_there_is() -> None:
    with peer_that(answers(json_answer({"held": 10**9}, 202))) as (peer, _):
        assert peer.post_blob(DIGEST, 0, 7, b"456") == 7
