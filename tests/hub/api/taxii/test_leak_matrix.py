"""The leak test leaves nothing out: addresses, readers, labels, methods, conditions, statuses.

``test_leaks`` asks what it finds in the app. Here is what makes sure that it finds everything, so
that a new endpoint is in it without anybody remembering; and that it would see a leak.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from fastapi import APIRouter, Response
from fastapi.routing import APIRoute

from hub.operators.tokens import WIDEST
from schemas.markings import Tlp
from tests.hub.api.taxii import test_leaks as leaks
from tests.hub.api.taxii.conftest import Intel, indicator
from tests.hub.api.taxii.test_leaks import (
    GROUPS,
    READERS,
    WORLD,
    ask,
    changes_nothing,
    is_visible,
    questions,
)

base = leaks.base
whole = leaks.whole
narrow = leaks.narrow

INTEL = "/taxii2/intel/"
ELSEWHERE = {
    "/healthz": "says that the process is alive",
    "/readyz": "says that the database is there",
    "/api/v1/openapi.json": "describes addresses and holds no object",
    "/taxii2/": "names an API root",
    "/.well-known/tocsin": "names the node",
    "/corrections": "takes a stranger's request and looks nothing up (tests/hub/api)",
    "/api/v1/sightings": "takes what was seen and tells nothing (tests/hub/api/manage)",
    "/feeds/{address:path}": "files of verdicts; each kind of reader, audience and format is asked"
    " in tests/hub/api/test_feeds.py and tests/hub/exports/test_every_format.py",
    "/api/v1/audit": "is not there but for admins (tests/hub/api/manage)",
}
"""Addresses without objects for token holders, each with what it is.

All others are asked, but for those between peers, which know no tokens (tests/hub/api/federation).
"""

CONDITIONS = [
    {"If-None-Match": "*"},
    {"If-None-Match": '"0"'},
    {"If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"},
    {"Range": "bytes=0-0"},
    {"Range": "items 0-0"},
]


def routes_of(router: Any) -> list[Any]:
    """All routes of an app, also those of routers that it keeps as a whole."""
    found: list[Any] = []
    for route in router.routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        found += [route] if inner is None else routes_of(inner)
    return found


def addresses_of(intel: Intel) -> set[str]:
    return {path for route in routes_of(intel.client.app) if (path := getattr(route, "path", ""))}


def test_class01_every_address_is_asked_or_named_as_one_without_objects(base: Intel) -> None:
    addresses = addresses_of(base)
    listed = base.client.get("/api/v1/openapi.json").json()["paths"]
    assert {path for path in addresses if path.startswith(INTEL)}, addresses
    for path in addresses:
        known = path in ELSEWHERE or path.startswith(("/taxii2/fed", "/federation/"))
        assert path.startswith(INTEL) or known, f"nobody asks {path}"
    assert {path for path in listed if path.startswith(INTEL)} >= {
        path for path in addresses if path.startswith(INTEL)
    }, "an address of the intel root is not in the OpenAPI document, where the leak test finds it"


def test_class05_every_address_of_the_intel_root_asks_who_reads(base: Intel) -> None:
    for path in addresses_of(base):
        if path.startswith(INTEL):
            address = path.format(collection_id="originals", object_id="x", status_id="x")
            assert base.ask(None, address).status_code == 401


def test_every_kind_of_reader_and_every_label_is_in_the_world() -> None:
    assert {kind for kind, *_ in READERS.values()} == set(WIDEST)
    for where in ("originals", "shared"):
        assert {thing.tlp for thing in WORLD if thing.where == where} == set(Tlp)
    carried = {thing.group for thing in WORLD}
    follows = {frozenset(more.get("groups", ())) for _, more, *_ in READERS.values()}
    assert carried == {"", *GROUPS}
    assert {frozenset(), frozenset(GROUPS[:1]), frozenset(GROUPS)} <= follows
    for thing in WORLD:
        assert not all(is_visible(reader, thing) for reader in READERS), "hidden from somebody"


def leak(intel: Intel) -> None:
    """Add an endpoint that forgets who reads."""
    router = APIRouter(prefix="/taxii2/intel")

    @router.get("/collections/{collection_id}/numbers/")
    def get_numbers(collection_id: str) -> Response:
        assert collection_id
        with intel.node.database.read() as tx:
            count = tx.connection.exec_driver_sql("SELECT count(*) FROM objects").scalar()
        return Response(f'{{"count":{count}}}', media_type="application/json")

    app: Any = intel.client.app
    # Before the others, and never through their router: so the shared fixture keeps its own.
    for route in router.routes:
        assert isinstance(route, APIRoute)
        app.router.routes.insert(0, route)
    app.openapi_schema = None


def unleak(intel: Intel) -> None:
    app: Any = intel.client.app
    app.router.routes.pop(0)
    app.openapi_schema = None


@pytest.mark.parametrize("reader", ["public"])
def test_a_new_endpoint_is_asked_by_itself_and_its_leak_is_seen(
    whole: Intel, narrow: Intel, reader: str
) -> None:
    before = set(questions(whole))
    leak(whole)
    leak(narrow)
    try:
        fresh = set(questions(whole)) - before
        assert {address.rsplit("/", 2)[1] for _, address in fresh} == {"numbers"}
        assert len(fresh) == len(leaks.COLLECTIONS)
        assert all(ask(whole, reader, *q) != ask(narrow, reader, *q) for q in fresh)
    finally:
        unleak(whole)


@pytest.mark.parametrize("reader", ["public", "bank", "producer"])
def test_head_options_and_conditions_tell_no_more_than_get(
    whole: Intel, narrow: Intel, reader: str
) -> None:
    asked = [q for q in questions(whole) if q[0] == "GET" and changes_nothing(reader, *q)]
    for number, (_, address) in enumerate(asked[::12]):
        more = CONDITIONS[number % len(CONDITIONS)]
        for method, headers in product(("HEAD", "OPTIONS", "GET"), ({}, more)):
            if method == "GET" and not headers:
                continue
            answers = [
                intel.ask(reader, address, method, headers=dict(headers))
                for intel in (whole, narrow)
            ]
            one, other = (
                (answer.status_code, sorted(answer.headers.items()), answer.content)
                for answer in answers
            )
            assert one == other, (method, address, headers)
            if method == "HEAD":
                plain = whole.ask(reader, address)
                assert answers[0].content == b""
                assert sorted(answers[0].headers.items()) == sorted(plain.headers.items())
            if method == "GET":
                assert answers[0].content == whole.ask(reader, address).content
            assert not {"etag", "last-modified"} & set(answers[0].headers)


def test_a_status_of_another_submitter_is_the_unknown_one(base: Intel) -> None:
    told = base.post("feeder", "secret", indicator("status-2.example")).json()
    address = "status/{}/"
    for reader in READERS:
        if reader == "feeder":
            continue
        for method in ("GET", "HEAD", "OPTIONS", "POST", "DELETE"):
            of_another, unknown = (
                base.ask(reader, address.format(status_id), method)
                for status_id in (told["id"], "00000000-0000-4000-8000-000000000000")
            )
            assert of_another.status_code == unknown.status_code
            assert of_another.content == unknown.content
            assert sorted(of_another.headers.items()) == sorted(unknown.headers.items())
            assert method in {"OPTIONS", "POST", "DELETE"} or unknown.status_code == 404
