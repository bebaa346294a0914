"""Sections 3.1 to 3.3 and 3.6 to 3.8: endpoints, headers, order, errors, envelopes, names."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.conformance.taxii.wire import LARGEST_BODY, TAXII, Collection, Taxii, indicator
from tests.support.processes import WireAnswer

NOBODY = "indicator--00000000-0000-4000-8000-000000000000"
OURS = {
    "title", "description", "contact", "default", "api_roots", "versions", "max_content_length",
    "id", "status", "request_timestamp", "total_count", "success_count", "successes",
    "failure_count", "failures", "pending_count", "version", "message", "collections", "alias",
    "can_read", "can_write", "media_types", "more", "next", "objects", "date_added", "media_type",
    "error_id", "error_code", "http_status", "details",
}  # fmt: skip


def failures(taxii: Taxii) -> dict[int, WireAnswer]:
    """An error of each kind that a client can bring about."""
    collection = taxii.collection()
    objects = f"{collection.path}objects/"
    typed = [("Content-Type", TAXII)]
    return {
        400: taxii.get(f"{objects}?limit=none"),
        401: taxii.get(objects, None),
        404: taxii.get("/taxii2/intel/collections/none/"),
        405: taxii.ask("PUT", objects),
        406: taxii.get(objects, accept="text/html"),
        413: collection.post(b" " * (LARGEST_BODY + 1)),
        415: collection.post(b"{}", [("Content-Type", "text/plain")]),
        422: taxii.ask("POST", objects, "producer", headers=typed, body=b'{"objects":{}}'),
    }


def test_s3_1_every_endpoint_answers_at_its_address_with_a_last_slash(taxii: Taxii) -> None:
    """MUST: every resource of the standard is at its address, which ends with a slash."""
    for name, path in taxii.every_resource().items():
        assert path.endswith("/")
        assert taxii.get(path, "producer").status == 200, name


def test_s3_1_an_address_that_is_none_is_404(taxii: Taxii) -> None:
    """MUST: addresses that the standard and this server do not have are 404."""
    for path in ("/taxii2/none/", "/taxii2/intel/none/", "/taxii2/intel/collections/a/none/"):
        assert taxii.get(path).status == 404


def test_s3_1_a_method_that_is_none_is_405_with_allow(taxii: Taxii, collection: Collection) -> None:
    """MUST: a method that an endpoint lacks is 405, and Allow names those that it has."""
    answer = taxii.ask("PATCH", f"{collection.path}objects/")
    assert answer.status == 405
    assert answer.header("Allow") == "GET, HEAD, POST, OPTIONS"


def test_s3_1_head_is_get_without_a_body(taxii: Taxii) -> None:
    """MUST: HEAD answers as GET does, without the body (RFC 9110 §9.3.2)."""
    for path in taxii.every_resource().values():
        get, head = taxii.get(path, "producer"), taxii.ask("HEAD", path, "producer")
        volatile = {"date"}
        assert (head.status, head.body) == (get.status, b"")
        assert [h for h in head.headers if h[0].lower() not in volatile] == [
            h for h in get.headers if h[0].lower() not in volatile
        ]


def test_s3_1_options_names_the_methods(taxii: Taxii, collection: Collection) -> None:
    """SHOULD: OPTIONS says what an address takes (RFC 9110 §9.3.7)."""
    answer = taxii.ask("OPTIONS", f"{collection.path}objects/{NOBODY}/", None)
    assert (answer.status, answer.header("Allow")) == (204, "GET, HEAD, DELETE, OPTIONS")


def test_s3_1_success_with_a_body_names_its_type(taxii: Taxii) -> None:
    """MUST: answers of the 200 series that have a body name its media type."""
    for path in taxii.every_resource().values():
        answer = taxii.get(path, "producer")
        assert answer.body
        assert answer.header("Content-Type") == TAXII


def test_s3_1_a_post_without_a_type_is_not_guessed(collection: Collection) -> None:
    """MUST: a POST names the type of its body; without one it is 415."""
    assert collection.post(b'{"objects":[{}]}', []).status == 415


def test_s3_1_a_get_needs_no_content_type(taxii: Taxii) -> None:
    """MUST NOT: a Content-Type on GET, which has no body, changes nothing."""
    answer = taxii.get("/taxii2/intel/", headers=[("Content-Type", "application/json")])
    assert answer.status == 200


def test_s3_1_without_credentials_it_is_401(taxii: Taxii) -> None:
    """MUST: who has to authenticate and does not gets 401, at every endpoint."""
    for path in taxii.every_resource().values():
        assert taxii.get(path, None).status == 401


def test_s3_1_what_a_client_may_not_see_is_404(taxii: Taxii, collection: Collection) -> None:
    """MAY: what a client may not see does not exist for it; the bytes are those of any 404."""
    (stix_id,) = collection.filled(1)
    unknown = taxii.get("/taxii2/intel/collections/none/").body
    for path in (
        "",
        "objects/",
        "manifest/",
        f"objects/{stix_id}/",
        f"objects/{stix_id}/versions/",
    ):
        answer = taxii.get(collection.path + path, "stranger")
        assert (answer.status, answer.body) == (404, unknown)


def test_s3_2_401_carries_www_authenticate(taxii: Taxii) -> None:
    """MUST: a 401 says by which schemes to authenticate, Basic among them."""
    for headers in ([], [("Authorization", "Basic cmVhZGVyOndyb25n")]):
        answer = taxii.get("/taxii2/intel/", None, headers=headers)
        offered = [v for name, v in answer.headers if name.lower() == "www-authenticate"]
        assert answer.status == 401
        assert any(text.startswith('Basic realm="') for text in offered)


@pytest.mark.parametrize("resource", ["objects/", "manifest/", "object", "versions"])
def test_s3_2_pages_say_when_their_first_and_last_were_added(
    collection: Collection, resource: str
) -> None:
    """MUST: objects, manifests, an object and versions carry both X-TAXII-Date-Added headers."""
    stix_id = collection.filled(1)[0]
    path = {"object": f"objects/{stix_id}/", "versions": f"objects/{stix_id}/versions/"}
    answer = collection.taxii.get(collection.path + path.get(resource, resource))
    (record,) = collection.manifest()
    assert answer.header("X-TAXII-Date-Added-First") == record["date_added"]
    assert answer.header("X-TAXII-Date-Added-Last") == record["date_added"]


def test_s3_2_the_headers_are_those_of_the_page(collection: Collection) -> None:
    """MUST: first and last are of this answer's objects, not of the collection's."""
    collection.filled(5)
    records = collection.manifest()
    answer = collection.get(f"?limit=2&added_after={records[0]['date_added']}")
    assert answer.header("X-TAXII-Date-Added-First") == records[1]["date_added"]
    assert answer.header("X-TAXII-Date-Added-Last") == records[2]["date_added"]


def test_s3_2_an_empty_page_has_no_such_dates(collection: Collection) -> None:
    """MUST NOT: where nothing is on the page, no date is made up."""
    answer = collection.get()
    assert answer.header("X-TAXII-Date-Added-First") is None
    assert answer.header("X-TAXII-Date-Added-Last") is None


def test_s3_2_answers_are_dated(taxii: Taxii) -> None:
    """SHOULD: the Date header is there, so that clients can correct their clocks."""
    date = parsedate_to_datetime(str(taxii.get("/taxii2/").header("Date")))
    assert abs(datetime.now(UTC) - date) < timedelta(minutes=5)


@pytest.mark.parametrize("resource", ["objects", "manifest"])
def test_s3_3_pages_ascend_by_the_date_added(collection: Collection, resource: str) -> None:
    """MUST: objects and manifest records ascend by the date on which they were added."""
    later = indicator(modified="2026-04-01T00:00:00.000Z")
    sooner = indicator(modified="2026-03-02T00:00:00.000Z")
    for value in (later, sooner):
        collection.add(value)
    page = collection.taxii.resource(f"{collection.path}{resource}/")
    assert [value["id"] for value in page["objects"]] == [later["id"], sooner["id"]]
    dates = [record["date_added"] for record in collection.manifest()]
    assert dates == sorted(dates)


def test_s3_3_the_dates_of_one_request_differ(collection: Collection) -> None:
    """SHOULD: dates tell objects apart, also those that came in one request."""
    collection.filled(60)
    dates = [record["date_added"] for record in collection.manifest()]
    assert len(set(dates)) == 60


def test_s3_3_versions_ascend(collection: Collection) -> None:
    """MUST: the versions of an object ascend by the date on which they were added."""
    value = indicator()
    moments = [f"2026-03-0{day}T00:00:00.000Z" for day in (2, 3, 4)]
    for moment in moments:
        collection.add(value | {"modified": moment})
    path = f"{collection.path}objects/{value['id']}/versions/"
    assert collection.taxii.resource(path)["versions"] == moments


def test_s3_6_errors_have_the_status_of_http(taxii: Taxii) -> None:
    """MUST: errors are told by the status codes of HTTP."""
    assert {status: answer.status for status, answer in failures(taxii).items()} == {
        status: status for status in (400, 401, 404, 405, 406, 413, 415, 422)
    }


def test_s3_6_1_errors_have_taxiis_body_and_type(taxii: Taxii) -> None:
    """MUST: an error's body is TAXII's error message, in TAXII's media type."""
    for answer in failures(taxii).values():
        assert answer.header("Content-Type") == TAXII
        assert set(answer.document) <= OURS


