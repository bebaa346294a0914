"""MISP: what it pushes and what its import module reads.

Sources, read: MISP/MISP, ``app/files/scripts/taxii/taxii_push.py`` at 044c27e; MISP/misp-modules,
``misp_modules/modules/import_mod/taxii21.py`` at 1c70192.

What they do, over taxii2-client:
* the push asks the API root (``<base>/<root>``, no last slash) for ``max_content_length`` and fills
  its envelopes up to that very byte; it posts them one after the other and does not wait; its
  failures are read from the status; objects keep what MISP writes, among it custom properties;
* the import walks ``as_pages`` with 100 a page, ``match[spec_version]=2.1`` and what its user
  typed, and stops in the middle of a page when it has enough.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from taxii2client.v21 import ApiRoot, Collection, as_pages

from tests.conformance.clients.ground import MAX_CONTENT_LENGTH, Ground, ids, indicator

_PREFIX, _COMMA, _SUFFIX = b'{"objects":[', b",", b"]}"


def make_envelopes(values: list[dict[str, Any]], max_content_length: int) -> Iterator[bytes]:
    """``make_taxii_envelopes``: as many objects as fit, to the last byte."""
    envelope, first = bytearray(_PREFIX), True
    for raw in (json.dumps(value, indent=4).encode() for value in values):
        size = len(envelope) + len(raw) + len(_SUFFIX) + (0 if first else len(_COMMA))
        if size > max_content_length:
            yield bytes(envelope + _SUFFIX)
            envelope, first = bytearray(_PREFIX), True
        envelope += raw if first else _COMMA + raw
        first = False
    yield bytes(envelope + _SUFFIX)


def test_a_large_push_is_taken_up_to_the_last_byte_that_was_promised(ground: Ground) -> None:
    user = {"user": ground.writer, "password": ground.tokens[ground.writer]}
    with ApiRoot(ground.root.rstrip("/"), **user) as root:
        limit = root.max_content_length
    assert limit == MAX_CONTENT_LENGTH
    values = [indicator(n, x_misp_event_id=n, description="é" * 200) for n in range(250)]
    envelopes = list(make_envelopes(values, limit))
    # One envelope is filled to the last byte that is allowed.
    envelopes[0] = envelopes[0].replace(b"[", b"[" + b" " * (limit - len(envelopes[0])), 1)
    assert len(envelopes) > 2
    assert len(envelopes[0]) == limit
    url = f"{ground.root.rstrip('/')}/collections/{ground.collection_id}"
    with Collection(url, **user) as collection:
        statuses = [collection.add_objects(e, wait_for_completion=False) for e in envelopes]

    assert all(not status.failure_count for status in statuses)
    assert sum(status.success_count for status in statuses) == len(values)
    assert ids(_import(ground, 1_000)) == ids(values)


def test_one_byte_more_is_413(ground: Ground) -> None:
    body = _PREFIX + b" " * (MAX_CONTENT_LENGTH - 13) + _SUFFIX
    assert len(body) == MAX_CONTENT_LENGTH + 1
    answer = ground.node.ask(
        "POST",
        f"{ground.path}objects/",
        {
            "Authorization": ground.basic(ground.writer),
            "Content-Type": "application/taxii+json;version=2.1",
        },
        body,
    )
    assert (answer.status, answer.code) == (413, "E_TOO_BIG")


def test_what_failed_can_be_read_from_the_status(ground: Ground) -> None:
    bad = indicator(1) | {"pattern": "[broken"}
    user = {"user": ground.writer, "password": ground.tokens[ground.writer]}
    collection = Collection(f"{ground.root}collections/{ground.collection_id}/", **user)
    status = collection.add_objects(
        json.dumps({"objects": [bad, indicator(2)]}), wait_for_completion=False
    )
    (failure,) = status.failures

    assert (status.status, status.failure_count, status.success_count) == ("complete", 1, 1)
    assert failure["id"] == bad["id"]
    assert failure["version"] == bad["modified"]
    assert "E_SCHEMA" in failure["message"]


def test_the_import_gets_all_of_the_first_pages_and_stops_when_it_has_enough(
    ground: Ground,
) -> None:
    added = ground.add(130)

    assert ids(_import(ground, 1_000)) == added
    assert ids(_import(ground, 110)) == added[:110]


def _import(ground: Ground, limit: int) -> list[dict[str, Any]]:
    """``_query_taxii``, with a user who typed nothing but the collection's URL."""
    url = f"{ground.root}collections/{ground.collection_id}"
    with Collection(url, user=ground.reader, password=ground.token) as collection:
        pages = as_pages(collection.get_objects, per_request=min(100, limit), spec_version="2.1")
        objects = itertools.chain.from_iterable(page.get("objects", []) for page in pages)
        return list(itertools.islice(objects, 0, limit))
