"""Lists of domain sets come by their digest, whole or not at all (PROTOCOL 2.6, THREATS 31)."""

from __future__ import annotations

import dataclasses
import gzip
import itertools

import pytest

from federation.errors import PeerState, PeerUnreachable, SignatureRejected
from federation.transport.guarded_http import GuardedHttp
from federation.transport.line import Line
from hub.errors import Conflict, RateLimited
from hub.exchange.withdraw import withdraw_object
from hub.monitoring.alarms import BLOB_WRONG, BLOBS_MISSING, list_alarms
from hub.monitoring.watch import watch_exchange
from hub.peers.fetch_blobs import fetch_blob
from hub.peers.trust import PeerChanges, set_peer
from hub.peers.wanted_blobs import BLOB, KEPT_FOR, MOST_OF_ONE, plan_blobs
from hub.storage.queries.blobs import add_bytes, update_blob
from hub.storage.queries.conduct import count_signature_failures
from hub.storage.queries.feeds import find_feed, update_feed
from hub.storage.queries.jobs import subjects_with_job
from hub.storage.queries.peers import objects_today
from hub.workers.jobs import run_due_jobs
from hub.workers.schedule import plan_work
from schemas.dns.domain_sets import SetLine, find_delta, write_list
from schemas.identifiers import FeedName
from tests.support.bad_line import BadLine, Weather
from tests.support.blobs import (
    blob_at,
    bytes_at,
    digest,
    keep_blob,
    noise,
    publish_set,
    set_states,
)
from tests.support.http_server import ScriptedServer, answers, endless, write_answer
from tests.support.joined_nodes import direct, sync
from tests.support.nodes import (
    FixedClock,
    Serving,
    free_port,
    give_trust,
    make_node,
    peer_of,
    port_of,
    serving,
)
from tests.support.publications import join, stix_id
from tests.support.stored_state import rows_of

SIZE = 300_000
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """a publishes, c relays it and holds its blobs, b fetches; all have one clock."""
    home = tmp_path_factory.mktemp("fetch")
    clock = FixedClock()
    a, b, c = (make_node(home, name, clock) for name in ("alpha", "beta", "gamma"))
    for node, other, trust in ((a, b, "trusted"), (b, a, "partner"), (c, b, "trusted")):
        join(node, other, trust)
    for node, other in ((a, c), (c, a), (b, c)):
        join(node, other, "trusted")
    with serving(a, c):
        for node in (a, c):
            lead_to(b, node.node_id, f"http://127.0.0.1:{port_of(node)}/")
        yield a, b, c


@pytest.fixture
def a(nodes):
    return nodes[0]


@pytest.fixture
def c(nodes):
    return nodes[2]


@pytest.fixture
def b(nodes):
    """The fetching node, which forgets afterwards what a test made of its peers and alarms."""
    node = nodes[1]
    bases = rows_of(node, "SELECT node_id, base FROM peers")
    yield node
    with node.database.write() as tx:
        for table in ("jobs", "alarms", "signature_failures", "peer_days", "blob_gifts"):
            tx.connection.exec_driver_sql(f"DELETE FROM {table}")
        tx.connection.exec_driver_sql("DELETE FROM blobs WHERE state = 'wanted'")
        tx.connection.exec_driver_sql("DELETE FROM domain_sets WHERE state = 'waits'")
    for row in bases:
        lead_to(node, row["node_id"], row["base"])


def lead_to(node, node_id, base):
    with node.database.write() as tx:
        tx.connection.exec_driver_sql(
            f"UPDATE peers SET base = '{base}', failures = 0, page_limit = NULL"
            f" WHERE node_id = '{node_id}'"
        )


def bring(a, b, c=None):
    """Let b have what a published, by way of c where it is given."""
    for origin, node, via in ((a, c, None), (a, b, c)):
        if node is not None:
            assert [page.error for page in sync(origin, node, "green", via=via)].count(None)
            keep_head(node, origin)


def keep_head(node, origin):
    """Let a node hold the origin's newest head, without which it relays nothing."""
    feed = FeedName(origin.node_id, "green")
    with origin.database.read() as tx:
        theirs = find_feed(tx, feed)
    with node.database.write() as tx:
        held = find_feed(tx, feed)
        update_feed(
            tx, held.feed_row, head=theirs.head, head_seq=theirs.head_seq, head_ts=theirs.head_ts
        )


