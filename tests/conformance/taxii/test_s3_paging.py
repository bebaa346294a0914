"""Section 3.5: walking a collection by next and by added_after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.taxii.wire import Collection, Json, Taxii, indicator


def walk(collection: Collection, resource: str, query: str, again: str = "") -> Iterator[Json]:
    """Follow next to the end."""
    following = ""
    while True:
        path = f"{collection.path}{resource}?{query if not following else again}{following}"
        page = collection.taxii.resource(path)
        yield page
        if not page.get("more"):
            return
        following = f"&next={page['next']}"


def ids_of(pages: Iterator[Json]) -> list[str]:
    return [value["id"] for page in pages for value in page.get("objects", [])]


@pytest.mark.parametrize("resource", ["objects/", "manifest/"])
@pytest.mark.parametrize("limit", [1, 3, 7])
def test_s3_5_next_walks_everything_once(collection: Collection, resource: str, limit: int) -> None:
    """MUST: following next with the same query brings every object once, in order."""
    ids = collection.filled(7)
    query = f"limit={limit}"
    assert ids_of(walk(collection, resource, query, query)) == ids


@pytest.mark.parametrize("resource", ["object", "versions"])
def test_s3_5_an_objects_versions_are_paged_too(collection: Collection, resource: str) -> None:
    """MUST: an object and its versions are paged as well."""
    value = indicator()
    moments = [f"2026-03-0{day}T00:00:00.000Z" for day in range(2, 7)]
    for moment in moments:
        collection.add(value | {"modified": moment})
    path = f"objects/{value['id']}/" + ("versions/" if resource == "versions" else "")
    query = "limit=2&match[version]=all"
    pages = list(walk(collection, path, query, query))
    found = [v for page in pages for v in page.get("versions", [])] or [
        v["modified"] for page in pages for v in page["objects"]
    ]
    assert (found, len(pages)) == (moments, 3)


def test_s3_5_more_says_whether_there_is_more(collection: Collection) -> None:
    """MUST: more is true exactly where further objects match."""
    collection.filled(4)
    assert [page["more"] for page in walk(collection, "objects/", "limit=2", "limit=2")] == [
        True, False,
    ]  # fmt: skip
    assert collection.page("?limit=4")["more"] is False
    assert collection.page("?limit=3")["more"] is True


def test_s3_5_added_after_and_the_last_date_walk_as_well(collection: Collection) -> None:
    """MAY: asking after X-TAXII-Date-Added-Last brings the next page, as next does."""
    ids = collection.filled(25)
    found: list[str] = []
    query = "?limit=4"
    while len(found) < len(ids):
        answer = collection.get(query)
        found += [value["id"] for value in answer.document["objects"]]
        query = f"?limit=4&added_after={answer.header('X-TAXII-Date-Added-Last')}"
    assert found == ids
    assert collection.page(query) == {"more": False}


def test_s3_5_filters_hold_on_every_page(collection: Collection) -> None:
    """MUST: a walk with filters brings what matches, on every page."""
    ids = collection.filled(9)
    query = "limit=2&match[id]=" + ",".join(ids[::2])
    assert ids_of(walk(collection, "objects/", query, query)) == ids[::2]


def test_s3_5_next_carries_the_filters(collection: Collection) -> None:
    """MAY: next alone is enough; it carries the filters of the walk."""
    ids = collection.filled(9)
    query = "limit=2&match[id]=" + ",".join(ids[::2])
    assert ids_of(walk(collection, "objects/", query, "limit=2")) == ids[::2]


def test_s3_5_the_limit_may_change(collection: Collection) -> None:
    """MAY: each page may have another limit."""
    ids = collection.filled(9)
    assert ids_of(walk(collection, "objects/", "limit=1", "limit=3")) == ids


def test_s3_5_next_can_be_used_again(collection: Collection) -> None:
    """MUST: the same next brings the same page, so a lost answer loses nothing."""
    collection.filled(5)
    following = collection.page("?limit=2")["next"]
    once = collection.get(f"?limit=2&next={following}")
    assert collection.get(f"?limit=2&next={following}").body == once.body


def test_s3_5_what_comes_meanwhile_is_at_the_end(collection: Collection) -> None:
    """MUST: what is added during a walk neither repeats nor hides what was there."""
    ids = collection.filled(4)
    pages = walk(collection, "objects/", "limit=2", "limit=2")
    found = [value["id"] for value in next(pages)["objects"]]
    ids += collection.filled(2)
    assert found + ids_of(pages) == ids


def test_s3_5_next_is_a_value_of_the_server_alone(collection: Collection) -> None:
    """MUST: a next that this server did not give is 400."""
    collection.filled(2)
    given = collection.page("?limit=1")["next"]
    for text in ("x", "", "1", given[:-2], "A" + given, given.swapcase()):
        assert collection.get(f"?limit=1&next={text}").status == 400


def test_s3_5_next_belongs_to_its_collection(taxii: Taxii) -> None:
    """MUST NOT: the next of one collection opens nothing in another: 400."""
    one, two = taxii.collection(), taxii.collection()
    for collection in (one, two):
        collection.filled(2)
    following = one.page("?limit=1")["next"]
    assert two.get(f"?limit=1&next={following}").status == 400


def test_s3_5_next_belongs_to_its_resource(collection: Collection) -> None:
    """MUST NOT: the next of objects opens no manifest: 400."""
    collection.filled(2)
    following = collection.page("?limit=1")["next"]
    answer = collection.taxii.get(f"{collection.path}manifest/?limit=1&next={following}")
    assert answer.status == 400


def test_s3_5_next_belongs_to_its_filters(collection: Collection) -> None:
    """MUST NOT: a next is not answered with what other filters ask for: 400."""
    collection.filled(3)
    following = collection.page("?limit=1&match[type]=indicator")["next"]
    assert collection.get(f"?limit=1&match[type]=malware&next={following}").status == 400


def test_s3_5_next_belongs_to_its_reader(collection: Collection) -> None:
    """MUST NOT: a next opens nothing for another client: 400."""
    collection.filled(2)
    following = collection.page("?limit=1")["next"]
    assert collection.get(f"?limit=1&next={following}", "producer").status == 400


def test_s3_5_next_fits_into_an_address(collection: Collection) -> None:
    """SHOULD: a next needs no escaping in an address."""
    ids = collection.filled(3)
    following = collection.page(f"?limit=1&match[id]={','.join(ids)}")["next"]
    assert following.replace("-", "").replace("_", "").isalnum()
