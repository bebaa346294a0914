"""Section 3.4: added_after, limit, next, and the match fields of 3.4.1."""

from __future__ import annotations

import json

import pytest

from tests.conformance.taxii.wire import Collection, address, indicator

FIRST = "2026-03-01T09:00:00.000Z"
SECOND = "2026-03-02T09:00:00.123Z"
THIRD = "2026-03-03T09:00:00.000Z"


@pytest.fixture
def versions(collection: Collection) -> str:
    """Add three versions of one object beside another object; return its id."""
    value = indicator()
    collection.add(indicator())
    for modified in (FIRST, SECOND, THIRD):
        collection.add(value | {"modified": modified})
    return str(value["id"])


def modified(collection: Collection, stix_id: str, query: str) -> list[str]:
    """The versions of one object on a page."""
    found = collection.page(f"{query}&match[id]={stix_id}").get("objects", [])
    return [value["modified"] for value in found]


def test_s3_4_added_after_is_exclusive(collection: Collection) -> None:
    """MUST: added_after brings what was added after that date, and not what was added at it."""
    ids = collection.filled(4)
    dates = [record["date_added"] for record in collection.manifest()]
    assert collection.ids(f"?added_after={dates[1]}") == ids[2:]
    assert collection.ids(f"?added_after={dates[3]}") == []


def test_s3_4_added_after_has_nothing_to_do_with_dates_in_objects(collection: Collection) -> None:
    """MUST NOT: added_after does not look at created or modified."""
    value = indicator(modified="2099-01-01T00:00:00.000Z")
    collection.add(value)
    assert collection.ids("?added_after=2098-01-01T00:00:00Z") == []
    assert collection.ids("?added_after=2026-01-01T00:00:00Z") == [value["id"]]


def test_s3_4_added_after_filters_the_manifest_too(collection: Collection) -> None:
    """MUST: the manifest takes added_after as objects do."""
    collection.filled(3)
    records = collection.manifest()
    assert collection.manifest(f"?added_after={records[0]['date_added']}") == records[1:]


def test_s3_4_added_after_may_be_less_precise(collection: Collection) -> None:
    """MAY: a date with fewer decimals means the same instant."""
    (stix_id,) = collection.filled(1)
    for text in ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00.123Z"):
        assert collection.ids(f"?added_after={text}") == [stix_id]


@pytest.mark.parametrize(
    "text", ["yesterday", "", "2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00"]
)
def test_s3_4_what_is_no_date_is_400(collection: Collection, text: str) -> None:
    """MUST: a value that cannot be read is 400, not a page that nobody asked for."""
    assert collection.get(f"?added_after={text}").status == 400


def test_s3_4_the_limit_is_kept(collection: Collection) -> None:
    """MUST NOT: no page has more objects than its limit."""
    ids = collection.filled(5)
    for limit in (1, 2, 4, 5, 6):
        assert collection.ids(f"?limit={limit}") == ids[:limit]


def test_s3_4_a_server_may_give_less_than_the_limit(collection: Collection) -> None:
    """MAY: a limit beyond what the server gives is no error."""
    ids = collection.filled(2)
    assert collection.ids("?limit=9007199254740991") == ids


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "ten", "", "1e3", "+1"])
def test_s3_4_a_limit_is_a_positive_integer(collection: Collection, text: str) -> None:
    """MUST: a limit that is no positive integer is 400."""
    assert collection.get(f"?limit={text}").status == 400


def test_s3_4_several_matches_are_joined_by_and(collection: Collection) -> None:
    """MUST: an object has to match every field that is given."""
    one, two = collection.filled(2)
    assert collection.ids(f"?match[id]={one}&match[type]=indicator") == [one]
    assert collection.ids(f"?match[id]={one}&match[type]=malware") == []
    assert collection.ids(f"?match[id]={one},{two}&match[spec_version]=2.1") == [one, two]


def test_s3_4_several_values_are_joined_by_or(collection: Collection) -> None:
    """MUST: of several values of one field, joined by commas, one has to match."""
    ids = collection.filled(3)
    assert collection.ids(f"?match[id]={ids[0]},{ids[2]}") == [ids[0], ids[2]]


def test_s3_4_a_field_stands_once(collection: Collection) -> None:
    """MUST NOT: one field does not occur twice; who sends it twice gets 400."""
    one, two = collection.filled(2)
    assert collection.get(f"?match[id]={one}&match[id]={two}").status == 400


def test_s3_4_other_parameters_are_passed_over(collection: Collection) -> None:
    """MUST: parameters that are not the standard's change nothing."""
    ids = collection.filled(1)
    assert collection.ids("?x_new=1&match[colour]=red&sort=-id") == ids


def test_s3_4_brackets_may_be_escaped(collection: Collection) -> None:
    """MUST: a query means the same with its brackets and commas escaped."""
    one, two = collection.filled(2)
    assert collection.ids(f"?match%5Bid%5D={one}%2C{two}") == [one, two]


def test_s3_4_added_after_and_match_are_joined(collection: Collection) -> None:
    """MUST: added_after, limit and matches hold together."""
    ids = collection.filled(4)
    dates = [record["date_added"] for record in collection.manifest()]
    query = f"?added_after={dates[0]}&match[id]={ids[0]},{ids[1]},{ids[3]}&limit=1"
    assert collection.ids(query) == [ids[1]]


def test_s3_4_1_id_finds_objects_by_id(collection: Collection) -> None:
    """MUST: match[id] brings the objects of these ids, in objects and in the manifest."""
    ids = collection.filled(3)
    assert collection.ids(f"?match[id]={ids[1]}") == [ids[1]]
    assert [r["id"] for r in collection.manifest(f"?match[id]={ids[1]}")] == [ids[1]]
    assert collection.ids("?match[id]=indicator--00000000-0000-4000-8000-000000000000") == []


