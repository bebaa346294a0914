"""Methods, media types, sizes and errors of every address (TAXII 2.1 §3, PROTOCOL 2.9)."""

from __future__ import annotations

import logging

import pytest

from hub.exchange.collections import add_collection, grant_collection
from schemas.markings import Tlp
from schemas.taxii.media_types import TAXII
from tests.hub.api.taxii.conftest import indicator, make_intel, place

OBJECTS = "/taxii2/intel/collections/originals/objects/"


@pytest.fixture
def reader(intel):
    return intel.add("siem", "own", originals=True)


@pytest.fixture
def feeder(intel):
    intel.add("feeder", "writer")
    add_collection(intel.node, "Shared", alias="shared")
    grant_collection(intel.node, "shared", "feeder", can_read=True, can_write=True)
    return "feeder"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (TAXII, 200),
        ("application/taxii+json; version=2.1", 200),
        ('Application/TAXII+JSON; Version="2.1"; charset=utf-8', 200),
        ("application/taxii+json", 200),
        ("*/*", 200),
        ("application/*", 200),
        ("text/html, application/taxii+json;version=2.1;q=0.2", 200),
        ("application/taxii+json;version=2.0", 406),
        ("application/vnd.oasis.stix+json;version=2.0", 406),
        ("application/json", 406),
        ("text/html", 406),
        ("*/*, application/taxii+json;version=2.1;q=0", 406),
        ("application/taxii+json;q=zero", 406),
    ],
)
def test_answers_come_in_one_media_type(intel, reader, accept, status):
    answer = intel.ask(reader, OBJECTS, headers={"Accept": accept})
    assert answer.status_code == status
    assert answer.headers["content-type"] == TAXII
    if status == 406:
        assert answer.json()["error_code"] == "E_NOT_ACCEPTABLE"


def test_a_content_type_on_get_is_not_looked_at(intel, reader):
    answer = intel.ask(reader, OBJECTS, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "application/taxii+json;version=2.0", "text/plain"]
)
def test_a_body_in_another_media_type_is_415(intel, feeder, content_type):
    headers = {} if content_type is None else {"Content-Type": content_type}
    path = "collections/shared/objects/"
    answer = intel.ask(feeder, path, "POST", content=b'{"objects":[{}]}', headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (415, "E_CONTENT_TYPE")


def test_a_packed_body_is_415(intel, feeder):
    headers = {"Content-Type": TAXII, "Content-Encoding": "gzip"}
    answer = intel.ask(feeder, "collections/shared/objects/", "POST", content=b"x", headers=headers)
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "E_JSON_SYNTAX"),
        (b"{", 400, "E_JSON_SYNTAX"),
        (b'{"objects":[],"objects":[]}', 400, "E_JSON_DUPKEY"),
        (b'{"objects":' + b"[" * 40 + b"]" * 40 + b"}", 400, "E_JSON_DEPTH"),
        (b'{"objects":[1e999]}', 400, "E_JSON_NUM"),
        (b'\xef\xbb\xbf{"objects":[]}', 400, "E_JSON_BOM"),
        (b'{"objects":["\xff"]}', 400, "E_JSON_UTF8"),
        (b"[]", 422, "E_ENVELOPE"),
        (b"{}", 422, "E_ENVELOPE"),
        (b'{"objects":[]}', 422, "E_ENVELOPE"),
        (b'{"objects":{}}', 422, "E_ENVELOPE"),
        (b'{"type":"bundle","id":"bundle--1","objects":[{}]}', 422, "E_ENVELOPE"),
    ],
)
def test_a_body_that_is_no_envelope_stores_nothing(intel, feeder, body, status, code):
    headers = {"Content-Type": TAXII}
    answer = intel.ask(feeder, "collections/shared/objects/", "POST", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert answer.json()["http_status"] == str(status)
    assert intel.names(feeder, "shared") == []


def test_a_body_over_the_limit_is_413_before_it_is_read(tmp_path, now):
    intel = make_intel(tmp_path, now, max_content_length=2_000)
    intel.add("feeder", "writer")
    add_collection(intel.node, "Shared", alias="shared")
    grant_collection(intel.node, "shared", "feeder", can_write=True)
    headers = {"Content-Type": TAXII}
    path = "collections/shared/objects/"
    taken = []

    def chunks():
        for _ in range(100):
            taken.append(1_000)
            yield b" " * 1_000

    announced = intel.ask("feeder", path, "POST", content=b" " * 2_001, headers=headers)
    counted = intel.ask("feeder", path, "POST", content=chunks(), headers=headers)
    lied = intel.ask(
        "feeder", path, "POST", content=b" " * 2_001, headers=headers | {"Content-Length": "5"}
    )
    for answer in (announced, counted, lied):
        assert (answer.status_code, answer.json()["error_code"]) == (413, "E_TOO_BIG")
        assert answer.headers["content-type"] == TAXII
    intel.close()


@pytest.mark.parametrize("path", ["/taxii2/", "/taxii2/intel/", OBJECTS, "/healthz"])
def test_head_is_get_without_the_body(intel, reader, path):
    place(intel.node, indicator("a.example"), tlp=Tlp.GREEN)
    get, head = intel.ask(reader, path), intel.ask(reader, path, "HEAD")
    assert head.status_code == 200
    assert head.content == b""
    assert dict(head.headers) == dict(get.headers)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/taxii2/", "GET, HEAD, OPTIONS"),
        (OBJECTS, "GET, HEAD, POST, OPTIONS"),
        (OBJECTS + "x/", "GET, HEAD, DELETE, OPTIONS"),
    ],
)
def test_options_and_405_name_what_is_allowed(intel, path, allowed):
    options = intel.ask(None, path, "OPTIONS")
    assert (options.status_code, options.headers["allow"]) == (204, allowed)
    other = intel.ask(None, path, "PUT")
    assert (other.status_code, other.headers["allow"]) == (405, allowed)
    assert other.json()["error_code"] == "E_METHOD"