def test_s3_6_1_an_error_has_a_title(taxii: Taxii) -> None:
    """MUST: an error message has a title, a string."""
    for answer in failures(taxii).values():
        assert isinstance(answer.document["title"], str)
        assert answer.document["title"]


def test_s3_6_1_its_http_status_is_a_string(taxii: Taxii) -> None:
    """MUST: http_status is a string, and that of the answer."""
    for status, answer in failures(taxii).items():
        assert answer.document["http_status"] == str(status)


def test_s3_6_1_its_code_is_a_string(taxii: Taxii) -> None:
    """MUST: error_code is a string; details are a dictionary, where there are any."""
    for answer in failures(taxii).values():
        assert re.fullmatch("E_[A-Z_]+", answer.document["error_code"])
        assert isinstance(answer.document.get("details", {}), dict)


def test_s3_7_an_empty_envelope_has_no_objects(collection: Collection) -> None:
    """MUST: where there are no objects the property is not there at all."""
    assert "objects" not in collection.page()
    assert "objects" not in collection.page("?match[type]=x-none")


def test_s3_7_more_is_a_boolean_and_next_a_string(collection: Collection) -> None:
    """MUST: more is a boolean, next a string."""
    collection.filled(2)
    page = collection.page("?limit=1")
    assert page["more"] is True
    assert isinstance(page["next"], str)


