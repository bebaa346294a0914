from __future__ import annotations

import json
import stat
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from federation.errors import PeerState, PeerUnreachable
from hub.errors import Conflict, Misconfigured, NotFound
from hub.exchange.import_servers import (
    IMPORT,
    ServerRequest,
    add_server,
    list_servers,
    remove_server,
    require_server,
    run_server,
)
from hub.monitoring.alarms import list_alarms
from hub.storage.queries import imports as stored
from hub.storage.queries.jobs import subjects_with_job
from hub.storage.queries.objects import list_objects
from hub.workers.jobs import run_due_jobs
from hub.workers.schedule import plan_work
from schemas.errors import WireFormatError
from schemas.timestamps import write_taxii_time
from tests.support.http_server import ScriptedServer, write_answer
from tests.support.nodes import NOW, FixedClock, make_node
from tests.support.publications import indicator, note

TAXII = "application/taxii+json;version=2.1"


class Feed:
    """A TAXII collection of objects with the instants at which they were added, in pages."""

    def __init__(self, size=2, *, tells_next=True, tells_dates=True):
        self.rows = []
        self.size = size
        self.tells_next = tells_next
        self.tells_dates = tells_dates
        self.status = 200
        self.stalls = self.constant = False
        self.place = 0

    def add(self, *values, at=NOW):
        self.rows += [(at, value) for value in values]

    def __call__(self, request, connection):
        asked = parse_qs(urlsplit(request.target).query)
        after, start = asked.get("added_after", [""])[0], int(asked.get("next", ["0"])[0])
        if self.constant:
            start = self.place = self.place + self.size if "next" in asked else 0
        rows = [row for row in self.rows if _in_full(row[0]) > _in_full(after)]
        part = rows[start : start + self.size]
        more = start + self.size < len(rows)
        value = {"objects": [item for _, item in part], "more": more}
        if more and self.tells_next:
            value["next"] = "0" if self.stalls else str(start + self.size)
        headers = {"Content-Type": TAXII}
        if part and self.tells_dates:
            headers["X-TAXII-Date-Added-Last"] = write_taxii_time(part[-1][0])
        connection.send(write_answer(self.status, json.dumps(value).encode(), headers))
        return True


def _in_full(at):
    text = at if isinstance(at, str) else write_taxii_time(at)
    day, _, fraction = text.removesuffix("Z").partition(".")
    return f"{day}.{fraction:0<6}" if text else ""


@pytest.fixture
def clock():
    return FixedClock(NOW + timedelta(hours=1))


@pytest.fixture
def node(tmp_path, clock):
    return make_node(tmp_path, "cert", clock)


@pytest.fixture
def feed():
    return Feed()


@pytest.fixture
def server(node, feed):
    with ScriptedServer(feed) as found:
        add_server(node, ServerRequest("partner", f"{found.base}api/", "intel"))
        yield found


def held(node):
    with node.database.read() as tx:
        rows = list_objects(tx, origin=node.node_id, state="accepted")
    return {row.stix_id for row in rows if row.stix_type in {"indicator", "note"}}


@pytest.mark.usefixtures("server")
def test_every_page_is_imported_under_one_number(node, feed):
    feed.add(*(indicator(n) for n in range(1, 6)))
    run = run_server(node, "partner")
    assert (run.pages, run.counts["total"], run.counts["taken"]) == (3, 5, 5)
    with node.database.read() as tx:
        [row] = stored.list_imports(tx)
    assert (row.feed, row.format, row.counts["taken"]) == ("partner", "taxii", 5)
    assert len(held(node)) == 5


@pytest.mark.usefixtures("server")
def test_nothing_new_is_no_import(node, feed):
    feed.add(indicator(1))
    first = run_server(node, "partner")
    again = run_server(node, "partner")
    assert again.counts["duplicate"] == 1
    feed.rows.clear()
    assert run_server(node, "partner").import_id is None
    assert first.import_id == 1


@pytest.mark.usefixtures("server")
def test_what_was_added_in_the_instant_of_the_last_position_is_not_lost(node, feed):
    feed.add(indicator(1))
    run_server(node, "partner")
    feed.add(indicator(2))
    run_server(node, "partner")
    assert len(held(node)) == 2


@pytest.mark.usefixtures("server")
def test_what_came_late_into_the_past_is_not_lost(node, feed):
    feed.add(indicator(1))
    run_server(node, "partner")
    feed.add(indicator(2), at=NOW - timedelta(minutes=3))
    feed.rows.sort(key=lambda row: row[0])
    run_server(node, "partner")
    assert len(held(node)) == 2


@pytest.mark.usefixtures("server")
def test_a_server_cannot_make_us_pass_over_what_comes(node, feed):
    feed.add(indicator(1), at=NOW + timedelta(days=10_000))
    run_server(node, "partner")
    assert require_server(node, "partner").position_at == node.now()


@pytest.mark.usefixtures("server")
def test_a_reading_stops_only_where_the_next_one_gets_further(node, feed):
    feed.add(*(indicator(n) for n in range(1, 6)))
    feed.add(*(indicator(n) for n in range(6, 10)), at=NOW + timedelta(seconds=1))
    runs = [run_server(node, "partner", is_stopping=lambda: True)]
    while runs[-1].unfinished:
        runs.append(run_server(node, "partner", is_stopping=lambda: True))
    assert len(held(node)) == 9
    assert 1 < len(runs) < 5