def new_set(a, b, c=None, data=None, **more):
    """Publish a set that b wants by now; with c, that relays it and holds the blob too."""
    number = next(numbers)
    data = noise(SIZE, number) if data is None else data
    publish_set(a, data, "green", number=number, **more)
    if c is not None:
        keep_blob(c, data, a)
    bring(a, b, c)
    plan_blobs(b)
    return data, number


def state(node, data):
    found = blob_at(node, data)
    return None if found is None else (found.state, found.held)


def set_of(node, data):
    (row,) = rows_of(node, f"SELECT state FROM domain_sets WHERE sha256 = '{digest(data)}'")
    return row["state"]


def wrong_of(node, data):
    return set(blob_at(node, data).wrong or {})


def open_alarms(node):
    return {alarm.code: dict(alarm.params) for alarm in list_alarms(node)}


def answer_with(data, total=None, start=0, **headers):
    """An answer to the request for a blob, from ``start`` on."""
    total = len(data) if total is None else total
    ranged = {"Content-Range": f"bytes {start}-{len(data) - 1}/{total}"} if start else {}
    return answers(write_answer(206 if start else 200, data[start:], ranged | headers))


def test_the_list_of_an_accepted_set_is_asked_for_by_a_job_and_held(a, b):
    data, number = new_set(a, b)
    with b.database.read() as tx:
        assert digest(data) in subjects_with_job(tx, BLOB)
    assert state(b, data) == ("wanted", 0)
    while run_due_jobs(b):
        pass
    assert state(b, data) == ("held", SIZE)
    assert bytes_at(b, data) == data
    rows = rows_of(
        b, f"SELECT s.state FROM domain_sets s WHERE sha256 = '{digest(data)}' ORDER BY 1"
    )
    assert {row["state"] for row in rows} <= {"held", "expanding", "expanded", "refused"}
    assert set_states(b, number) == ["accepted"]


def test_it_costs_its_bytes_and_a_head(a, b):
    """1.8 MB over the wire: what is added is one request and one answer's head."""
    data, _ = new_set(a, b, data=noise(1_800_000, 77))
    passed = []
    with GuardedHttp(allow_loopback=True) as http:
        plain = http.stream

        def counted(url, headers):
            passed.append(len(url) + sum(len(n) + len(t) + 4 for n, t in headers.items()))
            return plain(url, headers=headers)

        http.stream = counted  # type: ignore[method-assign]
        assert fetch_blob(b, digest(data), http=http)
    assert len(passed) == 1
    assert passed[0] < 700


