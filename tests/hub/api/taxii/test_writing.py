"""Adding and deleting objects (TAXII 2.1 §5.5, §5.7, §4.3)."""

from __future__ import annotations

import pytest

from hub.exchange.collections import add_collection, grant_collection
from schemas.markings import Tlp
from schemas.strict_json import write_json
from schemas.taxii.media_types import TAXII
from tests.hub.api.taxii.conftest import AT, LATER, indicator, place, stix_id

SHARED = "collections/shared/objects/"


@pytest.fixture
def shared(intel):
    """A collection, its producer, and a reader of each clearance."""
    add_collection(intel.node, "Shared", alias="shared")
    intel.add("feeder", "writer")
    grant_collection(intel.node, "shared", "feeder", can_read=True, can_write=True)
    for name, tlp in (("clear", Tlp.CLEAR), ("green", Tlp.GREEN), ("amber", Tlp.AMBER)):
        intel.add(name, "own", max_tlp=tlp)
        grant_collection(intel.node, "shared", name, can_read=True)
    return intel


def test_what_is_added_is_told_in_a_complete_status_for_its_submitter(shared):
    answer = shared.post("feeder", "shared", indicator("a.example"))
    status = answer.json()
    assert answer.status_code == 202
    assert status == {
        "id": status["id"],
        "status": "complete",
        "request_timestamp": "2026-03-01T10:00:00.000000Z",
        "total_count": 1,
        "success_count": 1,
        "successes": [{"id": stix_id("a.example"), "version": AT}],
        "failure_count": 0,
        "pending_count": 0,
    }
    assert shared.ask("feeder", f"status/{status['id']}/").content == answer.content
    assert shared.ask("amber", f"status/{status['id']}/").status_code == 404


def test_the_bytes_are_kept_as_given(shared):
    first = b'{ "type":"indicator" , "spec_version":"2.1","id":"%s","x_z":1.50,"x_a":"\\u00e9",' % (
        stix_id("a.example").encode()
    ) + b'"created":"%b","modified":"%b","pattern":"[domain-name:value = \'a.example\']",' % (
        AT.encode(), AT.encode()
    ) + b'"pattern_type":"stix","valid_from":"%b","name":"a.example"\n}' % AT.encode()  # fmt: skip
    second = write_json(indicator("b.example"))
    body = b'{"x_more": [1, {"objects": []}],\n "objects" : [' + first + b" ,\t" + second + b"] }"
    answer = shared.ask("feeder", SHARED, "POST", content=body, headers={"Content-Type": TAXII})
    assert answer.json()["success_count"] == 2
    page = shared.ask("feeder", SHARED).content
    assert page == b'{"more":false,"objects":[' + first + b"," + second + b"]}"


def test_each_object_gets_the_label_that_it_prints(shared):
    shared.post("feeder", "shared", *[indicator(f"{tlp.name}.example", tlp) for tlp in Tlp])
    assert shared.names("clear", "shared") == ["CLEAR.example"]
    assert shared.names("green", "shared") == ["CLEAR.example", "GREEN.example"]
    assert shared.names("amber", "shared") == ["CLEAR.example", "GREEN.example", "AMBER.example"]
    assert len(shared.names("feeder", "shared")) == 4


def test_red_is_stored_shown_to_no_machine_and_the_producer_is_told(shared):
    status = shared.post("feeder", "shared", indicator("a.example", Tlp.RED)).json()
    assert status["success_count"] == 1
    assert "shown to no machine" in status["successes"][0]["message"]
    assert shared.names("feeder", "shared") == []


def test_unmarked_is_amber_strict_or_the_collections_default_and_never_clear(shared):
    add_collection(shared.node, "Green ones", alias="green-ones", default_tlp=Tlp.GREEN)
    for name in ("feeder", "clear", "green", "amber"):
        grant_collection(shared.node, "green-ones", name, can_read=True, can_write=name == "feeder")
    for collection in ("shared", "green-ones"):
        shared.post("feeder", collection, indicator("a.example", None))
    assert shared.names("amber", "shared") == []
    assert shared.names("feeder", "shared") == ["a.example"]
    assert shared.names("clear", "green-ones") == []
    assert shared.names("green", "green-ones") == ["a.example"]


def test_a_statement_is_neutral_also_when_it_came_before_and_an_unknown_marking_is_not(shared):
    statement = {
        "type": "marking-definition", "spec_version": "2.1", "created": AT,
        "id": stix_id("statement", "marking-definition"), "definition_type": "statement",
        "definition": {"statement": "Copyright 2026"},
        "object_marking_refs": [Tlp.CLEAR.marking_id],
    }  # fmt: skip
    shared.post("feeder", "shared", statement)
    refs = [Tlp.CLEAR.marking_id, statement["id"]]
    shared.post("feeder", "shared", indicator("stated.example") | {"object_marking_refs": refs})
    refs = [Tlp.CLEAR.marking_id, stix_id("unknown", "marking-definition")]
    shared.post("feeder", "shared", indicator("odd.example") | {"object_marking_refs": refs})
    assert shared.names("clear", "shared") == ["stated.example"]
    assert shared.names("amber", "shared") == ["stated.example"]
    assert shared.names("feeder", "shared") == ["stated.example", "odd.example"]


def test_the_strictest_granular_marking_governs_the_whole_object(shared):
    part = {"marking_ref": Tlp.AMBER.marking_id, "selectors": ["name"]}
    shared.post(
        "feeder", "shared", indicator("a.example", Tlp.CLEAR) | {"granular_markings": [part]}
    )
    assert shared.names("green", "shared") == []
    assert shared.names("amber", "shared") == ["a.example"]


