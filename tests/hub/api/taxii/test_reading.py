"""Reading the intel root over HTTP (TAXII 2.1 §4, §5; PROTOCOL 2.6)."""

from __future__ import annotations

import pytest

from hub.exchange.collections import ORIGINALS_ID, VERDICTS_ID
from hub.storage.queries.pages import PageQuery, page_of_objects
from hub.storage.queries.views import find_view
from schemas.markings import Tlp
from schemas.strict_json import write_json
from schemas.taxii.paging import Matches
from tests.hub.api.taxii.conftest import AT, LATER, indicator, place, stix_id

OBJECTS = "collections/originals/objects/"
TAXII = "application/taxii+json;version=2.1"


@pytest.fixture
def reader(intel):
    return intel.add("siem", "own", originals=True)


def test_discovery_shows_a_token_holder_the_intel_root_alone(intel, reader):
    answer = intel.ask(reader, "/taxii2/")
    assert answer.json() == {
        "title": "reader-hub",
        "contact": "security@reader-hub.example",
        "default": "http://127.0.0.1:8000/taxii2/intel/",
        "api_roots": ["http://127.0.0.1:8000/taxii2/intel/"],
    }
    assert answer.headers["content-type"] == TAXII


def test_the_api_root_names_the_full_media_type_and_the_size_of_a_body(intel, reader):
    body = intel.ask(reader, "/taxii2/intel/").json()
    assert body["versions"] == [TAXII]
    assert body["max_content_length"] == intel.node.settings.max_content_length


def test_collections_are_listed_and_found_by_id_and_alias(intel, reader):
    listed = intel.ask(reader, "collections/").json()["collections"]
    assert {c["alias"] for c in listed} == {"originals", "verdicts"}
    by_id = intel.ask(reader, f"collections/{ORIGINALS_ID}/").content
    by_alias = intel.ask(reader, "collections/originals/").content
    assert by_id == by_alias
    assert intel.ask(reader, f"collections/{VERDICTS_ID}/").json()["can_read"] is True


def test_without_originals_the_collection_does_not_exist(intel):
    reader = intel.add("siem", "own")
    listed = intel.ask(reader, "collections/").json()["collections"]
    assert [c["alias"] for c in listed] == ["verdicts"]
    assert intel.ask(reader, "collections/originals/").status_code == 404


@pytest.mark.parametrize("kind", ["writer", "admin"])
def test_writers_and_administrators_see_no_collection(intel, kind):
    reader = intel.add("machine", kind, originals=True)
    assert intel.ask(reader, "collections/").content == b"{}"
    assert intel.ask(reader, OBJECTS).status_code == 404


def test_an_empty_collection_is_an_empty_envelope(intel, reader):
    answer = intel.ask(reader, "collections/verdicts/objects/")
    assert answer.content == b'{"more":false}'
    assert "x-taxii-date-added-first" not in answer.headers


def test_a_page_holds_the_very_bytes_and_says_when_they_were_added(intel, reader):
    value = indicator("a.example") | {"x_custom": {"z": 1, "a": [1.0, "é"]}}
    place(intel.node, value, tlp=Tlp.GREEN)
    answer = intel.ask(reader, OBJECTS + "?match[type]=indicator")
    assert answer.content == b'{"more":false,"objects":[' + write_json(value) + b"]}"
    assert answer.headers["x-taxii-date-added-first"] == "2026-03-01T10:00:05.000001Z"
    assert answer.headers["x-taxii-date-added-last"] == "2026-03-01T10:00:05.000001Z"


def test_a_walk_by_next_meets_each_object_once_and_a_page_can_be_asked_again(intel, reader):
    values = [indicator(f"n{n}.example") for n in range(50)]
    place(intel.node, *values, tlp=Tlp.GREEN)
    names, query = [], "?limit=7"
    while True:
        answer = intel.ask(reader, OBJECTS + query)
        assert answer.content == intel.ask(reader, OBJECTS + query).content
        page = answer.json()
        names += [value["name"] for value in page.get("objects", [])]
        if not page["more"]:
            assert "next" not in page
            break
        query = f"?limit={5 + len(names) % 3}&next={page['next']}"
    assert names == ["reader-hub"] + [value["name"] for value in values]


def test_added_after_is_exclusive_and_a_cut_off_date_gives_repeats_and_no_gap(intel, reader):
    place(intel.node, *[indicator(f"n{n}.example") for n in range(5)], tlp=Tlp.GREEN)
    dates = [
        r["date_added"]
        for r in intel.ask(reader, "collections/originals/manifest/").json()["objects"]
    ]
    assert intel.names(reader, query=f"?added_after={dates[2]}") == [
        "n2.example", "n3.example", "n4.example",
    ]  # fmt: skip
    assert len(intel.names(reader, query="?added_after=2026-03-01T10:00:00.000Z")) == 5
    assert len(intel.names(reader, query="?added_after=2026-03-01T09:59:59Z")) == 5
    assert intel.names(reader, query="?added_after=2026-03-02T00:00:00Z") == []


def test_filters_take_lists_and_join(intel, reader):
    place(intel.node, *[indicator(f"n{n}.example") for n in range(4)], tlp=Tlp.GREEN)
    wanted = ",".join(stix_id(name) for name in ("n1.example", "n3.example", "none.example"))
    assert intel.names(reader, query=f"?match[id]={wanted}") == ["n1.example", "n3.example"]
    assert intel.names(reader, query=f"?match[id]={wanted}&match[type]=malware") == []
    assert len(intel.names(reader, query="?match[type]=malware,indicator")) == 4
    assert len(intel.names(reader, query="?match[spec_version]=2.1")) == 4
    assert intel.names(reader, query="?match[spec_version]=2.0") == []
    assert len(intel.names(reader, query="?unknown=parameter")) == 4