def test_it_counts_as_objects_against_its_origins_day(a, b):
    data, _ = new_set(a, b)
    day = b.now().date().isoformat()
    with b.database.read() as tx:
        before = objects_today(tx, a.node_id, day)
    fetch_blob(b, digest(data))
    with b.database.read() as tx:
        assert objects_today(tx, a.node_id, day) - before == -(-SIZE // 4096)


def test_what_waits_in_quarantine_waits_for_its_list_too(a, b):
    give_trust(b, a, "known")
    try:
        data, number = new_set(a, b)
        assert set_states(b, number) == ["quarantined"]
        assert state(b, data) is None
    finally:
        give_trust(b, a, "partner")  # which releases what waited for it
    assert set_states(b, number) == ["accepted"]
    plan_work(b)
    assert state(b, data) == ("wanted", 0)


def test_an_exercise_has_no_list(a, b):
    data, _ = new_set(a, b, exercise=True)
    assert state(b, data) is None


def test_t34_the_url_of_a_set_is_never_followed(a, b):
    with ScriptedServer(answers(write_answer(200, b"x"))) as elsewhere:
        data, _ = new_set(a, b, facts={"url": f"{elsewhere.base}list.gz"})
        assert fetch_blob(b, digest(data))
        missing, _ = new_set(a, b, data=digest(b"nobody has it"), facts={"url": elsewhere.base})
        with pytest.raises(PeerState):
            fetch_blob(b, missing)
        assert elsewhere.connections == 0


def test_a_line_that_cuts_after_300_kib_costs_what_was_on_the_wire(tmp_path):
    front, behind = free_port(), free_port()
    clock = FixedClock()
    a = make_node(tmp_path, "alpha", clock, base_url=f"http://127.0.0.1:{front}/")
    b = make_node(tmp_path, "beta", clock)
    weather = [Weather()]
    with BadLine(front, behind, weather=lambda: weather[0]), Serving(a, behind):
        join(a, b)
        join(b, a)
        lead_to(b, a.node_id, f"http://127.0.0.1:{front}/")
        data, _ = new_set(a, b, data=noise(1_800_000, 3))
        weather[0] = Weather(cut_after=300 * 1024)
        asked = []
        with GuardedHttp(allow_loopback=True) as http:
            plain = http.stream

            def noted(url, headers):
                asked.append(headers.get("Range"))
                return plain(url, headers=headers)

            http.stream = noted  # type: ignore[method-assign]
            assert fetch_blob(b, digest(data), http=http)
    assert bytes_at(b, data) == data
    assert len(asked) == 6  # each brings 300 KiB less its head, and none brings a byte twice
    assert asked[0] == "bytes=0-"
    assert all(range_.startswith("bytes=30") for range_ in asked[1:2])


def test_it_goes_on_after_a_restart_of_this_node(a, b):
    data, _ = new_set(a, b)
    with b.database.write() as tx:
        update_blob(tx, digest(data), size=SIZE)
        add_bytes(tx, digest(data), 0, data[:270_000], sender=a.node_id)
        add_bytes(tx, digest(data), 270_000, data[270_000:270_001], sender=a.node_id)
    with ScriptedServer(answer_with(data, start=270_001)) as server:
        lead_to(b, a.node_id, server.base)
        assert fetch_blob(b, digest(data))
        assert server.requests[0].headers["range"] == "bytes=270001-"
    assert bytes_at(b, data) == data


def test_a_node_that_ended_before_the_comparison_compares(a, b):
    data, _ = new_set(a, b)
    with b.database.write() as tx:
        update_blob(tx, digest(data), size=SIZE)
        add_bytes(tx, digest(data), 0, data, sender=a.node_id)
    lead_to(b, a.node_id, "http://127.0.0.1:9/")
    assert fetch_blob(b, digest(data))
    assert state(b, data) == ("held", SIZE)


def test_other_bytes_are_dropped_counted_and_asked_of_another(a, b, c):
    data, _ = new_set(a, b, c)
    with ScriptedServer(answer_with(noise(SIZE, 999))) as liar:
        lead_to(b, a.node_id, liar.base)
        assert fetch_blob(b, digest(data))
        assert len(liar.requests) == 1
    assert bytes_at(b, data) == data
    with b.database.read() as tx:
        assert count_signature_failures(tx, a.node_id) == 1
        # The lie used up nothing of the origin's day, but its sender's alone: here the same.
        assert objects_today(tx, c.node_id, b.now().date().isoformat()) == 0
    assert open_alarms(b)[BLOB_WRONG]["sha256"] == digest(data)


def test_who_gave_other_bytes_is_not_asked_for_them_again_for_a_day(a, b):
    data, _ = new_set(a, b)
    with ScriptedServer(answer_with(b"other")) as liar:
        lead_to(b, a.node_id, liar.base)
        with pytest.raises(SignatureRejected) as refused:
            fetch_blob(b, digest(data))
        assert refused.value.code == "E_BLOB_DIGEST"
        with pytest.raises(PeerState):
            fetch_blob(b, digest(data))
        assert len(liar.requests) == 1
    assert wrong_of(b, data) == {a.node_id}
    assert blob_at(b, data).held == 0


@pytest.mark.parametrize(
    "lie",
    [
        endless(),
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 1000),
        answers(b"HTTP/1.1 206 X\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n12345"),
        answers(b"HTTP/1.1 206 X\r\nContent-Range: bytes 0-9/5\r\nContent-Length: 5\r\n\r\n12345"),
        answers(write_answer(200, gzip.compress(b"x" * 1000), {"Content-Encoding": "gzip"})),
        answers(write_answer(200, b"")),
        answers(write_answer(302, b"", {"Location": "http://127.0.0.1:1/"})),
        answers(write_answer(500, b"<html>")),
    ],
    ids=["endless", "length", "elsewhere", "beyond", "gzip", "nothing", "redirect", "broken"],
)
def test_t31_t33_t36_a_liar_loses_and_the_next_gives_it(a, b, c, lie):
    data, _ = new_set(a, b, c)
    with ScriptedServer(lie) as liar:
        lead_to(b, a.node_id, liar.base)
        assert fetch_blob(b, digest(data))
        assert liar.connections == 1
    assert bytes_at(b, data) == data
    assert rows_of(b, "SELECT max(length(content)) AS most FROM blob_parts")[0]["most"] <= 262_144


