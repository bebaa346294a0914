"""Sections 5.1 to 5.4, 5.6 and 5.8: what is read of collections."""

from __future__ import annotations

import json

import pytest

from tests.conformance.taxii.wire import STIX, Collection, Json, Taxii, indicator

LISTING = "/taxii2/intel/collections/"
NOBODY = "indicator--00000000-0000-4000-8000-000000000000"


def listed(taxii: Taxii, reader: str = "reader") -> dict[str, Json]:
    return {row["id"]: row for row in taxii.resource(LISTING, reader)["collections"]}


def test_s5_1_collections_are_listed(taxii: Taxii, collection: Collection) -> None:
    """MUST: the collections of an API root are listed."""
    assert collection.collection_id in listed(taxii)


def test_s5_1_only_a_clients_own_are_listed(taxii: Taxii, collection: Collection) -> None:
    """MAY: a collection that a client may neither read nor write is not listed for it."""
    assert collection.collection_id not in listed(taxii, "stranger")


def test_s5_1_the_order_is_always_the_same(taxii: Taxii) -> None:
    """SHOULD: the listing keeps its order."""
    taxii.collection()
    taxii.collection()
    assert taxii.get(LISTING).body == taxii.get(LISTING).body


def test_s5_1_1_without_any_it_is_an_empty_object(taxii: Taxii, collection: Collection) -> None:
    """MUST: who has no collection gets an empty object."""
    taxii.token(f"none-{collection.alias}", "admin")
    assert taxii.get(LISTING, f"none-{collection.alias}").body == b"{}"


def test_s5_2_a_collection_is_found_by_its_id(taxii: Taxii, collection: Collection) -> None:
    """MUST: a collection is found by its id, and is what the listing says."""
    assert taxii.resource(collection.path) == listed(taxii)[collection.collection_id]


def test_s5_2_a_collection_is_found_by_its_alias(taxii: Taxii, collection: Collection) -> None:
    """MUST: wherever an address takes the id it takes the alias."""
    (stix_id,) = collection.filled(1)
    for rest in (
        "",
        "objects/",
        "manifest/",
        f"objects/{stix_id}/",
        f"objects/{stix_id}/versions/",
    ):
        by_alias = taxii.get(f"{LISTING}{collection.alias}/{rest}")
        assert by_alias.body == taxii.get(collection.path + rest).body


def test_s5_2_an_unknown_collection_is_404(taxii: Taxii) -> None:
    """MUST: a collection that is none is 404, with everything below it."""
    for rest in ("", "objects/", "manifest/", f"objects/{NOBODY}/", f"objects/{NOBODY}/versions/"):
        assert taxii.get(f"{LISTING}00000000-0000-4000-8000-000000000000/{rest}").status == 404


def test_s5_2_1_required_properties_are_there(taxii: Taxii) -> None:
    """MUST: id, title, can_read and can_write are there, of their types."""
    for row in listed(taxii).values():
        assert isinstance(row["title"], str)
        assert type(row["can_read"]) is type(row["can_write"]) is bool


def test_s5_2_1_can_read_and_can_write_are_the_clients(
    taxii: Taxii, collection: Collection
) -> None:
    """MUST: can_read and can_write say what this very client may do."""
    rights = [
        (row["can_read"], row["can_write"])
        for row in (taxii.resource(collection.path, who) for who in ("reader", "producer"))
    ]
    assert rights == [(True, False), (True, True)]


def test_s5_2_1_aliases_are_unique(taxii: Taxii) -> None:
    """MUST: an alias is unique within its API root, and no id."""
    rows = listed(taxii)
    aliases = [row["alias"] for row in rows.values() if "alias" in row]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(rows)


def test_s5_2_1_media_types_are_those_of_its_objects(taxii: Taxii) -> None:
    """MUST: media_types lists what the collection's objects are."""
    assert all(row["media_types"] == [STIX] for row in listed(taxii).values())


def test_s5_3_a_manifest_lists_what_the_objects_are(collection: Collection) -> None:
    """MUST: the manifest has a record for each object of the same question, in the same order."""
    collection.filled(5)
    for query in ("", "?limit=2", "?match[type]=indicator&match[version]=all"):
        records = [(r["id"], r["version"]) for r in collection.manifest(query)]
        values = collection.page(query)["objects"]
        assert records == [(value["id"], value["modified"]) for value in values]


def test_s5_3_a_manifest_is_filtered(collection: Collection) -> None:
    """MUST: the manifest takes id, type, version and spec_version."""
    one, two = collection.filled(2)
    assert [r["id"] for r in collection.manifest(f"?match[id]={two}")] == [two]
    assert collection.manifest("?match[type]=malware") == []
    assert collection.manifest("?match[spec_version]=2.0") == []
    assert [r["id"] for r in collection.manifest("?match[version]=first")] == [one, two]


def test_s5_3_1_a_record_has_what_it_must(collection: Collection) -> None:
    """MUST: a record has id, date_added and version."""
    (stix_id,) = collection.filled(1)
    (record,) = collection.manifest()
    assert set(record) == {"id", "date_added", "version", "media_type"}
    assert record["id"] == stix_id


