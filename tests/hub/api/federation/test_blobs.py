"""Blobs over HTTP: fetched by their digest, posted by who cannot be reached (PROTOCOL 2.6)."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from federation.transport.line import Direction, Line
from hub.peers.pull import pull_peer
from hub.storage.queries.peers import objects_today
from schemas.strict_json import strict_loads
from tests.support.blobs import blob_at, bytes_at, digest, noise, publish_set, set_states
from tests.support.nodes import FixedClock, give_trust, make_node, pair, peer_of, serving
from tests.support.signed_requests import NOT_FOUND, ask, code_of, send
from tests.support.stored_state import rows_of

DATA = noise(300_000)
TEXT = b"a.example\n" * 5_000
AMBER = noise(2_000, 2)
numbers = itertools.count(10)


class Counting(Direction):
    """A line without a budget that knows what went over it."""

    total = 0

    def spend(self, size):
        self.total += size


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """a with a GREEN set, a GREEN one that would pack, and an AMBER one for b; c is a member."""
    home = tmp_path_factory.mktemp("blobs")
    clock = FixedClock()
    a, b, c = (make_node(home, name, clock) for name in ("alpha", "beta", "gamma"))
    counted = dataclasses.replace(a, line=Line())
    counted.line.outbound = Counting(None)
    with serving(counted, b):
        pair(counted, b, "trusted")
        pair(counted, c, "member")
        publish_set(a, DATA, "green", number=1)
        publish_set(a, TEXT, "green", number=2)
        publish_set(a, AMBER, "amber", [b], number=3)
        yield counted, b, c


@pytest.fixture
def a(nodes):
    return nodes[0]


@pytest.fixture
def b(nodes):
    return nodes[1]


@pytest.fixture
def c(nodes):
    return nodes[2]


def path(data):
    return f"/federation/v1/blobs/{data if isinstance(data, str) else digest(data)}"


def test_a_reader_gets_the_bytes_and_their_name(a, b):
    answer = ask(b, a, path(DATA))
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["etag"] == f'"{digest(DATA)}"'
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["accept-ranges"] == "bytes"


def test_a_range_is_206_and_says_which(a, b):
    answer = ask(b, a, path(DATA), headers={"Range": "bytes=299990-"})
    assert (answer.status, answer.body) == (206, DATA[-10:])
    assert answer.headers["content-range"] == "bytes 299990-299999/300000"


def test_a_range_outside_is_416_and_says_the_size(a, b):
    answer = ask(b, a, path(DATA), headers={"Range": "bytes=300000-"})
    assert (answer.status, code_of(answer)) == (416, "E_RANGE")
    assert answer.headers["content-range"] == "bytes */300000"


def test_it_is_never_compressed_and_counts_on_the_line_out(a, b):
    """The digest is of what is served, and a page's compression would hold it all in memory."""
    line = a.line.outbound
    before = line.total
    answer = ask(b, a, path(TEXT))  # the client says that it takes gzip
    assert (answer.headers.get("content-encoding"), answer.wire_bytes) == (None, len(TEXT))
    assert line.total - before == len(TEXT)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH"])
def test_there_is_nothing_else_at_the_address(a, b, method):
    answer = ask(b, a, path(DATA), method=method)
    assert answer.status == 404


def test_who_signs_nothing_is_401(a):
    assert send(a, path(DATA)).status == 401


def test_t46_the_amber_set_of_others_and_no_blob_are_one_answer(a, b, c):
    assert ask(b, a, path(AMBER)).body == AMBER
    for name in (digest(AMBER), "0" * 64, "x", "%00", digest(AMBER).upper()):
        for headers in ({}, {"Range": "bytes=9-5"}):
            answer = ask(c, a, path(name), headers=headers)
            assert (answer.status, answer.body) == (404, NOT_FOUND)
            assert "etag" not in answer.headers
            assert "content-range" not in answer.headers


def test_a_peer_that_was_demoted_loses_it(a, b):
    give_trust(a, b, "known")
    try:
        assert ask(b, a, path(DATA)).status == 404
    finally:
        give_trust(a, b, "trusted")


