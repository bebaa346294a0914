"""taxii2-client, unmodified, against a real server (issue 2 "Must show")."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest
import requests
from taxii2client.exceptions import TAXIIServiceException
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages

from hub.exchange.collections import ORIGINALS_ID, add_collection, grant_collection
from hub.operators.tokens import add_token
from schemas.markings import Tlp
from schemas.strict_json import write_json
from tests.hub.api.taxii.conftest import indicator, place, stix_id
from tests.support.nodes import make_node, port_of, serve_in_thread

COUNT = 40


@pytest.fixture
def served(tmp_path):
    node = make_node(tmp_path, "hub", max_content_length=20_000)
    values = [indicator(f"n{n}.example") | {"x_z": 1, "x_a": "é"} for n in range(COUNT)]
    place(node, *values, tlp=Tlp.GREEN)
    add_collection(node, "Shared", alias="shared")
    token = add_token(node, "siem", "own", originals=True).token
    grant_collection(node, "shared", "siem", can_read=True, can_write=True)
    with serve_in_thread(node):
        yield node, token, f"http://127.0.0.1:{port_of(node)}/"
    node.database.close()


def test_it_walks_from_discovery_to_every_object(served):
    _, token, base = served
    server = Server(base + "taxii2/", user="siem", password=token)
    assert [root.url for root in server.api_roots] == [base + "taxii2/intel/"]
    root = server.default
    assert root.versions == ["application/taxii+json;version=2.1"]
    collections = {collection.title: collection for collection in root.collections}
    assert set(collections) == {"Originals", "Verdicts", "Shared"}
    originals = collections["Originals"]
    assert originals.id == ORIGINALS_ID
    names = [
        value["name"]
        for page in as_pages(originals.get_objects, per_request=7)
        for value in page.get("objects", [])
    ]
    assert names == ["hub"] + [f"n{n}.example" for n in range(COUNT)]
    ids = [
        record["id"]
        for page in as_pages(originals.get_manifest, per_request=9)
        for record in page["objects"]
    ]
    assert len(ids) == len(set(ids)) == COUNT + 1
    one = originals.get_object(stix_id("n3.example"))["objects"]
    assert [value["name"] for value in one] == ["n3.example"]
    versions = originals.object_versions(stix_id("n3.example"))
    assert versions["versions"] == ["2026-03-01T09:00:00.000Z"]
    typed = originals.get_objects(type="indicator", limit=3, added_after="2026-03-01T09:00:00Z")
    assert len(typed["objects"]) == 3
    server.close()


def test_it_adds_objects_and_reads_the_status(served):
    _, token, base = served
    root = ApiRoot(base + "taxii2/intel/", user="siem", password=token)
    shared = next(c for c in root.collections if c.title == "Shared")
    status = shared.add_objects({"objects": [indicator("a.example"), {"type": "x"}]})
    assert (status.status, status.success_count, status.failure_count) == ("complete", 1, 1)
    status.refresh()
    assert status.failures[0]["message"].startswith("objects[1]")
    assert shared.get_objects()["objects"] == [indicator("a.example")]
    shared.delete_object(stix_id("a.example"))
    assert shared.get_objects() == {"more": False}
    root.close()


def test_objects_on_the_wire_are_the_bytes_that_were_sealed(served):
    _, token, base = served
    answer = requests.get(
        base + "taxii2/intel/collections/originals/objects?match[type]=indicator",
        headers={"Accept": "*/*", "Authorization": f"Bearer {token}"},
        allow_redirects=False,
        timeout=20,
    )
    expected = [
        write_json(indicator(f"n{n}.example") | {"x_z": 1, "x_a": "é"}) for n in range(COUNT)
    ]
    assert answer.content == b'{"more":false,"objects":[' + b",".join(expected) + b"]}"


def test_a_wrong_token_is_refused_as_taxii_asks(served):
    _, _, base = served
    collection = Collection(f"{base}taxii2/intel/collections/originals/", user="siem", password="x")
    with pytest.raises((TAXIIServiceException, requests.HTTPError)) as refused:
        collection.get_objects()
    assert refused.value.response.status_code == 401


def test_a_body_without_a_length_is_given_up_at_the_limit(served):
    _, token, base = served
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=20)
    connection.putrequest("POST", "/taxii2/intel/collections/shared/objects/")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.putheader("Content-Type", "application/taxii+json;version=2.1")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    for _ in range(21):
        connection.send(b"3e8\r\n" + b" " * 1_000 + b"\r\n")
    # The body has not ended, and the answer is there.
    answer = connection.getresponse()
    assert answer.status == 413
    assert b'"error_code":"E_TOO_BIG"' in answer.read()
    connection.close()


def test_an_announced_body_over_the_limit_is_answered_before_it_comes(served):
    _, _, base = served
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=20)
    connection.putrequest("POST", "/taxii2/intel/collections/shared/objects/")
    connection.putheader("Content-Length", "20001")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