def test_a_beginning_that_was_a_lie_accuses_nobody_who_went_on_from_it(a, b, c):
    """The liar breaks off, an honest peer goes on: together it is wrong, and nobody is charged."""
    data, _ = new_set(a, b, c)
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + noise(100_000, 5)

    def breaks_off(_request, connection):
        connection.send(cut)
        return False

    with ScriptedServer(breaks_off) as liar:
        lead_to(b, a.node_id, liar.base)
        assert fetch_blob(b, digest(data))
    assert bytes_at(b, data) == data
    with b.database.read() as tx:
        assert count_signature_failures(tx, c.node_id) == 0


def test_a_size_that_was_a_lie_keeps_nobody_honest_out(a, b, c):
    data, _ = new_set(a, b, c)
    with b.database.write() as tx:
        update_blob(tx, digest(data), size=9_000_000)
        add_bytes(tx, digest(data), 0, noise(5_000_000), sender=a.node_id)
    lead_to(b, a.node_id, "http://127.0.0.1:9/")
    assert fetch_blob(b, digest(data))
    assert bytes_at(b, data) == data


def test_an_origin_that_is_away_is_asked_last(a, b, c):
    data, _ = new_set(a, b, c)
    with ScriptedServer(answers(write_answer(500))) as away:
        lead_to(b, a.node_id, away.base)
        with b.database.write() as tx:
            tx.connection.exec_driver_sql(
                f"UPDATE peers SET failures = 1 WHERE node_id = '{a.node_id}'"
            )
        assert fetch_blob(b, digest(data))
        assert not away.requests


def test_what_only_a_narrow_feed_names_is_asked_of_its_origin_alone(a, b, c):
    """To anybody else the question would tell that there is such a list."""
    number = next(numbers)
    data = noise(1_000, number)
    publish_set(a, data, "amber", [b], number=number)
    sync(a, b, direct(b))
    plan_blobs(b)
    keep_blob(c, data)
    lead_to(b, a.node_id, "http://127.0.0.1:9/")
    with ScriptedServer(answers(write_answer(500))) as other:
        lead_to(b, c.node_id, other.base)
        with pytest.raises(PeerUnreachable):
            fetch_blob(b, digest(data))
        assert not other.requests


def test_a_blob_nobody_gives_is_tried_again_and_becomes_an_alarm(a, b):
    clock = b.clock
    missing, _ = new_set(a, b, data=digest(b"lost"))
    while run_due_jobs(b):
        pass
    (job,) = rows_of(b, f"SELECT attempts, last_error FROM jobs WHERE subject = '{missing}'")
    assert job == {"attempts": 1, "last_error": "E_NOT_FOUND"}
    assert BLOBS_MISSING not in open_alarms(b)
    before = clock.at
    clock.advance(hours=2)
    try:
        watch_exchange(b)
        told = open_alarms(b)[BLOBS_MISSING]
        assert (told["lists"], told["error"]) == (1, "E_NOT_FOUND")
        with b.database.write() as tx:
            tx.connection.exec_driver_sql("DELETE FROM blobs WHERE state = 'wanted'")
        watch_exchange(b)
        assert BLOBS_MISSING not in open_alarms(b)
    finally:
        clock.at = before


def test_an_origin_that_had_its_day_waits_until_tomorrow(a, b):
    data, _ = new_set(a, b)
    set_peer(b, peer_of(b, a), PeerChanges(limit=1))
    try:
        with pytest.raises(RateLimited) as refused:
            fetch_blob(b, digest(data))
        assert refused.value.code == "E_QUOTA"
        assert refused.value.params["retry_after"] == 14 * 3600
        assert state(b, data) == ("wanted", 0)
    finally:
        set_peer(b, peer_of(b, a), PeerChanges(limit=200_000))


