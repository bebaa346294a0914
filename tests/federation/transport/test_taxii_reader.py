from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from federation.errors import PeerState, PeerUnreachable
from federation.transport.guarded_http import GuardedHttp
from federation.transport.taxii_reader import TaxiiReader
from schemas.errors import WireFormatError
from tests.support.http_server import ScriptedServer, answers, redirects, write_answer

TAXII = "application/taxii+json;version=2.1"
ADDED = "2026-03-01T10:00:00.123456Z"


def envelope(value, status=200, **headers):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return write_answer(status, body, {"Content-Type": TAXII, **headers})


@pytest.fixture
def http():
    with GuardedHttp(allow_loopback=True, max_bytes=100_000) as found:
        yield found


def first_page(script, http, **asked):
    with ScriptedServer(script) as server:
        reader = TaxiiReader(f"{server.base}api/", "c", http=http, user="reader", password="secret")
        page = reader.page(**({"added_after": None, "next_page": None} | asked))
    return page, server.requests


def test_a_page_is_asked_for_where_the_operator_said_with_his_credentials(http):
    script = answers(envelope({"objects": [{"id": "x"}]}, **{"X-TAXII-Date-Added-Last": ADDED}))
    after = datetime(2026, 3, 1, 9, 0, 0, 500, tzinfo=UTC)
    page, [request] = first_page(script, http, added_after=after, next_page="a/b c")
    assert request.target == (
        "/api/collections/c/objects/"
        "?limit=500&added_after=2026-03-01T09%3A00%3A00.0005Z&next=a%2Fb+c"
    )
    assert request.headers["accept"] == TAXII
    assert base64.b64decode(request.headers["authorization"].split()[1]) == b"reader:secret"
    assert page.objects == [{"id": "x"}]
    assert page.last_added == datetime(2026, 3, 1, 10, tzinfo=UTC) + timedelta(microseconds=123456)


def test_the_server_s_own_description_of_the_collection_is_never_asked_for(http):
    _, requests = first_page(answers(envelope({})), http)
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (envelope({}, 401), PeerState, "E_TAXII_REFUSED"),
        (envelope({}, 404), PeerState, "E_TAXII_REFUSED"),
        (envelope({}, 503), PeerUnreachable, "E_TAXII_FAILED"),
        (
            write_answer(200, b"{}", {"Content-Type": "text/html"}),
            PeerUnreachable,
            "E_TAXII_FAILED",
        ),
        (envelope(b'{"objects":[],"objects":[]}'), WireFormatError, "E_JSON_DUPKEY"),
        (envelope(b"[]"), WireFormatError, "E_ENVELOPE"),
        (envelope({"objects": {}}), WireFormatError, "E_ENVELOPE"),
        (envelope({"more": "yes"}), WireFormatError, "E_ENVELOPE"),
        (envelope({"more": True, "next": 1}), WireFormatError, "E_ENVELOPE"),
        (envelope({"more": True, "next": "x" * 5_000}), WireFormatError, "E_ENVELOPE"),
        (envelope(b" " * 200_000), PeerUnreachable, "E_HTTP_TOO_BIG"),
        (envelope({"objects": []}, **{"X-TAXII-Date-Added-Last": "soon"}), None, ""),
    ],
)
def test_whatever_a_server_answers_is_a_page_or_a_named_error(http, answer, error, code):
    if error is None:
        assert first_page(answers(answer), http)[0].last_added is None
        return
    with pytest.raises(error) as caught:
        first_page(answers(answer), http)
    assert caught.value.code == code
    assert "secret" not in str(caught.value)


def test_a_redirect_is_not_followed(http):
    with pytest.raises(PeerUnreachable, match="E_HTTP_REDIRECT"):
        first_page(redirects("http://127.0.0.1:1/"), http)


def test_the_end_has_no_next_page_whatever_the_server_says(http):
    page, _ = first_page(answers(envelope({"more": False, "next": "x"})), http)
    assert (page.more, page.next_page) == (False, None)


@pytest.mark.parametrize(
    "root", ["ftp://taxii.example/", "https://User@x.example/", "https://x/#a"]
)
def test_an_address_that_would_be_rewritten_is_refused(http, root):
    with pytest.raises(PeerUnreachable, match=r"E_HTTP_(URL|SCHEME)"):
        TaxiiReader(root, "c", http=http)
