"""Sections 5.5 and 5.7: adding and deleting."""

from __future__ import annotations

import json

import pytest

from tests.conformance.taxii.wire import TAXII, Collection, Taxii, indicator

NOBODY = "indicator--00000000-0000-4000-8000-000000000000"


def test_s5_5_adding_is_202_with_a_status(collection: Collection) -> None:
    """MUST: what is taken is answered 202 with a status in TAXII's media type."""
    answer = collection.post(json.dumps({"objects": [indicator()]}).encode())
    assert (answer.status, answer.header("Content-Type")) == (202, TAXII)
    assert answer.document["status"] == "complete"


def test_s5_5_what_is_complete_can_be_read(collection: Collection) -> None:
    """MUST: once the status is complete, what succeeded is there."""
    ids = collection.filled(20)
    assert collection.ids() == ids


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b'{"objects":[]}', b'{"objects":{}}', b'{"objects":"x"}', b"7", b"null"],
)
def test_s5_5_json_that_is_no_envelope_is_422(collection: Collection, body: bytes) -> None:
    """MUST: a body that is JSON and no envelope with objects is 422."""
    assert collection.post(body).status == 422


def test_s5_5_a_bundle_is_no_envelope(collection: Collection) -> None:
    """MUST: STIX objects come in an envelope; a bundle is 422."""
    bundle = {"type": "bundle", "id": NOBODY.replace("indicator", "bundle")}
    assert collection.post(json.dumps(bundle | {"objects": [indicator()]}).encode()).status == 422
    assert collection.page() == {"more": False}


@pytest.mark.parametrize("body", [b"", b"{", b'{"objects":[}', b"\xff\xfe", b'{"a":1,"a":2}'])
def test_s5_5_what_is_no_json_is_400(collection: Collection, body: bytes) -> None:
    """MUST: a body that cannot be read is 400, and nothing is stored."""
    assert collection.post(body).status == 400
    assert collection.page() == {"more": False}


def test_s5_5_a_version_of_stix_that_is_not_taken_fails(collection: Collection) -> None:
    """MUST: an object of a version of STIX that this server does not have fails in the status."""
    status = collection.add(indicator(spec_version="2.0"), indicator())
    assert (status["failure_count"], status["success_count"]) == (1, 1)
    assert "spec_version" in status["failures"][0]["message"]


def test_s5_5_one_bad_object_spoils_no_other(collection: Collection) -> None:
    """MUST: each object is judged alone."""
    good = [indicator(), indicator()]
    status = collection.add(good[0], {"type": "indicator"}, None, [], good[1])
    assert status["failure_count"] == 3
    assert collection.ids() == [value["id"] for value in good]


def test_s5_5_the_same_object_again_is_no_error(collection: Collection) -> None:
    """MUST: an object that is there already succeeds, and stands there once."""
    value = indicator()
    collection.add(value)
    before = collection.manifest()
    assert collection.add(value, value)["success_count"] == 2
    assert collection.manifest("?match[version]=all") == before


def test_s5_5_one_version_has_one_content(collection: Collection) -> None:
    """MUST NOT: an object of the same id and version does not replace what is there; it fails."""
    value = indicator(name="one")
    collection.add(value)
    status = collection.add(value | {"name": "two"})
    assert (status["success_count"], status["failure_count"]) == (0, 1)
    assert "E_VERSION_CLASH" in status["failures"][0]["message"]
    assert collection.page()["objects"] == [value]


def test_s5_5_one_version_has_one_content_within_a_request(collection: Collection) -> None:
    """MUST NOT: nor within one request; the first one counts."""
    value = indicator(name="one")
    status = collection.add(value, value | {"name": "two"})
    assert (status["success_count"], status["failure_count"]) == (1, 1)
    assert collection.page()["objects"] == [value]


def test_s5_5_a_new_version_stands_beside_the_old(collection: Collection) -> None:
    """MUST: a new version of an object is added, and the old one is still there."""
    value = indicator()
    later = value | {"modified": "2026-03-09T00:00:00.000Z"}
    collection.add(value)
    collection.add(later)
    assert collection.page()["objects"] == [later]
    assert collection.page("?match[version]=all")["objects"] == [value, later]


