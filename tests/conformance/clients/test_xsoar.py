"""Cortex XSOAR, "TAXII 2 Feed".

Sources, read: demisto/content, ``Packs/ApiModules/Scripts/TAXII2ApiModule/TAXII2ApiModule.py`` at
0016900, ``Packs/FeedTAXII/Integrations/FeedTAXII2/FeedTAXII2.py`` at 0124ebb, and the feeds that
use ``TAXII_TIME_FORMAT_NO_MS``.

What it does, over taxii2-client:
* tries TAXII 2.1 and falls back to 2.0 on 406 alone; takes the server's default API root, replaces
  the connection of its collections, and finds the collection by its title;
* ``as_pages`` with 100 objects a page and ``match[type]`` with ``relationship`` appended; it stops
  at an envelope without ``objects``;
* ``added_after`` is its own clock less an interval, ``…T10:00:00.000000Z`` or without a fraction,
  later the ``modified`` of the newest indicator that it parsed, as that was written;
* the user name ``_api_token_key`` means ``Authorization: Token …``.
"""

from __future__ import annotations

from typing import Any

import pytest
from requests.auth import HTTPBasicAuth
from taxii2client import v21
from taxii2client.common import TokenAuth, _HTTPConnection

from tests.conformance.clients.ground import Ground, ids, indicator, moment_ago

PAGE = 100
TYPES = ["indicator", "domain-name", "relationship"]


def collection_to_fetch(ground: Ground, auth: Any = None) -> v21.Collection:
    """``initialise``: default root with the client's own connection, collection by title."""
    conn = _HTTPConnection(version="2.1", auth=auth or HTTPBasicAuth(ground.reader, ground.token))
    server = v21.Server(f"{ground.node.base}taxii2/", conn=conn)
    roots = {str(root.url).split("/")[-2]: root for root in server.api_roots}
    assert set(roots) == {"intel"}
    root = server.default
    root._conn = conn
    return next(found for found in root.collections if found.title == ground.title)


def fetch(collection: v21.Collection, added_after: str) -> list[dict[str, Any]]:
    """``poll_collection`` and the loop over its envelopes."""
    found: list[dict[str, Any]] = []
    pages = v21.as_pages(
        collection.get_objects, per_request=PAGE, added_after=added_after, type=TYPES
    )
    for number, envelope in enumerate(pages):
        assert number < 100, "it loops"
        objects = envelope.get("objects")
        if not objects:
            break
        found += objects
    return found


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ"])
def test_it_gets_everything_with_and_without_a_fraction(ground: Ground, form: str) -> None:
    added = ground.add(60) + ground.add(60) + ground.add(5)

    found = fetch(collection_to_fetch(ground), moment_ago(hours=1).strftime(form))

    assert ids(found) == added


def test_an_instant_in_whole_seconds_gives_repeats_and_no_gap(ground: Ground) -> None:
    """Cut to seconds, a date says less than it knew; what came in that second comes again."""
    first = ground.add(30)
    collection = collection_to_fetch(ground)
    headers = {"Authorization": ground.basic()}
    last = ground.get(f"{ground.path}objects/", headers).header("X-TAXII-Date-Added-Last")
    assert last is not None
    later = ground.add(30)

    found = ids(fetch(collection, f"{last[:19]}Z"))

    assert set(later) <= set(found) <= {*first, *later}
    assert len(found) == len(set(found))


def test_the_modified_of_an_indicator_is_an_instant_that_is_read(ground: Ground) -> None:
    """Its cursor is a date of the object's and not ours; all that it asks for it gets."""
    added = ground.add(3, modified="2026-03-01T09:00:00.123Z")
    collection = collection_to_fetch(ground)
    found = fetch(collection, "2026-01-01T00:00:00Z")
    newest = max(value["modified"] for value in found)

    assert ids(fetch(collection, newest)) == added


def test_nothing_new_is_an_envelope_without_objects(ground: Ground) -> None:
    ground.add(1)

    assert fetch(collection_to_fetch(ground), "2099-01-01T00:00:00Z") == []


def test_only_what_it_can_parse_is_sent(ground: Ground) -> None:
    identity = {
        "type": "identity", "spec_version": "2.1", "name": "somebody",
        "id": "identity--0e1a9d3f-0000-4000-8000-000000000001",
        "created": "2026-03-01T09:00:00.000Z", "modified": "2026-03-01T09:00:00.000Z",
    }  # fmt: skip
    wanted = indicator(1)
    ground.post([identity, wanted])

    assert fetch(collection_to_fetch(ground), "2026-01-01T00:00:00Z") == [wanted]


def test_an_api_key_comes_as_a_token(ground: Ground) -> None:
    added = ground.add(2)

    found = fetch(collection_to_fetch(ground, TokenAuth(ground.token)), "2026-01-01T00:00:00Z")

    assert ids(found) == added
