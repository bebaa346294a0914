"""Section 1.6: transport, serialisation, content negotiation, authentication."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl

import pytest

from tests.conformance.taxii.wire import TAXII, Collection, Taxii, indicator


def test_s1_6_4_a_collection_is_filled_and_read_by_request_and_answer(
    collection: Collection,
) -> None:
    """MUST: what is added to a collection is what its readers get."""
    value = indicator()
    collection.add(value)
    assert collection.page()["objects"] == [value]


def test_s1_6_6_tls_is_spoken_at_1_2_or_newer(taxii: Taxii) -> None:
    """MUST: all communication goes over TLS, version 1.2 or newer."""
    with (
        socket.create_connection(("127.0.0.1", taxii.server.port)) as raw,
        taxii.trust.wrap_socket(raw, server_hostname="127.0.0.1") as secured,
    ):
        assert secured.version() in {"TLSv1.2", "TLSv1.3"}


def test_s1_6_6_older_tls_is_refused(taxii: Taxii) -> None:
    """MUST NOT: TLS 1.1 and older are not spoken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", taxii.server.port)) as raw,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(raw).close()


def test_s1_6_6_clear_text_is_refused(taxii: Taxii) -> None:
    """MUST NOT: a request without TLS is not answered."""
    with socket.create_connection(("127.0.0.1", taxii.server.port), timeout=10) as raw:
        raw.sendall(b"GET /taxii2/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert not raw.recv(100).startswith(b"HTTP/")


def test_s1_6_7_answers_are_json_in_utf_8(taxii: Taxii) -> None:
    """MUST: bodies are JSON in UTF-8, without a byte order mark."""
    for path in taxii.every_resource().values():
        body = taxii.get(path, "producer").body
        assert isinstance(json.loads(body.decode("utf-8")), dict)
        assert not body.startswith(b"\xef\xbb\xbf")


def test_s1_6_7_utf_8_is_read(collection: Collection) -> None:
    """MUST: bodies in UTF-8 are read, and given as they came."""
    value = indicator(name="Zoë ✓ \U0001f47e")
    body = json.dumps({"objects": [value]}, ensure_ascii=False).encode()
    assert collection.post(body).document["success_count"] == 1
    assert "Zoë ✓ \U0001f47e".encode() in collection.get().body


def test_s1_6_8_an_answer_names_its_media_type_and_version(taxii: Taxii) -> None:
    """MUST: the Content-Type of an answer is TAXII's, with its version."""
    for path in taxii.every_resource().values():
        assert taxii.get(path, "producer").header("Content-Type") == TAXII


def test_s1_6_8_the_type_with_its_version_is_accepted(taxii: Taxii) -> None:
    """MUST: a request that accepts version 2.1 gets it."""
    assert taxii.get("/taxii2/", accept=TAXII).status == 200


def test_s1_6_8_the_type_without_a_version_means_the_latest(taxii: Taxii) -> None:
    """MUST: a request that accepts the type without a version gets the latest that there is."""
    answer = taxii.get("/taxii2/", accept="application/taxii+json")
    assert (answer.status, answer.header("Content-Type")) == (200, TAXII)


@pytest.mark.parametrize(
    "accept",
    [
        "Application/TAXII+json; VERSION=2.1",
        'application/taxii+json ; version="2.1"',
        "application/taxii+json;charset=utf-8;version=2.1",
    ],
)
def test_s1_6_8_names_and_parameters_have_no_case_and_no_order(taxii: Taxii, accept: str) -> None:
    """MUST: media types are compared as HTTP says: without case, parameters in any order."""
    assert taxii.get("/taxii2/", accept=accept).status == 200


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("text/html, application/taxii+json;version=2.1;q=0.1", 200),
        ("application/json;q=1, */*;q=0.2", 200),
        ("application/taxii+json;version=2.0, application/taxii+json;version=2.1", 200),
        ("*/*, application/taxii+json;version=2.1;q=0", 406),
        ("application/taxii+json;version=2.1;q=0, application/taxii+json;version=2.0", 406),
    ],
)
def test_s1_6_8_lists_and_weights_are_honoured(taxii: Taxii, accept: str, status: int) -> None:
    """MUST: of several ranges the most specific decides, and a weight of 0 excludes."""
    assert taxii.get("/taxii2/", accept=accept).status == status


@pytest.mark.parametrize(
    "accept",
    [
        "application/taxii+json;version=2.0",
        "application/vnd.oasis.taxii+json; version=2.0",
        "application/stix+json;version=2.1",
        "application/json",
        "text/html",
    ],
)
def test_s1_6_8_what_cannot_be_given_is_406(taxii: Taxii, accept: str) -> None:
    """MUST: who accepts nothing that there is gets 406."""
    for path in ("/taxii2/", "/taxii2/intel/", "/taxii2/intel/collections/"):
        assert taxii.get(path, accept=accept).status == 406


@pytest.mark.parametrize(
    "content_type",
    [
        "application/taxii+json;version=2.0",
        "application/stix+json;version=2.1",
        "application/json",
        "text/plain",
        None,
    ],
)
def test_s1_6_8_what_cannot_be_read_is_415(
    collection: Collection, content_type: str | None
) -> None:
    """MUST: a body in another media type is 415."""
    headers = [] if content_type is None else [("Content-Type", content_type)]
    body = json.dumps({"objects": [indicator()]}).encode()
    assert collection.post(body, headers).status == 415
    assert collection.page() == {"more": False}


@pytest.mark.parametrize(
    "content_type", ["application/taxii+json", "APPLICATION/TAXII+JSON; Version=2.1"]
)
def test_s1_6_8_a_body_names_its_type_as_http_says(
    collection: Collection, content_type: str
) -> None:
    """MUST: a body's type is read without case, and its version may be left out."""
    body = json.dumps({"objects": [indicator()]}).encode()
    assert collection.post(body, [("Content-Type", content_type)]).status == 202


def test_s1_6_9_basic_is_supported(taxii: Taxii) -> None:
    """MUST: HTTP Basic (RFC 7617) is a way to authenticate."""
    pair = base64.b64encode(f"reader:{taxii.tokens['reader']}".encode()).decode()
    answer = taxii.get("/taxii2/", None, headers=[("Authorization", f"basic {pair}")])
    assert answer.status == 200


def test_s1_6_9_other_schemes_may_be_offered(taxii: Taxii) -> None:
    """MAY: Bearer (RFC 6750) works as well, and is the same reader."""
    bearer = [("Authorization", f"Bearer {taxii.tokens['reader']}")]
    path = "/taxii2/intel/collections/"
    assert taxii.get(path, None, headers=bearer).body == taxii.get(path).body


def test_s1_6_9_access_is_decided_for_each_client(taxii: Taxii, collection: Collection) -> None:
    """MAY: what a client is shown depends on who it is."""
    seen = taxii.resource("/taxii2/intel/collections/", "reader")["collections"]
    other = taxii.resource("/taxii2/intel/collections/", "stranger").get("collections", [])
    assert collection.collection_id in {row["id"] for row in seen}
    assert collection.collection_id not in {row["id"] for row in other}


def test_s1_6_10_other_content_than_the_standards_types_is_carried(collection: Collection) -> None:
    """MAY: objects of types that STIX does not have are carried too."""
    value = indicator() | {"type": "x-tea", "id": indicator()["id"].replace("indicator", "x-tea")}
    collection.add(value)
    assert collection.page()["objects"] == [value]