def test_a_broken_object_spoils_no_other_and_is_named(shared):
    broken = indicator("broken.example")
    del broken["pattern"]
    status = shared.post(
        "feeder", "shared", indicator("a.example"), broken, 5, {"type": "indicator"},
        indicator("b.example", modified="2026-02-31T00:00:00Z"), indicator("c.example"),
    ).json()  # fmt: skip
    assert (status["total_count"], status["success_count"], status["failure_count"]) == (6, 2, 4)
    assert status["failures"][0]["id"] == stix_id("broken.example")
    assert status["failures"][0]["message"].startswith("objects[1]: E_SCHEMA")
    assert "pattern" in status["failures"][0]["message"]
    assert [f["message"][:10] for f in status["failures"][1:]] == [
        "objects[2]", "objects[3]", "objects[4]",
    ]  # fmt: skip
    assert shared.names("green", "shared") == ["a.example", "c.example"]


def test_class09_a_duplicate_is_no_error_and_other_content_under_its_version_is(shared):
    value = indicator("a.example")
    other = value | {"name": "other.example"}
    equal = dict(reversed(value.items()))
    assert shared.post("feeder", "shared", value, value).json()["success_count"] == 2
    again = shared.post("feeder", "shared", equal, other).json()
    assert (again["success_count"], again["failure_count"]) == (1, 1)
    assert again["failures"][0]["version"] == AT
    assert "E_VERSION_CLASH" in again["failures"][0]["message"]
    within = shared.post("feeder", "shared", indicator("b.example"), indicator("b.example") | {
        "confidence": 1}).json()  # fmt: skip
    assert (within["success_count"], within["failure_count"]) == (1, 1)
    assert shared.names("green", "shared") == ["a.example", "b.example"]
    assert b"other.example" not in shared.ask("feeder", SHARED).content


def test_one_instant_written_twice_is_one_version(shared):
    shared.post("feeder", "shared", indicator("a.example"))
    same = indicator("a.example", modified="2026-03-01T09:00:00Z")
    assert shared.post("feeder", "shared", same).json()["failure_count"] == 1


def test_the_latest_version_is_latest_in_whatever_order_they_came(shared):
    for modified in (LATER, AT):
        shared.post("feeder", "shared", indicator("a.example", modified=modified))
    one = f"{SHARED}{stix_id('a.example')}/"
    assert shared.ask("green", one).json()["objects"][0]["modified"] == LATER
    assert len(shared.ask("green", one + "?match[version]=all").json()["objects"]) == 2


def test_a_stricter_version_changes_nothing_for_who_may_not_see_it(shared):
    shared.post("feeder", "shared", indicator("a.example", Tlp.GREEN))
    before = shared.ask("green", SHARED).content
    shared.post("feeder", "shared", indicator("a.example", Tlp.AMBER, LATER))
    assert shared.ask("green", SHARED).content == before
    page = shared.ask("amber", SHARED).json()["objects"]
    assert [value["modified"] for value in page] == [LATER]


def test_what_is_added_never_reaches_originals(shared):
    shared.add("siem", "own", originals=True)
    shared.add("bank", "constituent", originals=True, zones=["a.example"])
    shared.post("feeder", "shared", indicator("a.example", Tlp.CLEAR))
    shared.add("late", "constituent", originals=True, zones=["a.example"])
    for reader in ("siem", "bank", "late"):
        assert shared.names(reader) == []


def test_delete_takes_all_versions_or_those_that_match(shared):
    for modified in (AT, LATER):
        shared.post("feeder", "shared", indicator("a.example", modified=modified))
    one = f"{SHARED}{stix_id('a.example')}/"
    deleted = shared.ask("feeder", f"{one}?match[version]={LATER}", "DELETE")
    assert (deleted.status_code, deleted.content) == (200, b"")
    assert shared.ask("green", one).json()["objects"][0]["modified"] == AT
    assert shared.ask("feeder", f"{one}?match[version]={LATER}", "DELETE").status_code == 404
    shared.post("feeder", "shared", indicator("a.example", modified=LATER))
    assert shared.ask("feeder", one, "DELETE").status_code == 200
    assert shared.ask("green", one).status_code == 404
    assert shared.ask("green", SHARED).content == b'{"more":false}'


def test_delete_is_for_who_writes_and_reads_and_never_in_the_nodes_own(shared):
    shared.add("blind", "writer")
    grant_collection(shared.node, "shared", "blind", can_write=True)
    shared.add("low", "writer", max_tlp=Tlp.CLEAR)
    grant_collection(shared.node, "shared", "low", can_read=True, can_write=True)
    shared.add("siem", "own", originals=True)
    shared.post("feeder", "shared", indicator("a.example"))
    place(shared.node, indicator("b.example"), tlp=Tlp.CLEAR)
    for who, where, name in [
        ("amber", "shared", "a.example"), ("blind", "shared", "a.example"),
        ("low", "shared", "a.example"), ("feeder", "originals", "b.example"),
        ("siem", "originals", "b.example"), ("siem", "verdicts", "b.example"),
        ("feeder", "shared", "none.example"),
    ]:  # fmt: skip
        path = f"collections/{where}/objects/{stix_id(name)}/"
        assert shared.ask(who, path, "DELETE").status_code == 404, (who, where)
    assert shared.names("green", "shared") == ["a.example"]
    assert shared.names("siem") == ["b.example"]
