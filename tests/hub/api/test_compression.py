"""What peers read is compressed, and never so that they would refuse it (PROTOCOL 4.7)."""

from __future__ import annotations

import asyncio
import gzip
import os

import pytest

from federation.transport.bounded_body import BodyLimits, read_bounded
from federation.transport.line import Line
from hub.api.compression import Compression, takes_gzip
from schemas.identifiers import FeedName
from tests.support.nodes import make_node, publish_names, serve_in_thread
from tests.support.publications import join
from tests.support.signed_requests import ask

GZIP = {"Accept-Encoding": "gzip"}


def answer_of(body, path="/taxii2/fed/x", accept="gzip", line=None, **headers):
    """Send a body through the middleware; return the headers and the body on the wire."""
    sent = []

    async def app(_scope, _receive, send):
        start = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        await send({"type": "http.response.body", "body": body})

    async def receive():
        raise NotImplementedError

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": [(b"accept-encoding", accept.encode())]}
    asyncio.run(Compression(app, (line or Line()).outbound)(scope, receive, send))
    return {k.decode(): v.decode() for k, v in sent[0]["headers"]}, sent[1]["body"]


TEXT = b"".join(b'{"name":"n%d.example"}' % number for number in range(2_000))


def test_a_page_goes_out_smaller_to_who_takes_gzip():
    headers, body = answer_of(TEXT)
    assert headers["content-encoding"] == "gzip"
    assert int(headers["content-length"]) == len(body) < len(TEXT)
    assert gzip.decompress(body) == TEXT
    assert "accept-encoding" in headers["vary"].lower()


def test_and_as_it_is_to_everybody_else():
    for options in (
        {"accept": "identity"},
        {"accept": "gzip;q=0"},
        {"accept": "br"},
        {"path": "/taxii2/intel/x"},
    ):
        headers, body = answer_of(TEXT, **options)
        assert body == TEXT
        assert "content-encoding" not in headers


def test_small_answers_and_random_ones_are_left_alone():
    assert answer_of(TEXT[:500])[1] == TEXT[:500]
    noise = os.urandom(5_000)
    assert answer_of(noise)[1] == noise


def test_what_a_peer_would_take_for_a_bomb_goes_out_as_it_is():
    headers, body = answer_of(b" " * 1_000_000)
    assert "content-encoding" not in headers
    assert len(body) == 1_000_000


@pytest.mark.parametrize("size", [1_024, 70_000, 3_000_000])
def test_what_is_compressed_stays_within_a_readers_ratio(size):
    body = (TEXT * (size // len(TEXT) + 1))[:size]
    headers, packed = answer_of(body)
    limits = BodyLimits(4 * 1024 * 1024, 20)
    encoding = headers.get("content-encoding", "")
    assert read_bounded([packed], encoding=encoding, limits=limits) == body


def test_what_goes_out_counts_against_the_line():
    line = Line(8, clock=lambda: 0.0)
    _, body = answer_of(TEXT, line=line)
    assert line.outbound.wait_for(7) == pytest.approx(len(body) / 1_000)


@pytest.mark.parametrize(
    ("header", "takes"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("*", False), ("", False), ("gzip; q=0", False)],
)
def test_only_a_plain_yes_is_one(header, takes):
    assert takes_gzip(header) is takes


def test_a_64_object_entry_of_real_form_weighs_under_200_bytes_an_object(tmp_path):
    """Issue 4 "Speed": over the wire, compressed, with everything around the entry."""
    a, b = (make_node(tmp_path, name) for name in ("alpha", "beta"))
    join(a, b)
    names = [
        f"{stem}-{number * 7919:x}.example" for number in range(31) for stem in ("login", "cdn")
    ]
    outcome = publish_names(a, names, "green")
    assert outcome.entries == 1
    feed = FeedName(a.node_id, "green")
    target = f"/taxii2/fed/collections/{feed.collection_id}/objects/"
    with serve_in_thread(a):
        answer = ask(b, a, target, headers={"Accept": "application/taxii+json;version=2.1"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.wire_bytes / len(names) < 200
    assert len(answer.body) / answer.wire_bytes < 20