@pytest.mark.usefixtures("server")
def test_a_server_that_does_not_sort_is_read_whole(node, feed):
    for number in range(1, 8):
        feed.add(indicator(number), at=NOW - timedelta(hours=number))
    run = run_server(node, "partner", is_stopping=lambda: len(held(node)) > 2)
    assert not run.unfinished
    assert len(held(node)) == 7


@pytest.mark.usefixtures("server")
def test_one_word_for_all_pages_is_no_stall(node, feed):
    """As medallion 3.0.0 does it: ``next`` stays, and the server moves on behind it."""
    feed.constant = True
    feed.add(*(indicator(n) for n in range(1, 6)))
    run_server(node, "partner")
    assert len(held(node)) == 5


@pytest.mark.usefixtures("server")
def test_a_server_without_next_is_asked_by_dates(node, feed):
    feed.tells_next = False
    for number in range(1, 6):
        feed.add(indicator(number), at=NOW + timedelta(seconds=number))
    run_server(node, "partner")
    assert len(held(node)) == 5


@pytest.mark.parametrize(
    "how", [{"stalls": True}, {"tells_next": False}, {"tells_next": False, "tells_dates": False}]
)
def test_a_server_that_repeats_itself_is_asked_no_further_and_alarms(node, feed, server, how):
    for name, value in how.items():
        setattr(feed, name, value)
    feed.add(*(indicator(n) for n in range(1, 6)))
    with pytest.raises(PeerUnreachable, match="E_TAXII_STALL"):
        run_server(node, "partner")
    assert len(server.requests) < 5
    [alarm] = list_alarms(node)
    assert (alarm.code, alarm.subject, alarm.params["error"]) == (
        "IMPORT_FAILED", "partner", "E_TAXII_STALL",
    )  # fmt: skip


@pytest.mark.usefixtures("server")
def test_an_object_waits_for_what_a_later_page_brings(node, feed):
    about = indicator(9)
    feed.add(note(1, about["id"]), indicator(1), indicator(2), about)
    run = run_server(node, "partner")
    assert not run.refused
    assert run.counts["total"] == run.counts["taken"] == 4
    assert note(1, about["id"])["id"] in held(node)


@pytest.mark.usefixtures("server")
def test_what_never_comes_is_refused_by_name(node, feed):
    feed.add(note(1, indicator(9)["id"]), indicator(1), indicator(2))
    run = run_server(node, "partner")
    assert run.refused == {"E_REF_LEAK": 1}
    counts = dict(run.counts)
    assert counts.pop("total") == sum(counts.values()) == 3


@pytest.mark.usefixtures("server")
def test_a_failure_alarms_until_it_works_again(node, feed):
    feed.status = 403
    with pytest.raises(PeerState, match="E_TAXII_REFUSED"):
        run_server(node, "partner")
    assert require_server(node, "partner").last_error == "E_TAXII_REFUSED"
    assert [alarm.code for alarm in list_alarms(node)] == ["IMPORT_FAILED"]
    feed.status = 200
    run_server(node, "partner")
    assert list_alarms(node) == ()


@pytest.mark.usefixtures("server")
def test_the_worker_asks_on_schedule(node, feed, clock):
    feed.add(indicator(1))
    plan_work(node)
    run_due_jobs(node)
    assert len(held(node)) == 1
    feed.add(indicator(2))
    run_due_jobs(node)
    assert len(held(node)) == 1
    clock.advance(hours=2)
    run_due_jobs(node)
    assert len(held(node)) == 2


def test_a_password_is_a_file_of_the_home_alone(node, feed):
    with ScriptedServer(feed) as server:
        add_server(
            node, ServerRequest("partner", server.base, "c", user="us", password="s3cret-word")
        )
        file = node.settings.home / "imports" / "partner.password"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        run_server(node, "partner")
    assert "authorization" in server.requests[0].headers
    database = (node.settings.home / "tocsin.db").read_bytes()
    assert b"s3cret-word" not in database
    file.unlink()
    with pytest.raises(Misconfigured, match="E_IMPORT_PASSWORD"):
        run_server(node, "partner")


def test_a_server_that_is_removed_is_forgotten_with_its_password(node):
    add_server(node, ServerRequest("partner", "https://x.example/", "c", user="a", password="b"))
    remove_server(node, "Partner")
    assert list_servers(node) == ()
    assert not list((node.settings.home / "imports").iterdir())
    with node.database.read() as tx:
        assert subjects_with_job(tx, IMPORT) == frozenset()
    with pytest.raises(NotFound, match="E_IMPORT_SERVER_UNKNOWN"):
        run_server(node, "partner")


def test_a_server_is_added_once_and_in_good_form(node):
    add_server(node, ServerRequest("partner", "https://x.example/taxii", "c"))
    with pytest.raises(Conflict, match="E_IMPORT_SERVER_EXISTS"):
        add_server(node, ServerRequest("partner", "https://x.example/", "c"))
    with pytest.raises(WireFormatError, match="E_IMPORT_NAME"):
        add_server(node, ServerRequest("../x", "https://x.example/", "c"))
    with pytest.raises(PeerUnreachable, match="E_HTTP_URL"):
        add_server(node, ServerRequest("other", "https://us:pass@x.example/", "c"))
