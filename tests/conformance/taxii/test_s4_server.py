"""Section 4: discovery, API root, status."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

from tests.conformance.taxii.wire import LARGEST_BODY, TAXII, Collection, Taxii, indicator

ROOT = "/taxii2/intel/"


def test_s4_1_discovery_is_at_taxii2(taxii: Taxii) -> None:
    """MUST: discovery is at the path /taxii2/."""
    assert taxii.get("/taxii2/").status == 200


def test_s4_1_discovery_needs_credentials_here(taxii: Taxii) -> None:
    """MAY: discovery asks who it is that asks: 401 with WWW-Authenticate."""
    answer = taxii.get("/taxii2/", None)
    assert answer.status == 401
    assert answer.header("WWW-Authenticate")


def test_s4_1_what_is_not_accepted_is_406(taxii: Taxii) -> None:
    """MUST: discovery in another media type is 406."""
    assert taxii.get("/taxii2/", accept="application/json").status == 406


def test_s4_1_1_discovery_has_a_title(taxii: Taxii) -> None:
    """MUST: discovery has a title, a string."""
    title = taxii.resource("/taxii2/")["title"]
    assert isinstance(title, str)
    assert title


def test_s4_1_1_the_default_is_one_of_the_api_roots(taxii: Taxii) -> None:
    """MUST: the default API root is listed among the API roots."""
    document = taxii.resource("/taxii2/")
    assert document["default"] in document["api_roots"]


def test_s4_1_1_api_roots_are_https_or_relative(taxii: Taxii) -> None:
    """MUST: API roots are absolute https URLs, or begin with one slash."""
    for url in taxii.resource("/taxii2/")["api_roots"]:
        absolute = urlsplit(url).scheme == "https" and urlsplit(url).netloc != ""
        assert absolute or (url.startswith("/") and not url.startswith("//"))


def test_s4_1_1_every_api_root_that_is_listed_answers(taxii: Taxii) -> None:
    """MUST: what is listed is an API root, and ends with a slash."""
    for url in taxii.resource("/taxii2/")["api_roots"]:
        assert url.endswith("/")
        assert taxii.get(taxii.path_of_url(url)).status == 200


def test_s4_1_1_the_list_is_each_clients_own(taxii: Taxii) -> None:
    """MAY: only the API roots of who asks are listed; a token holder is not shown the peers'."""
    assert [taxii.path_of_url(url) for url in taxii.resource("/taxii2/")["api_roots"]] == [ROOT]
    assert taxii.get("/taxii2/fed/").status in {401, 404}


def test_s4_2_1_an_api_root_has_a_title(taxii: Taxii) -> None:
    """MUST: an API root has a title, a string."""
    assert isinstance(taxii.resource(ROOT)["title"], str)


def test_s4_2_1_versions_are_full_media_types(taxii: Taxii) -> None:
    """MUST: versions lists media types with their version, TAXII 2.1's among them."""
    versions = taxii.resource(ROOT)["versions"]
    assert TAXII in versions
    assert all(";version=" in text for text in versions)


def test_s4_2_1_max_content_length_is_a_positive_integer(taxii: Taxii) -> None:
    """MUST: max_content_length is a positive integer."""
    limit = taxii.resource(ROOT)["max_content_length"]
    assert type(limit) is int
    assert limit == LARGEST_BODY > 0


def test_s4_2_1_a_body_within_it_is_not_413(collection: Collection) -> None:
    """MUST NOT: a body of no more than max_content_length is never 413."""
    body = b'{"objects":[]}'
    for length in (LARGEST_BODY, LARGEST_BODY - 1):
        assert collection.post(body + b" " * (length - len(body))).status == 422


def test_s4_2_1_a_body_beyond_it_is_413(collection: Collection) -> None:
    """MUST: a larger body is 413, and nothing of it is stored."""
    assert collection.post(b" " * (LARGEST_BODY + 1)).status == 413
    assert collection.page() == {"more": False}


def test_s4_2_an_unknown_api_root_is_404(taxii: Taxii) -> None:
    """MUST: an API root that is none is 404."""
    assert taxii.get("/taxii2/none/").status == 404


def test_s4_3_a_status_is_found_by_its_id(taxii: Taxii, collection: Collection) -> None:
    """MUST: the status of Add Objects is found by its id, and is the one that was answered."""
    status = collection.add(indicator(), {"type": "x"})
    assert taxii.resource(f"{ROOT}status/{status['id']}/", "producer") == status


def test_s4_3_an_unknown_status_is_404(taxii: Taxii) -> None:
    """MUST: a status that is none is 404."""
    for text in (str(uuid.uuid4()), "none"):
        assert taxii.get(f"{ROOT}status/{text}/", "producer").status == 404


def test_s4_3_a_status_is_its_submitters(taxii: Taxii, collection: Collection) -> None:
    """MUST: who has no access to a status gets what an unknown one gets: 404, the same bytes."""
    status = collection.add(indicator())
    answer = taxii.get(f"{ROOT}status/{status['id']}/", "reader")
    assert answer.status == 404
    assert answer.body == taxii.get(f"{ROOT}status/{uuid.uuid4()}/", "reader").body


def test_s4_3_1_a_status_is_complete_or_pending(collection: Collection) -> None:
    """MUST: status is complete or pending; here it is complete when it is told."""
    status = collection.add(indicator())
    assert (status["status"], status["pending_count"]) == ("complete", 0)
    assert "pendings" not in status


def test_s4_3_1_the_counts_add_up(collection: Collection) -> None:
    """MUST: total is the number of objects, and what succeeded, failed and waits add up to it."""
    status = collection.add(indicator(), indicator(), {"type": "indicator"}, 7)
    counts = {name: value for name, value in status.items() if name.endswith("_count")}
    assert counts == {
        "total_count": 4, "success_count": 2, "failure_count": 2, "pending_count": 0,
    }  # fmt: skip


def test_s4_3_1_the_lists_are_as_long_as_the_counts(collection: Collection) -> None:
    """SHOULD: successes and failures list what their counts count."""
    status = collection.add(indicator(), {"type": "indicator"}, indicator())
    assert len(status["successes"]) == status["success_count"]
    assert len(status["failures"]) == status["failure_count"]


def test_s4_3_1_request_timestamp_is_when_it_came(collection: Collection) -> None:
    """MUST: request_timestamp is when the request came: not after what it added."""
    status = collection.add(indicator())
    (record,) = collection.manifest()
    assert status["request_timestamp"] <= record["date_added"]


def test_s4_3_1_details_name_the_object_by_its_stix_id(collection: Collection) -> None:
    """MUST: the id of a detail is the STIX id of the object."""
    good, bad = indicator(), indicator(pattern="[no pattern")
    status = collection.add(good, bad)
    assert [detail["id"] for detail in status["successes"]] == [good["id"]]
    assert [detail["id"] for detail in status["failures"]] == [bad["id"]]


def test_s4_3_1_details_name_the_version(collection: Collection) -> None:
    """MUST: the version of a detail is the object's modified."""
    modified = "2026-03-05T00:00:00.500Z"
    (detail,) = collection.add(indicator(modified=modified))["successes"]
    assert detail["version"] == modified
    (failed,) = collection.add(indicator(modified="soon"))["failures"]
    assert failed["version"].endswith("Z")


def test_s4_3_1_what_failed_is_told_why(collection: Collection) -> None:
    """SHOULD: a failure has a message that says which object and what is wrong with it."""
    (failed,) = collection.add(indicator(), indicator(valid_from="soon"))["failures"][:1]
    assert "objects[1]" in failed["message"]
    assert "valid_from" in failed["message"]