def test_all_blobs_together_have_what_the_setting_allows(a, b):
    data, _ = new_set(a, b)
    small = dataclasses.replace(b, settings=b.settings.model_copy(update={"blob_store_mib": 1}))
    keep_blob(b, noise(500_000, 8))
    with pytest.raises(Conflict) as refused:
        fetch_blob(small, digest(data))
    assert refused.value.code == "E_BLOB_STORE"
    assert state(b, data) == ("wanted", 0)
    watch_exchange(small)
    assert "BLOB_STORE_FULL" in open_alarms(b)


def test_one_origin_has_a_quarter_of_the_store(a, b):
    data, _ = new_set(a, b)
    small = dataclasses.replace(b, settings=b.settings.model_copy(update={"blob_store_mib": 40}))
    keep_blob(b, noise(10_400_000, 9), a)
    with pytest.raises(Conflict) as refused:
        fetch_blob(small, digest(data))
    assert refused.value.code == "E_BLOB_STORE"
    assert a.node_id in str(refused.value)


def test_t46_a_list_that_another_gave_is_fetched_like_one_that_is_not_here(a, b, c):
    """The same request as for a list that is unknown, all its bytes, and then it counts."""
    data, _ = new_set(a, b)
    keep_blob(b, data, c)
    assert set_of(b, data) == "waits"
    other, _ = new_set(a, b)
    asked = []
    for each in (data, other):
        with ScriptedServer(answer_with(each)) as server:
            lead_to(b, a.node_id, server.base)
            assert fetch_blob(b, digest(each))
            (request,) = server.requests
            asked.append((request.headers["range"], request.target.count(digest(each))))
    assert asked[0] == asked[1] == ("bytes=0-", 1)
    assert set_of(b, data) == "held"
    assert rows_of(b, "SELECT 1 FROM blobs WHERE state = 'wanted'") == []


def test_t46_other_bytes_for_a_list_that_is_here_do_not_count_and_spoil_nothing(a, b, c):
    data, _ = new_set(a, b)
    keep_blob(b, data, c)
    with ScriptedServer(answer_with(noise(SIZE, 998))) as liar:
        lead_to(b, a.node_id, liar.base)
        with pytest.raises(SignatureRejected):
            fetch_blob(b, digest(data))
        with pytest.raises(PeerState):
            fetch_blob(b, digest(data))
        assert len(liar.requests) == 1
    assert set_of(b, data) == "waits"
    assert bytes_at(b, data) == data


def test_of_one_origin_so_many_are_asked_for_at_a_time(a, b):
    missing = [digest(b"%d" % number) for number in range(MOST_OF_ONE + 3)]
    for name in missing:
        publish_set(a, name, "green", number=next(numbers))
    bring(a, b)
    plan_blobs(b)
    assert len(rows_of(b, "SELECT 1 FROM blobs WHERE state = 'wanted'")) == MOST_OF_ONE
    with a.database.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM domain_sets WHERE domain_count = 2")


def test_on_a_thin_line_it_comes_in_steps_and_after_all_else(a, b):
    data, _ = new_set(a, b, data=noise(50_000, 4))
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    line = Line(16, clock=lambda: now[0], sleep=sleep)
    line.inbound.spend(2_000)
    thin = dataclasses.replace(b, line=line)
    with ScriptedServer(lambda request, connection: _range_of(data, request, connection)) as server:
        lead_to(b, a.node_id, server.base)
        assert fetch_blob(thin, digest(data))
        asked = [request.headers["range"] for request in server.requests]
    assert asked[0] == "bytes=0-16383"
    assert len(asked) == 4
    # 2,000 bytes a second: the debt before it, and each step but the last, was waited for.
    assert now[0] == pytest.approx((2_000 + 3 * 16_384) / 2_000, abs=1)


