"""EclecticIQ Intelligence Center as a reader of TAXII 2.1.

Its code is not public. From trackers, in reports by its own people and users:
mitre-attack/attack-workbench-taxii-server issue 32 (dates in headers have to be RFC 3339 with six
digits), OpenCTI-Platform/opencti issue 6973 (a date header without a date on an empty page ends its
import). That it parses the body of every error as a TAXII error is the project's own note (issue
3);
mitre-attack/attack-workbench-taxii-server issue 36 is the same complaint of another reader: errors
have to come in TAXII's media type.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from schemas.taxii.media_types import TAXII
from tests.conformance.clients.ground import Ground

SIX_DIGITS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
DATES = ("X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last")
OBJECTS = "{path}objects/"

ERRORS: list[tuple[int, str, str, dict[str, str], bytes | None]] = [
    # status, method, address, headers that differ, body
    (400, "GET", OBJECTS + "?limit=none", {}, None),
    (400, "GET", OBJECTS + "?added_after=yesterday", {}, None),
    (400, "GET", OBJECTS + "?next=nonsense", {}, None),
    (401, "GET", OBJECTS, {"Authorization": "Bearer wrong"}, None),
    (401, "GET", "/taxii2/", {"Authorization": ""}, None),
    (404, "GET", "/taxii2/intel/collections/none/objects/", {}, None),
    (404, "GET", "/taxii2/nowhere/", {}, None),
    (404, "GET", "/elsewhere", {}, None),
    (404, "POST", OBJECTS, {"Content-Type": TAXII}, b"{}"),
    (405, "PUT", OBJECTS, {}, b"{}"),
    (406, "GET", OBJECTS, {"Accept": "application/taxii+json;version=2.0"}, None),
    (413, "POST", OBJECTS, {"who": "writer", "Content-Type": TAXII}, b" " * 200_000),
    (415, "POST", OBJECTS, {"who": "writer", "Content-Type": "text/xml"}, b"<x/>"),
    (422, "POST", OBJECTS, {"who": "writer", "Content-Type": TAXII}, b'{"type":"bundle"}'),
    (400, "POST", OBJECTS, {"who": "writer", "Content-Type": TAXII}, b"{"),
]


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}")
def test_every_error_body_parses_as_a_taxii_error(ground: Ground, case: Any) -> None:
    status, method, address, more, body = case
    headers = {"Accept": TAXII} | more
    who = ground.writer if headers.pop("who", "") else ground.reader
    headers.setdefault("Authorization", ground.basic(who))

    answer = ground.node.ask(method, address.format(path=ground.path), headers, body)

    assert answer.status == status
    assert answer.header("Content-Type") == TAXII
    error = answer.document
    assert isinstance(error["title"], str)
    assert error["title"]
    assert error["http_status"] == str(status)
    assert set(error) <= {
        "title", "description", "error_id", "error_code", "http_status", "external_details",
        "details",
    }  # fmt: skip


def test_the_dates_in_headers_are_rfc_3339_with_six_digits(ground: Ground) -> None:
    ground.add(3)
    for resource in ("objects", "manifest"):
        headers = {"Accept": TAXII, "Authorization": ground.basic()}
        answer = ground.get(f"{ground.path}{resource}/", headers)
        first, last = (answer.header(name) for name in DATES)
        assert first is not None
        assert last is not None
        assert SIX_DIGITS.fullmatch(first)
        assert SIX_DIGITS.fullmatch(last)
        assert first < last


def test_an_empty_page_has_no_date_rather_than_one_that_is_none(ground: Ground) -> None:
    headers = {"Accept": TAXII, "Authorization": ground.basic()}
    answer = ground.get(f"{ground.path}objects/", headers)

    assert answer.document == {"more": False}
    assert [answer.header(name) for name in DATES] == [None, None]