def test_s5_5_who_may_not_write_is_refused(taxii: Taxii, collection: Collection) -> None:
    """MUST: who may not write gets 404, here as for a collection that is none."""
    body = json.dumps({"objects": [indicator()]}).encode()
    typed = [("Content-Type", TAXII)]
    path = f"{collection.path}objects/"
    for who in ("reader", "stranger"):
        answer = taxii.ask("POST", path, who, headers=typed, body=body)
        assert answer.status == 404
    assert collection.page() == {"more": False}


def test_s5_5_without_credentials_it_is_401(taxii: Taxii, collection: Collection) -> None:
    """MUST: who does not say who it is adds nothing: 401."""
    answer = taxii.ask(
        "POST", f"{collection.path}objects/", None, headers=[("Content-Type", TAXII)], body=b"{}"
    )
    assert answer.status == 401


def test_s5_5_the_answer_has_to_be_accepted(taxii: Taxii, collection: Collection) -> None:
    """MUST: who does not accept TAXII's media type gets 406, and adds nothing."""
    body = json.dumps({"objects": [indicator()]}).encode()
    answer = taxii.ask(
        "POST", f"{collection.path}objects/", "producer", accept="text/html",
        headers=[("Content-Type", TAXII)], body=body,
    )  # fmt: skip
    assert answer.status == 406
    assert collection.page() == {"more": False}


def delete(collection: Collection, stix_id: str, query: str = "", who: str = "producer") -> int:
    path = f"{collection.path}objects/{stix_id}/{query}"
    return collection.taxii.ask("DELETE", path, who).status


def test_s5_7_an_object_is_deleted_by_its_id(collection: Collection) -> None:
    """MUST: deleting takes the object with all of its versions, and no other."""
    value, other = indicator(), indicator()
    collection.add(value, value | {"modified": "2026-03-09T00:00:00.000Z"}, other)
    assert delete(collection, value["id"]) == 200
    assert collection.page("?match[version]=all")["objects"] == [other]
    assert collection.taxii.get(f"{collection.path}objects/{value['id']}/").status == 404


def test_s5_7_versions_are_deleted_alone(collection: Collection) -> None:
    """MUST: with match[version] only those versions are deleted."""
    value = indicator()
    moments = [f"2026-03-0{day}T00:00:00.000Z" for day in (2, 3, 4)]
    collection.add(*({**value, "modified": moment} for moment in moments))
    assert delete(collection, value["id"], f"?match[version]={moments[1]}") == 200
    assert delete(collection, value["id"], "?match[version]=last") == 200
    assert [v["modified"] for v in collection.page()["objects"]] == [moments[0]]


def test_s5_7_spec_version_is_looked_at(collection: Collection) -> None:
    """MUST: with match[spec_version] only what has that version of STIX is deleted."""
    (stix_id,) = collection.filled(1)
    assert delete(collection, stix_id, "?match[spec_version]=2.0") == 404
    assert delete(collection, stix_id, "?match[spec_version]=2.1") == 200


def test_s5_7_what_means_nothing_here_deletes_nothing(collection: Collection) -> None:
    """MUST NOT: a filter that deletion does not have is not passed over: 400."""
    (stix_id,) = collection.filled(1)
    for query in ("?added_after=2026-01-01T00:00:00Z", "?limit=1", "?next=x"):
        assert delete(collection, stix_id, query) == 400
    assert collection.ids() == [stix_id]


def test_s5_7_an_unknown_object_is_404(collection: Collection) -> None:
    """MUST: what is not there is 404, also when it was deleted before."""
    (stix_id,) = collection.filled(1)
    assert delete(collection, NOBODY) == 404
    assert delete(collection, stix_id) == 200
    assert delete(collection, stix_id) == 404


def test_s5_7_who_may_not_delete_is_refused(collection: Collection) -> None:
    """MUST: who may not write deletes nothing."""
    (stix_id,) = collection.filled(1)
    assert delete(collection, stix_id, who="reader") == 404
    assert delete(collection, stix_id, who="stranger") == 404
    assert collection.ids() == [stix_id]


def test_s5_7_what_was_deleted_can_be_added_again(collection: Collection) -> None:
    """MAY: what was deleted can be added again, and is then new."""
    value = indicator()
    collection.add(value)
    before = collection.manifest()[0]["date_added"]
    delete(collection, value["id"])
    collection.add(value)
    assert collection.manifest()[0]["date_added"] > before