def test_a_peer_with_a_busy_line_is_waited_for_a_moment(a, b):
    data, _ = new_set(a, b)
    forever, _ = new_set(a, b)
    busy = write_answer(429, b"", {"Retry-After": "3"})
    naps = []
    with ScriptedServer(answers(busy, busy, write_answer(200, data))) as server:
        lead_to(b, a.node_id, server.base)
        assert fetch_blob(b, digest(data), sleep=naps.append)
    assert sum(naps) == 6
    with ScriptedServer(answers(busy)) as server:
        lead_to(b, a.node_id, server.base)
        with pytest.raises(PeerUnreachable) as refused:
            fetch_blob(b, digest(forever), sleep=naps.append)
        assert refused.value.params["retry_after"] == 3
        assert len(server.requests) == 5


def _range_of(data, request, connection):
    first, last = map(int, request.headers["range"].removeprefix("bytes=").split("-"))
    part = data[first : last + 1]
    headers = {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(data)}"}
    connection.send(write_answer(206, part, headers))
    return True


class TestDeltas:
    BASE = write_list(SetLine(f"n{number}.example") for number in range(2_000))
    WHOLE = write_list(SetLine(f"n{number}.example") for number in range(3, 2_004))

    def delta(self, added=None):
        come, gone = find_delta(self.BASE.data, self.WHOLE.data, dated=False)
        return come, gone, {
            "base_sha256": self.BASE.sha256,
            "added": (added or come).sha256,
            "removed": gone.sha256,
        }  # fmt: skip

    def forget(self, node):
        with node.database.write() as tx:
            for table in ("blobs", "blob_parts", "blob_gifts", "domain_sets"):
                tx.connection.exec_driver_sql(f"DELETE FROM {table}")

    def test_the_small_lists_are_enough_where_the_base_is_held(self, a, b):
        self.forget(b)
        keep_blob(b, self.BASE.data, a)
        come, gone, delta = self.delta()
        keep_blob(a, come.data)
        keep_blob(a, gone.data)
        new_set(a, b, data=self.WHOLE.data, facts={"delta": delta, "domain_count": 2_001})
        with a.database.write() as tx:
            tx.connection.exec_driver_sql(
                f"UPDATE blobs SET state = 'wanted' WHERE sha256 = '{self.WHOLE.sha256}'"
            )
        assert fetch_blob(b, self.WHOLE.sha256)
        assert bytes_at(b, self.WHOLE.data) == self.WHOLE.data
        # Peers behind this node may build it too.
        assert bytes_at(b, come.data) == come.data

    def test_t46_a_base_that_its_origin_did_not_give_is_not_used(self, a, b, c):
        """By the small lists it would see that the base is here."""
        self.forget(b)
        self.forget(a)
        keep_blob(b, self.BASE.data, c)
        come, gone, delta = self.delta()
        keep_blob(a, come.data)
        keep_blob(a, gone.data)
        new_set(a, b, data=self.WHOLE.data, facts={"delta": delta, "domain_count": 2_001})
        assert fetch_blob(b, self.WHOLE.sha256)
        assert bytes_at(b, self.WHOLE.data) == self.WHOLE.data
        assert blob_at(b, come.data) is None

    def test_where_they_do_not_make_it_the_whole_is_fetched(self, a, b):
        self.forget(b)
        self.forget(a)
        keep_blob(b, self.BASE.data, a)
        wrong = write_list([SetLine("wrong.example")])
        _, gone, delta = self.delta(added=wrong)
        keep_blob(a, wrong.data)
        keep_blob(a, gone.data)
        new_set(a, b, data=self.WHOLE.data, facts={"delta": delta, "domain_count": 2_001})
        assert fetch_blob(b, self.WHOLE.sha256)
        assert bytes_at(b, self.WHOLE.data) == self.WHOLE.data

    def test_t36_a_delta_that_makes_another_list_counts_as_the_list_that_was_read(self, a, b):
        self.forget(b)
        self.forget(a)
        keep_blob(b, self.BASE.data, a)
        keep_blob(a, (wrong := write_list([SetLine("wrong.example")])).data)
        _, gone, delta = self.delta(added=wrong)
        keep_blob(a, gone.data)
        new_set(a, b, data=self.WHOLE.data, facts={"delta": delta, "domain_count": 2_001})
        day = b.now().date().isoformat()
        with b.database.read() as tx:
            before = objects_today(tx, a.node_id, day)
        assert fetch_blob(b, self.WHOLE.sha256)
        came = sum(-(-len(part.data) // 4096) for part in (wrong, gone, self.WHOLE))
        with b.database.read() as tx:
            spent = objects_today(tx, a.node_id, day) - before
        assert spent == came + -(-len(self.BASE.data) // 4096)

    def test_pieces_that_did_not_come_are_forgotten_with_the_whole_there(self, a, b):
        self.forget(b)
        self.forget(a)
        keep_blob(b, self.BASE.data, a)
        _, _, delta = self.delta()
        new_set(a, b, data=self.WHOLE.data, facts={"delta": delta, "domain_count": 2_001})
        assert fetch_blob(b, self.WHOLE.sha256)
        assert rows_of(b, "SELECT 1 FROM blobs WHERE state = 'wanted'") == []


class TestLettingGo:
    def names(self, node):
        return {row["sha256"] for row in rows_of(node, "SELECT sha256 FROM blobs")}

    def later(self, node, **by):
        before = node.clock.at
        node.clock.advance(**by)
        plan_blobs(node)
        found = self.names(node)
        node.clock.at = before
        return found

    def test_a_withdrawn_set_lets_its_list_go_everywhere(self, a, b):
        data, number = new_set(a, b)
        fetch_blob(b, digest(data))
        assert digest(data) in self.later(b, hours=2)
        withdraw_object(a, stix_id("grouping", number), "wrong")
        bring(a, b)
        plan_blobs(b)
        assert digest(data) in self.names(b)  # for an hour it may be that its entry is to come
        for node in (a, b):
            assert digest(data) not in self.later(node, hours=2)

    def test_an_ended_set_keeps_its_list_for_a_month(self, a, b):
        data, _ = new_set(a, b, facts={"valid_until": "2026-04-01T00:00:00.000Z"})
        fetch_blob(b, digest(data))
        ends = 31 - 1
        assert digest(data) in self.later(b, days=ends + KEPT_FOR.days - 1)
        assert digest(data) not in self.later(b, days=ends + KEPT_FOR.days + 2)

    def test_what_a_person_adopted_stays(self, a, b):
        data, number = new_set(a, b)
        fetch_blob(b, digest(data))
        with b.database.write() as tx:
            tx.connection.exec_driver_sql(
                "INSERT INTO adopted_sets (sha256, reason, actor, adopted_at)"
                f" VALUES ('{digest(data)}', 'seen', 'operator', 0)"
            )
        withdraw_object(a, stix_id("grouping", number), "wrong")
        bring(a, b)
        assert digest(data) in self.later(b, hours=2)


def test_nothing_is_asked_while_nothing_is_wanted(b, a):
    with ScriptedServer(answers(write_answer(500))) as server:
        lead_to(b, a.node_id, server.base)
        assert fetch_blob(b, "0" * 64)
        assert fetch_blob(b, keep_blob(b, noise(100, 50)))
        assert not server.requests


def test_a_wire_that_is_down_leaves_it_for_the_next_turn(a, b):
    data, _ = new_set(a, b)
    lead_to(b, a.node_id, "http://127.0.0.1:9/")
    with pytest.raises(PeerUnreachable):
        fetch_blob(b, digest(data))
    assert blob_at(b, data).code == "E_HTTP_CONNECT"


def test_t46_who_names_a_list_itself_gives_it_for_its_own_sets_alone(a, b, c):
    """It gave it to us for its own, under its label; the origin that it relays need not have it."""
    data, _ = new_set(a, b, c)
    publish_set(c, data, "green", number=next(numbers))
    sync(c, b, "green")
    plan_blobs(b)
    lead_to(b, a.node_id, "http://127.0.0.1:9/")
    with pytest.raises(PeerUnreachable):
        fetch_blob(b, digest(data))
    rows = rows_of(
        b,
        "SELECT o.origin, s.state FROM domain_sets s JOIN objects o ON o.object_row = s.object_row"
        f" WHERE s.sha256 = '{digest(data)}'",
    )
    assert {row["origin"]: row["state"] for row in rows} == {a.node_id: "waits", c.node_id: "held"}
