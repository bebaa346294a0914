"""taxii2-client 2.3.0 of OASIS, unmodified: what MISP, OpenCTI's connector, XSOAR and IntelMQ use.

Source, read and run here: oasis-open/cti-taxii-client, ``taxii2client/v21/__init__.py`` and
``common.py``; oasis-tcs/cti-taxii2 issue 110 (``next`` of manifests and versions).

What it does:
* ``as_pages`` asks while ``more``, with ``next=envelope.get("next", "")``: without a ``next`` it
  asks for page 1 for ever, manifests included;
* when page 1 has another number of objects than asked for, it changes ``limit`` to that number;
* it repeats the filters beside ``next``; ``limit=0`` is not sent at all;
* a ``Content-Type`` that is not TAXII 2.1's is an error, a status is asked for at
  ``status/<id>/``, a collection's id has to be in its URL;
* ``TokenAuth`` sends ``Authorization: Token …``.
"""

from __future__ import annotations

from typing import Any

import pytest
import requests
from taxii2client.common import TokenAuth
from taxii2client.v20 import Server as OldServer
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages

from tests.conformance.clients.ground import Ground, ids, indicator


def collection_of(ground: Ground, who: str = "", **options: Any) -> Collection:
    name = who or ground.reader
    if not options:
        options = {"user": name, "password": ground.tokens[name]}
    return Collection(f"{ground.root}collections/{ground.collection_id}", **options)


def walk(method: Any, per_request: int, **filters: Any) -> list[Any]:
    """Follow ``as_pages`` to the end; a loop is an error and not a test that hangs."""
    found: list[Any] = []
    for number, page in enumerate(as_pages(method, per_request=per_request, **filters)):
        assert number < 100, "it loops"
        found += page.get("objects", [])
    return found


@pytest.mark.parametrize("per_request", [1, 7, 23, 24, 0, 50_000])
def test_objects_and_manifest_come_once_each_with_any_limit(
    ground: Ground, per_request: int
) -> None:
    added = ground.add(23)
    collection = collection_of(ground)

    assert ids(walk(collection.get_objects, per_request)) == added
    assert ids(walk(collection.get_manifest, per_request)) == added


def test_it_changes_the_limit_between_pages(ground: Ground) -> None:
    added = ground.add(9)
    collection = collection_of(ground)
    first = collection.get_objects(limit=2)
    second = collection.get_objects(limit=3, next=first["next"])
    third = collection.get_objects(limit=1_000, next=second["next"])

    assert ids(first["objects"] + second["objects"] + third["objects"]) == added
    assert (first["more"], second["more"], third["more"]) == (True, True, False)


def test_filters_repeated_beside_next_are_the_same_question(ground: Ground) -> None:
    added = ground.add(6)
    ground.post([{"type": "domain-name", "spec_version": "2.1", "value": "x.example",
                  "id": "domain-name--6ef80ca9-1b35-5d54-b4ef-c8ae1cb4d2ba"}])  # fmt: skip
    collection = collection_of(ground)
    filters = {"type": ["indicator", "malware"], "added_after": "2026-01-01T00:00:00Z"}

    assert ids(walk(collection.get_objects, 2, **filters)) == added
    assert ids(walk(collection.get_manifest, 2, **filters)) == added


def test_versions_are_walked_by_next_too(ground: Ground) -> None:
    modified = [f"2026-03-01T09:00:0{second}.000Z" for second in range(5)]
    value = indicator(0)
    ground.post([value | {"modified": text} for text in modified])
    collection = collection_of(ground)
    first = collection.object_versions(value["id"], limit=3)
    second = collection.object_versions(value["id"], limit=3, next=first["next"])

    assert first["versions"] + second["versions"] == modified
    assert walk(lambda **q: collection.get_object(value["id"], **q), 2, version="all") == [
        value | {"modified": text} for text in modified
    ]


def test_what_it_adds_is_complete_and_its_status_can_be_asked_for(ground: Ground) -> None:
    collection = collection_of(ground, ground.writer)
    status = collection.add_objects({"objects": [indicator(n) for n in range(3)]})

    assert (status.status, status.success_count, status.total_count) == ("complete", 3, 3)
    status.refresh()
    assert (status.status, status.failure_count) == ("complete", 0)


def test_discovery_leads_to_every_collection_of_the_reader(ground: Ground) -> None:
    server = Server(f"{ground.node.base}taxii2", user=ground.reader, password=ground.token)
    root = server.default

    assert [found.url for found in server.api_roots] == [root.url] == [ground.root]
    assert {found.title for found in root.collections} == {"Originals", "Verdicts", ground.title}
    assert root.versions == ["application/taxii+json;version=2.1"]


def test_its_token_scheme_is_a_bearer_token(ground: Ground) -> None:
    """``TokenAuth`` is what OpenCTI's connector and XSOAR use for an API key."""
    added = ground.add(2)
    collection = collection_of(ground, auth=TokenAuth(ground.token))

    assert ids(walk(collection.get_objects, 1)) == added


def test_taxii_2_0_is_refused_with_406_so_that_it_tells_its_user(ground: Ground) -> None:
    with pytest.raises(requests.HTTPError) as refused:
        OldServer(ground.node.base + "taxii2/", user=ground.reader, password=ground.token).title  # noqa: B018
    assert refused.value.response.status_code == 406


def test_a_wrong_token_is_401(ground: Ground) -> None:
    with pytest.raises(requests.HTTPError) as refused:
        ApiRoot(ground.root, user=ground.reader, password="wrong").title  # noqa: B018
    assert refused.value.response.status_code == 401