def test_s3_4_1_type_permits_only_its_types(collection: Collection) -> None:
    """MUST: match[type] permits only the types that it names, exactly as STIX spells them."""
    collection.add(indicator(), address(1))
    assert len(collection.ids("?match[type]=x-seen-address")) == 1
    assert len(collection.ids("?match[type]=x-seen-address,indicator")) == 2
    for wrong in ("indicators", "Indicator", "ind"):
        assert collection.ids(f"?match[type]={wrong}") == []


def test_s3_4_1_spec_version_finds_what_was_written_for_it(collection: Collection) -> None:
    """MUST: match[spec_version] brings only what has that version of STIX."""
    ids = collection.filled(2)
    assert collection.ids("?match[spec_version]=2.1") == ids
    assert collection.ids("?match[spec_version]=2.0,2.1") == ids
    assert collection.ids("?match[spec_version]=2.0") == []


def test_s3_4_1_without_spec_version_it_is_the_latest(collection: Collection) -> None:
    """MUST: without match[spec_version] each object comes in the latest that there is of it."""
    collection.add(indicator(), address(2))
    assert collection.ids() == collection.ids("?match[spec_version]=2.1")


def test_s3_4_1_what_names_no_spec_version_is_2_1(collection: Collection) -> None:
    """MUST: a cyber-observable without spec_version is STIX 2.1."""
    collection.add(address(3))
    assert len(collection.ids("?match[spec_version]=2.1")) == 1


def test_s3_4_1_without_version_only_the_latest_comes(
    collection: Collection, versions: str
) -> None:
    """MUST: without match[version] only the latest version of each object comes."""
    assert modified(collection, versions, "?limit=9") == [THIRD]
    assert len(collection.ids()) == 2
    assert [r["version"] for r in collection.manifest(f"?match[id]={versions}")] == [THIRD]


def test_s3_4_1_the_latest_is_by_modified_not_by_arrival(
    collection: Collection, versions: str
) -> None:
    """MUST: the latest version is the one of the latest modified, in whichever order they came."""
    late = "2026-03-02T10:00:00.000Z"
    collection.add(indicator(modified=late) | {"id": versions})
    assert modified(collection, versions, "?limit=9") == [THIRD]


def test_s3_4_1_last_is_the_latest(collection: Collection, versions: str) -> None:
    """MUST: last is the latest version."""
    assert modified(collection, versions, "?match[version]=last") == [THIRD]


def test_s3_4_1_first_is_the_earliest(collection: Collection, versions: str) -> None:
    """MUST: first is the earliest version."""
    assert modified(collection, versions, "?match[version]=first") == [FIRST]


def test_s3_4_1_all_is_every_version(collection: Collection, versions: str) -> None:
    """MUST: all is every version."""
    assert modified(collection, versions, "?match[version]=all") == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize("others", ["all,last", "first,all", f"all,{FIRST}"])
def test_s3_4_1_all_stands_alone(collection: Collection, others: str) -> None:
    """MUST NOT: all is not used with other values; who does gets 400."""
    assert collection.get(f"?match[version]={others}").status == 400


def test_s3_4_1_a_version_is_found_exactly(collection: Collection, versions: str) -> None:
    """MUST: a timestamp brings the version that was modified at exactly that instant."""
    assert modified(collection, versions, f"?match[version]={SECOND}") == [SECOND]
    assert modified(collection, versions, "?match[version]=2026-03-02T09:00:00Z") == []


def test_s3_4_1_several_versions_are_joined_by_or(collection: Collection, versions: str) -> None:
    """MUST: first, last and timestamps may be listed together."""
    assert modified(collection, versions, "?match[version]=first,last") == [FIRST, THIRD]
    assert modified(collection, versions, f"?match[version]=first,{SECOND}") == [FIRST, SECOND]


@pytest.mark.parametrize("text", ["newest", "2026", "first,", "", "LAST"])
def test_s3_4_1_what_is_no_version_is_400(collection: Collection, text: str) -> None:
    """MUST: what is neither a key word nor a timestamp is 400."""
    assert collection.get(f"?match[version]={text}").status == 400


def test_s3_4_1_without_modified_created_is_the_version(collection: Collection) -> None:
    """MUST: an object that has created and no modified has that as its version."""
    value = {
        "type": "marking-definition", "spec_version": "2.1", "definition_type": "statement",
        "id": "marking-definition--6a0b1f53-0000-4000-8000-000000000001", "created": SECOND,
        "definition": {"statement": "Copyright"},
        "object_marking_refs": indicator()["object_marking_refs"],
    }  # fmt: skip
    collection.add(value)
    assert [record["version"] for record in collection.manifest()] == [SECOND]
    assert collection.ids(f"?match[version]={SECOND}") == [value["id"]]


def test_s3_4_1_without_any_date_it_is_when_it_was_added(collection: Collection) -> None:
    """SHOULD: an object without created and modified has the date added as its version."""
    values = [address(number) for number in range(30)]
    status = collection.add(*values)
    records = collection.manifest()
    assert [record["version"] for record in records] == [r["date_added"] for r in records]
    assert [done["version"] for done in status["successes"]] == [r["version"] for r in records]
    chosen = records[7]
    assert collection.ids(f"?match[version]={chosen['version']}") == [chosen["id"]]
    assert len(collection.ids("?match[version]=first")) == 30


def test_s3_4_1_a_long_list_is_read(collection: Collection) -> None:
    """MUST: a list may have many values."""
    ids = collection.filled(100)
    assert collection.ids("?match[id]=" + ",".join(ids)) == ids
    assert json.dumps(collection.page())