def test_versions_are_last_by_default_first_all_or_one(intel, reader):
    place(intel.node, indicator("a.example"), tlp=Tlp.GREEN)
    place(intel.node, indicator("a.example", modified=LATER), tlp=Tlp.GREEN)
    one = f"collections/originals/objects/{stix_id('a.example')}/"

    def modified(query=""):
        return [v["modified"] for v in intel.ask(reader, one + query).json().get("objects", [])]

    assert modified() == [LATER]
    assert modified("?match[version]=first") == [AT]
    assert modified("?match[version]=all") == [AT, LATER]
    assert modified("?match[version]=first,last") == [AT, LATER]
    assert modified(f"?match[version]={AT}") == [AT]
    assert modified("?match[version]=2026-03-01T09:00:00Z") == [AT]
    assert modified("?match[version]=2001-01-01T00:00:00Z") == []
    assert intel.ask(reader, one + "versions/").json() == {"more": False, "versions": [AT, LATER]}
    first = intel.ask(reader, one + "versions/?limit=1").json()
    assert first["versions"] == [AT]
    second = intel.ask(reader, one + f"versions/?limit=1&next={first['next']}").json()
    assert second == {"more": False, "versions": [LATER]}


def test_the_manifest_tells_id_date_version_and_media_type(intel, reader):
    place(intel.node, indicator("a.example"), tlp=Tlp.GREEN)
    sco = {"type": "domain-name", "spec_version": "2.1", "value": "b.example"}
    sco["id"] = "domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7"
    place(intel.node, sco, tlp=Tlp.GREEN)
    answer = intel.ask(reader, "collections/originals/manifest/")
    records = answer.json()["objects"]
    assert records[1] == {
        "id": stix_id("a.example"),
        "date_added": "2026-03-01T10:00:05.000001Z",
        "version": AT,
        "media_type": "application/stix+json;version=2.1",
    }
    assert records[2]["version"] == records[2]["date_added"] == "2026-03-01T10:00:05.000002Z"
    assert answer.headers["x-taxii-date-added-last"] == records[2]["date_added"]
    by_version = f"?match[version]={records[2]['version']}"
    found = intel.ask(reader, OBJECTS + by_version).json()["objects"]
    assert [value["id"] for value in found] == [sco["id"]]


def test_a_cursor_carries_its_filters_and_bears_a_moved_added_after(intel, reader):
    place(intel.node, *[indicator(f"n{n}.example") for n in range(6)], tlp=Tlp.GREEN)
    first = intel.ask(reader, OBJECTS + "?match[type]=indicator&limit=2")
    following = first.json()["next"]
    last = first.headers["x-taxii-date-added-last"]
    for query in ("", "&match[type]=indicator", f"&added_after={last}"):
        page = intel.ask(reader, OBJECTS + f"?limit=2&next={following}{query}").json()
        assert [value["name"] for value in page["objects"]] == ["n2.example", "n3.example"]


def test_a_cursor_of_another_question_or_reader_is_refused(intel, reader):
    place(intel.node, *[indicator(f"n{n}.example") for n in range(6)], tlp=Tlp.GREEN)
    other = intel.add("other", "own", originals=True)
    green = intel.add("green", "subscriber", originals=True)
    following = intel.ask(reader, OBJECTS + "?limit=2").json()["next"]
    one = f"{OBJECTS}{stix_id('n1.example')}/"
    tampered = ("A" if following[30] != "A" else "B").join((following[:30], following[31:]))
    for who, path, cursor in [
        (other, OBJECTS, following),
        (green, OBJECTS, following),
        (reader, "collections/verdicts/objects/", following),
        (reader, "collections/originals/manifest/", following),
        (reader, one, following),
        (reader, one + "versions/", following),
        (reader, OBJECTS, tampered),
        (reader, OBJECTS, "seq:5"),
        (reader, OBJECTS, "é"),
        (reader, OBJECTS, "A" * 60_000),
        (reader, OBJECTS + "?match[type]=malware", following),
    ]:
        answer = intel.ask(who, path + ("&" if "?" in path else "?") + f"next={cursor}")
        assert (answer.status_code, answer.json()["error_code"]) == (400, "E_CURSOR"), (
            path,
            cursor,
        )


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=x", "limit=", "limit=1&limit=2", "added_after=yesterday",
        "added_after=2026-02-31T00:00:00Z", "added_after=", "match[id]=a%00b", "match[type]=",
        "match[version]=newest", "match[id]=" + "a" * 600, "next=",
    ],
)  # fmt: skip
def test_a_filter_that_cannot_be_read_is_an_error(intel, reader, query):
    answer = intel.ask(reader, OBJECTS + "?" + query)
    assert answer.status_code == 400
    assert answer.json()["error_code"] in {"E_SCHEMA", "E_CURSOR"}


def test_a_large_limit_is_capped_and_not_an_error(intel, reader):
    assert intel.ask(reader, OBJECTS + "?limit=999999999").status_code == 200


def test_a_page_stops_at_its_bytes_and_goes_on(intel):
    place(intel.node, *[indicator(f"n{n}.example") for n in range(6)], tlp=Tlp.GREEN)
    with intel.node.database.read() as tx:
        view = find_view(tx, ORIGINALS_ID, int(Tlp.GREEN))
        after, sizes = 0, []
        while True:
            page = page_of_objects(tx, PageQuery(view.view_id, after, Matches(), 100, 1_000))
            sizes.append(len(page.contents))
            after = page.last
            if not page.more:
                break
    assert sum(sizes) == 7
    assert max(sizes) < 4
    assert min(sizes) >= 1
