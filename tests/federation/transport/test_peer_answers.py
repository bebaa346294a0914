"""What a peer's answer means (PROTOCOL 2.1, 2.6 and 2.9, THREATS 35)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import ChainBroken, PeerState, PeerUnreachable
from federation.transport.guarded_http import HttpAnswer
from federation.transport.peer_answers import (
    JSON_TYPE,
    LONGEST_RETRY_SECONDS,
    TAXII_ACCEPT,
    TAXII_TYPE,
    read_answer,
    read_page,
    retry_after_seconds,
)
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import FeedName, NodeId
from schemas.strict_json import write_json

FEED = FeedName(NodeId("a" * 52), "green", 1)
NOT_FOUND = b'{"title":"Not found","http_status":"404","error_code":"E_NOT_FOUND"}'


def answer(
    status: int = 200, body: bytes = b"{}", content_type: str = JSON_TYPE, **headers: str
) -> HttpAnswer:
    more = {name.replace("_", "-"): text for name, text in headers.items()}
    return HttpAnswer(status, {"content-type": content_type, **more}, body)


def error_of(received: HttpAnswer) -> TocsinError:
    with pytest.raises((PeerState, PeerUnreachable, WireFormatError)) as failure:
        read_answer(received, expected=200, media_type=JSON_TYPE)
    return failure.value


def entry(seq: int, feed: FeedName = FEED) -> dict[str, Any]:
    return {"type": "x-tocsin-entry", "feed": str(feed), "seq": seq, "dsse": {}}


def page_of(*seqs: int, **members: Any) -> dict[str, Any]:
    value: dict[str, Any] = {"more": False, "x_tocsin_head": {"payloadType": "…"}}
    if seqs:
        value["objects"] = [entry(seq) for seq in seqs]
    return value | members


def refusal_of(value: dict[str, Any], after_seq: int = 0) -> str:
    with pytest.raises((ChainBroken, WireFormatError)) as failure:
        read_page(value, feed=FEED, after_seq=after_seq, limit=100)
    return failure.value.code


# -- answers


def test_the_expected_status_and_type_give_the_object() -> None:
    assert read_answer(answer(body=b'{"a":1}'), expected=200, media_type=JSON_TYPE) == {"a": 1}


@pytest.mark.parametrize(
    "content_type",
    [TAXII_ACCEPT, "Application/TAXII+json; version=2.1", 'application/taxii+json;version="2.1"'],
)
def test_taxii_answers_name_their_version_in_any_spelling(content_type: str) -> None:
    received = answer(content_type=content_type)
    assert read_answer(received, expected=200, media_type=TAXII_TYPE) == {}


@pytest.mark.parametrize(
    "content_type",
    ["text/html", "", "application/jsonp", "application/json;version=3.0", "text/json"],
)
def test_another_type_is_no_answer_of_a_hub(content_type: str) -> None:
    failure = error_of(answer(content_type=content_type))
    assert isinstance(failure, PeerUnreachable)
    assert failure.code == "E_HTTP_TYPE"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"a":1,"a":2}', "E_JSON_DUPKEY"),
        (b"\xef\xbb\xbf{}", "E_JSON_BOM"),
        (b"[" * 40 + b"]" * 40, "E_JSON_DEPTH"),
        (b"", "E_JSON_SYNTAX"),
        (b"[]", "E_SCHEMA"),
    ],
)
def test_bodies_are_read_strictly(body: bytes, code: str) -> None:
    assert error_of(answer(body=body)).code == code


def test_a_taxii_error_resource_is_the_peers_own_refusal() -> None:
    failure = error_of(answer(404, NOT_FOUND, TAXII_ACCEPT))
    assert isinstance(failure, PeerState)
    assert failure.code == "E_NOT_FOUND"
    assert failure.params["http_status"] == 404


def test_a_gap_comes_with_the_expected_seq() -> None:
    body = write_json(
        {"title": "Gap", "http_status": "409", "error_code": "E_GAP", "details": {"expected": 7}}
    )
    assert error_of(answer(409, body, TAXII_ACCEPT)).params["expected"] == 7


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html>404</html>", "text/html"),
        (NOT_FOUND, "text/html"),
        (b"{}", TAXII_ACCEPT),
        (b'{"error_code":"E_<script>"}', TAXII_ACCEPT),
        (b'{"error_code":"E_A","error_code":"E_B"}', TAXII_ACCEPT),
        (b'{"error_code":["E_A"]}', TAXII_ACCEPT),
        (b"[1]", TAXII_ACCEPT),
    ],
)
def test_what_a_proxy_wrote_is_not_taken_for_the_peers_word(body: bytes, content_type: str) -> None:
    failure = error_of(answer(404, body, content_type))
    assert isinstance(failure, PeerUnreachable)
    assert failure.code == "E_HTTP_STATUS"


def test_no_text_of_the_peer_gets_into_our_words() -> None:
    body = write_json({"title": "\x1b[31mEVIL", "error_code": "E_POLICY", "details": {"x": "EVIL"}})
    failure = error_of(answer(400, body, TAXII_ACCEPT))
    assert "EVIL" not in f"{failure} {failure.remedy} {failure.params}"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_passing_troubles_are_failures_of_the_wire(status: int) -> None:
    body = write_json({"title": "Later", "http_status": str(status), "error_code": "E_QUOTA"})
    failure = error_of(answer(status, body, TAXII_ACCEPT))
    assert isinstance(failure, PeerUnreachable)
    assert failure.code == "E_QUOTA"


@pytest.mark.parametrize("status", [201, 204, 206])
def test_another_success_than_the_expected_one_is_none(status: int) -> None:
    assert error_of(answer(status)).code == "E_HTTP_STATUS"


@pytest.mark.parametrize(("status", "seconds"), [(429, 30), (503, 30), (500, None)])
def test_retry_after_counts_for_429_and_503(status: int, seconds: int | None) -> None:
    failure = error_of(answer(status, retry_after="30"))
    assert failure.params.get("retry_after") == seconds


def test_retry_after_may_be_a_date_which_counts_from_the_answers_own() -> None:
    headers = {
        "retry-after": "Sun, 01 Mar 2026 10:02:00 GMT",
        "date": "Sun, 01 Mar 2026 10:00:00 GMT",
    }
    assert retry_after_seconds(headers) == 120
    assert retry_after_seconds({"retry-after": headers["retry-after"]}) is None
    assert retry_after_seconds({**headers, "date": "Sun, 01 Mar 2026 11:00:00 GMT"}) == 0


@given(st.text(max_size=60), st.text(max_size=40))
def test_retry_after_is_bounded_whatever_it_says(text: str, date: str) -> None:
    seconds = retry_after_seconds({"retry-after": text, "date": date})
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_SECONDS


def test_nobody_can_send_us_away_for_ever() -> None:
    assert retry_after_seconds({"retry-after": "9" * 5_000}) == LONGEST_RETRY_SECONDS


# -- pages


def test_a_page_with_more_names_its_last_seq_as_the_next() -> None:
    page = read_page(page_of(1, 2, 3, more=True, next="seq:3"), feed=FEED, after_seq=0, limit=100)
    assert (page.more, page.next_seq, len(page.objects)) == (True, 3, 3)


def test_an_empty_last_page_has_no_objects_and_no_next() -> None:
    page = read_page(page_of(), feed=FEED, after_seq=812, limit=100)
    assert (page.more, page.next_seq, page.objects) == (False, None, [])
    assert page.relay_head is None
    assert page.anchor is None


def test_heads_and_anchor_go_on_as_they_came() -> None:
    value = page_of(8, x_tocsin_relay_head={"r": 1}, x_tocsin_anchor={"a": 7})
    page = read_page(value, feed=FEED, after_seq=0, limit=100)
    assert (page.relay_head, page.anchor) == ({"r": 1}, {"a": 7})


@pytest.mark.parametrize(
    "value",
    [
        page_of(1, 2, more=True, next="seq:2"),  # the page that we have already
        page_of(more=True, next="seq:3"),
        page_of(3, 4, more=True),
        page_of(3, 4, more=True, next="seq:3"),
        page_of(3, 4, more=True, next="seq:5"),
        page_of(3, 4, more=True, next="seq:04"),
        page_of(3, 4, more=True, next=4),
        page_of(3, 3, more=True, next="seq:3"),
        page_of(4, 3),
    ],
)
def test_a_page_that_does_not_get_us_on_stalls(value: dict[str, Any]) -> None:
    assert refusal_of(value, after_seq=2) == "E_CURSOR_STALL"


def test_an_entry_of_another_feed_is_told_at_once() -> None:
    other = entry(1, FeedName(NodeId("a" * 52), "clear", 1))
    assert refusal_of(page_of(objects=[other])) == "E_FEED"


@pytest.mark.parametrize(
    "value",
    [
        page_of(more="true"),
        page_of(more=1),
        page_of(objects={}),
        page_of(objects=[1]),
        page_of(objects=[{"feed": str(FEED)}]),
        page_of(objects=[entry(1) | {"seq": True}]),
        page_of(objects=[entry(1) | {"seq": "1"}]),
        page_of(objects=[entry(0)]),
        page_of(*range(1, 102)),
        page_of(x_tocsin_head=None),
        page_of(x_tocsin_head=[]),
        page_of(x_tocsin_relay_head=None),
        page_of(x_tocsin_anchor="x"),
        {"more": False},
    ],
)
def test_a_malformed_page_is_rejected(value: dict[str, Any]) -> None:
    assert refusal_of(value) == "E_SCHEMA"


@given(
    after=st.integers(0, 50),
    pages=st.lists(
        st.tuples(st.lists(st.integers(1, 60), max_size=5), st.booleans(), st.integers(0, 60)),
        max_size=80,
    ),
)
def test_whatever_a_server_sends_the_cursor_only_rises(
    after: int, pages: list[tuple[list[int], bool, int]]
) -> None:
    cursor = after
    for seqs, more, following in pages:
        value = page_of(*seqs, more=more, next=f"seq:{following}")
        try:
            page = read_page(value, feed=FEED, after_seq=cursor, limit=100)
        except ChainBroken:
            break
        if page.next_seq is None:
            break
        assert page.next_seq > cursor
        cursor = page.next_seq