def test_s5_3_1_each_version_has_its_record(collection: Collection) -> None:
    """MUST: with all versions asked for, each has a record and a date of its own."""
    value = indicator()
    moments = ["2026-03-02T00:00:00.000Z", "2026-03-03T00:00:00.000Z"]
    collection.add(*({**value, "modified": moment} for moment in moments))
    records = collection.manifest("?match[version]=all")
    assert [record["version"] for record in records] == moments
    assert len({record["date_added"] for record in records}) == 2


def test_s5_3_1_a_records_media_type_is_the_collections(
    taxii: Taxii, collection: Collection
) -> None:
    """MUST: the media type of a record is one that the collection lists."""
    collection.filled(1)
    assert collection.manifest()[0]["media_type"] in taxii.resource(collection.path)["media_types"]


def test_s5_4_objects_come_as_an_envelope(collection: Collection) -> None:
    """MUST: objects come in an envelope."""
    ids = collection.filled(3)
    page = collection.page()
    assert set(page) == {"more", "objects"}
    assert [value["id"] for value in page["objects"]] == ids


def test_s5_4_nothing_found_is_no_error(collection: Collection) -> None:
    """MUST: where nothing matches, the answer is 200 and an envelope without objects."""
    answer = collection.get(f"?match[id]={NOBODY}")
    assert (answer.status, answer.document) == (200, {"more": False})


def test_s5_4_objects_are_given_byte_for_byte(collection: Collection) -> None:
    """MUST: an object comes back as it was given, whatever stands in it."""
    value = json.dumps(indicator(name="\u00e9", x_number=0)).replace(": 0", ": 1.0e-2")
    assert collection.post(f'{{"objects": [{value}]}}'.encode()).document["success_count"] == 1
    assert value.encode() in collection.get().body


def test_s5_4_who_may_not_read_gets_404(taxii: Taxii, collection: Collection) -> None:
    """MUST: objects of a collection that a client may not read are 404 (403 would tell of it)."""
    assert collection.get(reader="stranger").status == 404
    assert taxii.get(f"{collection.path}manifest/", "stranger").status == 404


def test_s5_6_an_object_is_found_by_its_id(taxii: Taxii, collection: Collection) -> None:
    """MUST: an object is found by its id, in an envelope."""
    value = indicator()
    collection.add(value, indicator())
    assert taxii.resource(f"{collection.path}objects/{value['id']}/") == {
        "more": False, "objects": [value],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("", [4]),
        ("?match[version]=all", [2, 3, 4]),
        ("?match[version]=first,last", [2, 4]),
        ("?match[version]=2026-03-03T00:00:00Z", [3]),
        ("?match[spec_version]=2.1", [4]),
        ("?match[spec_version]=2.0", []),
        ("?match[version]=all&limit=1", [2]),
    ],
)
def test_s5_6_an_objects_versions_are_filtered(
    taxii: Taxii, collection: Collection, query: str, days: list[int]
) -> None:
    """MUST: an object takes version, spec_version, limit, added_after and next."""
    value = indicator()
    for day in (2, 3, 4):
        collection.add(value | {"modified": f"2026-03-0{day}T00:00:00.000Z"})
    page = taxii.resource(f"{collection.path}objects/{value['id']}/{query}")
    found = [int(value["modified"][8:10]) for value in page.get("objects", [])]
    assert found == days


def test_s5_6_added_after_holds_for_one_object(taxii: Taxii, collection: Collection) -> None:
    """MUST: added_after leaves out the versions that were added before."""
    (stix_id,) = collection.filled(1)
    (record,) = collection.manifest()
    path = f"{collection.path}objects/{stix_id}/?added_after={record['date_added']}"
    assert taxii.resource(path) == {"more": False}


def test_s5_6_an_unknown_object_is_404(taxii: Taxii, collection: Collection) -> None:
    """MUST: an object that is not in the collection is 404, also when another one holds it."""
    (stix_id,) = taxii.collection().filled(1)
    for text in (NOBODY, stix_id, "no-id"):
        assert taxii.get(f"{collection.path}objects/{text}/").status == 404


def test_s5_8_versions_are_those_of_the_object(taxii: Taxii, collection: Collection) -> None:
    """MUST: versions lists every version of the object, and of no other."""
    value = indicator()
    moments = ["2026-03-02T00:00:00.000Z", "2026-03-02T00:00:00.001Z"]
    collection.add(indicator(), *({**value, "modified": moment} for moment in moments))
    page = taxii.resource(f"{collection.path}objects/{value['id']}/versions/")
    assert page == {"more": False, "versions": moments}


def test_s5_8_versions_are_filtered(taxii: Taxii, collection: Collection) -> None:
    """MUST: versions take spec_version, added_after and limit."""
    (stix_id,) = collection.filled(1)
    (record,) = collection.manifest()
    path = f"{collection.path}objects/{stix_id}/versions/"
    assert "versions" not in taxii.resource(f"{path}?match[spec_version]=2.0")
    assert "versions" not in taxii.resource(f"{path}?added_after={record['date_added']}")
    assert taxii.resource(f"{path}?limit=1")["versions"] == [record["version"]]


def test_s5_8_of_an_unknown_object_it_is_404(taxii: Taxii, collection: Collection) -> None:
    """MUST: versions of an object that is not there are 404."""
    assert taxii.get(f"{collection.path}objects/{NOBODY}/versions/").status == 404