class TestPosts:
    """b holds an entry of a that names a blob; a posts it, since b could never come for it."""

    @pytest.fixture
    def named(self, a, b):
        """A set of a that b holds, whose blob b lacks."""
        number = next(numbers)
        data = noise(600_000, number)
        publish_set(a, digest(data), "green", number=number)
        assert pull_peer(b, peer_of(b, a)).error is None
        return data

    def post(self, a, b, data, start, end, **bent):
        query = f"?start={start}&size={bent.pop('size', len(data))}"
        target = path(bent.pop("name", digest(data))) + bent.pop("query", query)
        return ask(bent.pop("sender", a), b, target, method="POST", body=data[start:end], **bent)

    def held(self, answer):
        assert answer.status == 202, answer.body
        return strict_loads(answer.body)["held"]

    def test_piece_by_piece_it_comes_and_is_held_when_it_is_right(self, a, b, named):
        assert self.held(self.post(a, b, named, 0, 400_000)) == 400_000
        assert blob_at(b, named) is None  # it lies apart until it is whole
        assert self.held(self.post(a, b, named, 400_000, 600_000)) == 600_000
        assert bytes_at(b, named) == named
        assert self.held(self.post(a, b, named, 0, 10)) == 600_000

    def test_bytes_that_do_not_go_on_are_told_where_to(self, a, b, named):
        self.post(a, b, named, 0, 1_000)
        answer = self.post(a, b, named, 2_000, 3_000)
        assert (answer.status, code_of(answer)) == (409, "E_GAP")
        assert strict_loads(answer.body)["details"] == {"expected": 1_000}

    def test_other_bytes_are_dropped_and_counted(self, a, b, named):
        other = noise(1_000, 5)
        answer = self.post(a, b, other, 0, 1_000, name=digest(named))
        assert (answer.status, code_of(answer)) == (422, "E_BLOB_DIGEST")
        assert blob_at(b, named).held == 0
        assert rows_of(b, "SELECT 1 FROM signature_failures") != []

    def test_what_no_set_of_the_poster_names_is_the_one_404(self, a, b, c, named):
        for answer in (
            self.post(a, b, named, 0, 10, name="0" * 64),
            self.post(a, b, named, 0, 10, name="x"),
            self.post(b, a, DATA, 0, 10, sender=b),  # a's own, which b may read
        ):
            assert (answer.status, answer.body) == (404, NOT_FOUND)
        assert self.post(c, b, named, 0, 10, sender=c).status == 401

    def test_it_is_taken_for_what_waits_in_quarantine_too_and_that_is_not_told(self, a, b):
        give_trust(b, a, "known")
        try:
            number = next(numbers)
            data = noise(5_000, number)
            publish_set(a, digest(data), "green", number=number)
            pull_peer(b, peer_of(b, a))
            assert set_states(b, number) == ["quarantined"]
            assert self.held(self.post(a, b, data, 0, 5_000)) == 5_000
        finally:
            give_trust(b, a, "trusted")

    def test_t36_every_byte_counts_when_it_comes(self, a, b, named):
        day = b.now().date().isoformat()
        with b.database.read() as tx:
            before = objects_today(tx, a.node_id, day)
        self.post(a, b, named, 0, 40_960)
        with b.database.read() as tx:
            assert objects_today(tx, a.node_id, day) - before == 10

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("", "E_SCHEMA"),
            ("?start=0", "E_SCHEMA"),
            ("?start=0&size=5", "E_SCHEMA"),
            ("?start=-1&size=10", "E_SCHEMA"),
            ("?start=0&size=10&size=10", "E_SCHEMA"),
            ("?start=0&size=10&x=1", "E_SCHEMA"),
            ("?start=0&size=99999999", "E_TOO_BIG"),
            ("?start=00&size=10", "E_SCHEMA"),
        ],
    )
    def test_a_place_that_is_none_is_refused(self, a, b, named, query, code):
        answer = self.post(a, b, named, 0, 10, query=query)
        assert code_of(answer) == code