@pytest.mark.parametrize(
    "path", ["/taxii2", "/taxii2/intel", "/taxii2/intel/collections", OBJECTS.rstrip("/")]
)
def test_the_last_slash_may_be_missing(intel, reader, path):
    answer = intel.ask(reader, path)
    assert answer.status_code == 200
    assert answer.content == intel.ask(reader, path + "/").content


def test_an_unknown_address_is_the_one_404(intel):
    for path in ("/nothing", "/taxii2/nothing/", "/taxii2/intel/nothing/", "/taxii2/fed/nothing/"):
        answer = intel.ask(None, path)
        assert answer.status_code == 404
        assert answer.content == (
            b'{"title":"Not found","http_status":"404","error_code":"E_NOT_FOUND"}'
        )


@pytest.mark.parametrize("path", ["/healthz", "/taxii2/", "/nothing", OBJECTS])
def test_every_answer_carries_the_security_headers(intel, reader, path):
    headers = intel.ask(reader, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'")


def test_what_nobody_foresaw_is_a_500_with_a_reference_and_no_inside(intel, reader, caplog):
    app = intel.client.app

    @app.get("/broken")
    def get_broken():
        raise RuntimeError("the secret is hunter2")

    with caplog.at_level(logging.ERROR, "hub.api.error_responses"):
        answer = intel.ask(reader, "/broken")
    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (500, "E_INTERNAL")
    assert b"hunter2" not in answer.content
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert body["error_id"] in caplog.text
    assert "hunter2" in caplog.text


def test_alive_and_ready(intel):
    assert intel.client.get("/healthz").json() == {"status": "alive"}
    assert intel.client.get("/readyz").json() == {"status": "ready"}


def test_not_ready_with_a_database_of_another_release(intel):
    intel.client.app.state.revision = "9999"
    assert intel.client.get("/readyz").status_code == 503