def test_s3_7_without_more_there_is_no_next(collection: Collection) -> None:
    """MUST NOT: the last page has no next."""
    collection.filled(2)
    page = collection.page("?limit=2")
    assert page["more"] is False
    assert "next" not in page


def test_s3_7_an_envelope_holds_whole_objects(collection: Collection) -> None:
    """MUST: objects are STIX objects as they are, not wrapped and not in a bundle."""
    values = [indicator(), indicator()]
    collection.add(*values)
    assert collection.page()["objects"] == values


def test_s3_8_property_names_are_the_standards(taxii: Taxii) -> None:
    """MUST: names of properties are exactly the standard's, in lower case."""
    for path in taxii.every_resource().values():
        document = taxii.resource(path, "producer")
        assert set(document) <= OURS
        for listed in document.values():
            for part in listed if isinstance(listed, list) else []:
                if isinstance(part, dict) and "pattern" not in part:
                    assert set(part) <= OURS


def test_s6_1_custom_properties_of_a_request_do_no_harm(collection: Collection) -> None:
    """MUST: a property of an envelope that is not understood is ignored."""
    value = indicator()
    body = json.dumps({"x_note": {"a": [1]}, "objects": [value], "x_later": None}).encode()
    assert collection.post(body).document["success_count"] == 1
    assert collection.page()["objects"] == [value]


def test_s6_1_custom_properties_of_objects_are_kept(collection: Collection) -> None:
    """MUST: properties of objects that are not understood are kept and given back."""
    value = indicator(x_note={"a": [1, 1.50, None]}, extensions={
        "extension-definition--00000000-0000-4000-8000-000000000001": {
            "extension_type": "property-extension", "much": 1e-7,
        }
    })  # fmt: skip
    raw = json.dumps(value).replace("1.5,", "1.50,").encode()
    assert collection.post(b'{"objects":[ ' + raw + b" ]}").document["success_count"] == 1
    assert raw in collection.get().body
