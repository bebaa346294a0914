"""Reading a collection while four producers add to it (issue 3 "Right under concurrency").

Two server processes on one node, on SQLite and on PostgreSQL; producers are processes whose
requests differ in size, so that their commits differ in length and overlap. Beside them readers
walk by ``next`` and poll by date. Everything is judged afterwards, from what the producers were
told is stored and when:

* a walk returns what was there at its start exactly once, and what came later at most once;
* a poller that keeps the date of the last answer loses nothing, whether it takes ``added_after``
  for exclusive or for inclusive, and cuts it to seconds, to milliseconds or not at all;
* so does a poller that keeps the time at which its own clock stood when it began to ask;
* the dates of a view strictly increase, at most 20 in a millisecond (ARCHITECTURE 5).
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from hub.bootstrap import open_node
from hub.exchange.collections import add_collection, grant_collection
from hub.operators.tokens import add_token
from hub.settings import load_settings
from hub.storage.view_dates import PER_MILLISECOND
from tests.support.databases import postgresql_with_tables
from tests.support.forks import Forks
from tests.support.processes import Tocsin, start_all
from tests.support.producers import Acknowledged, Producer

SIZES = [(1,), (3, 1, 40), (150,), (300, 2)]
"""Of the requests of each producer: commits from one object to many."""
UNITS = {
    "seconds": timedelta(seconds=1),
    "milliseconds": timedelta(milliseconds=1),
    "microseconds": timedelta(microseconds=1),
}
_LAST = "X-TAXII-Date-Added-Last"


@dataclass
class Served:
    """A collection of a node that several processes serve."""

    servers: list[Tocsin]
    path: str
    writer: str
    reader: str
    lines: list[http.client.HTTPConnection] = field(default_factory=list)


class Line:
    """One reader's connection to one of the servers."""

    def __init__(self, served: Served, server: Tocsin) -> None:
        self._headers = {"Authorization": f"Bearer {served.reader}", "Accept": "*/*"}
        self._path = served.path
        self._line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        served.lines.append(self._line)

    def page(self, resource: str, **query: str) -> tuple[list[dict[str, Any]], str, str | None]:
        """Ask for a page: its records, ``next`` and the date of its last one."""
        self._line.request(
            "GET", f"{self._path}{resource}/?{urlencode(query)}", headers=self._headers
        )
        answer = self._line.getresponse()
        body = json.loads(answer.read())
        assert answer.status == 200, body
        return body.get("objects", []), body.get("next", ""), answer.getheader(_LAST)

    def walk(self, resource: str, limit: int, **query: str) -> tuple[list[Any], str | None]:
        """Follow ``next`` to the end: all records, and the date of the last one."""
        records, following, last = self.page(resource, limit=str(limit), **query)
        while following:
            more, following, later = self.page(resource, limit=str(limit), next=following)
            records += more
            last = later or last
        return records, last


@dataclass
class Walk:
    """One walk by ``next``: when it began, and the ids in the order in which they came."""

    began_at: float
    ids: list[str]


@dataclass
class DatePoller:
    """Keeps the date of the last answer, cut to its unit; ``inclusive`` asks from that date on."""

    name: str
    unit: timedelta
    inclusive: bool
    since: datetime | None = None
    got: set[str] = field(default_factory=set)

    def poll(self, line: Line) -> None:
        since = {} if self.since is None else {"added_after": write_date(self.since)}
        records, last = line.walk("objects", 500, **since)
        self.got |= {record["id"] for record in records}
        if last is not None:
            cut = cut_to(datetime.fromisoformat(last), self.unit)
            # Who takes the parameter for inclusive asks from the cut date itself; here it is
            # exclusive, so the question that means the same is a step earlier.
            self.since = cut - self.unit if self.inclusive else cut


@dataclass
class ClockPoller:
    """Keeps the time at which its own clock stood before it asked, cut to its unit."""

    name: str
    unit: timedelta
    since: datetime | None = None
    got: set[str] = field(default_factory=set)

    def poll(self, line: Line) -> None:
        began = cut_to(datetime.now(UTC), self.unit)
        since = {} if self.since is None else {"added_after": write_date(self.since)}
        records, _ = line.walk("objects", 500, **since)
        self.got |= {record["id"] for record in records}
        self.since = began


def cut_to(at: datetime, unit: timedelta) -> datetime:
    zero = datetime(2026, 1, 1, tzinfo=UTC)
    return zero + (at - zero) // unit * unit


def write_date(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@contextmanager
def served_twice(home: Path, database_url: str, *options: str) -> Iterator[Served]:
    """Serve a node with one collection by two processes at least, each at a port of its own."""
    with Forks() as commands, ExitStack() as stack:
        first = Tocsin("hub", home / "hub", commands, serve_options=options)
        if database_url:
            first.environment["TOCSIN_DATABASE_URL"] = database_url
        first.init()
        second = Tocsin("hub", first.home, commands, first.environment, serve_options=options)
        more = {"database_url": database_url} if database_url else {}
        node = open_node(load_settings(first.home, allow_loopback_peers=True, **more))
        collection_id = add_collection(node, "Busy").collection_id
        writer = add_token(node, "producer", "writer").token
        reader = add_token(node, "siem", "own").token
        grant_collection(node, collection_id, "producer", can_write=True)
        grant_collection(node, collection_id, "siem", can_read=True)
        node.database.close()
        for server in (first, second):
            server.apart = "--workers" in options  # they are started by the server itself
            stack.callback(server.kill)
        start_all(first, second)
        path = f"/taxii2/intel/collections/{collection_id}/"
        served = Served([first, second], path, writer, reader)
        try:
            yield served
        finally:
            for line in served.lines:
                line.close()
        for server in (first, second):
            server.stop()


class Readers:
    """Threads that read until they are told to stop; the first error of any ends the test."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def start(self, turn: Callable[[], None]) -> None:
        """Take turns until the end, and one more after it."""

        def run() -> None:
            try:
                while not self._stop.wait(0.01):
                    turn()
                turn()
            except BaseException as error:  # noqa: BLE001 - told to the test's own thread
                self._errors.append(error)

        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()

    def finish(self) -> None:
        """Let each take its last turn."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]


@dataclass
class Story:
    """What happened: what producers were told, and what readers got."""

    told: list[Acknowledged]
    walks: list[Walk]
    pollers: list[DatePoller | ClockPoller]
    manifest: list[dict[str, Any]]

    @property
    def everything(self) -> set[str]:
        return {stix_id for told in self.told for stix_id in told.ids}


def run_story(served: Served, seconds: float) -> Story:
    """Let four producers add for some seconds while readers read; then read once more."""
    by_date: list[DatePoller] = [
        DatePoller(f"{name}, {'inclusive' if inclusive else 'exclusive'}", unit, inclusive)
        for (name, unit), inclusive in itertools.product(UNITS.items(), (False, True))
    ]
    by_clock = [ClockPoller(f"own clock in {name}", unit) for name, unit in UNITS.items()]
    walks: list[Walk] = []
    readers = Readers()

    def walker(number: int) -> Callable[[], None]:
        line = Line(served, served.servers[number % len(served.servers)])

        def walk() -> None:
            began_at = time.monotonic()
            records, _ = line.walk(("objects", "manifest")[number % 2], 97 + 200 * number)
            walks.append(Walk(began_at, [record["id"] for record in records]))

        return walk

    def polling(pollers: list[Any], server: Tocsin) -> Callable[[], None]:
        line = Line(served, server)

        def poll() -> None:
            for poller in pollers:
                poller.poll(line)

        return poll

    producers = [
        Producer(
            served.servers[number % 2].port, f"{served.path}objects/", served.writer, size, seconds
        )
        for number, size in enumerate(SIZES)
    ]
    try:
        for number in range(2):
            readers.start(walker(number))
        readers.start(polling(by_date, served.servers[1]))
        readers.start(polling(by_clock, served.servers[0]))
        told = [one for producer in producers for one in producer.acknowledged()]
    finally:
        for producer in producers:
            producer.stop()
        readers.finish()
    manifest, _ = Line(served, served.servers[0]).walk("manifest", 5_000)
    return Story(told, walks, [*by_date, *by_clock], manifest)


def judge(story: Story) -> None:
    """Hold what readers got against what producers were told."""
    everything = story.everything
    assert len(everything) == sum(len(told.ids) for told in story.told)
    judge_walks(story)
    for poller in story.pollers:
        lost = len(everything - poller.got)
        assert not lost, f"the poller by {poller.name} lost {lost} of {len(everything)} objects"
    dates = [record["date_added"] for record in story.manifest]
    assert {record["id"] for record in story.manifest} == everything
    assert all(one < other for one, other in itertools.pairwise(dates))
    in_millisecond = Counter(date[: len("2026-03-01T10:00:00.000")] for date in dates)
    assert max(in_millisecond.values()) <= PER_MILLISECOND


def judge_walks(story: Story) -> None:
    everything = story.everything
    assert len(story.walks) >= 2
    for walk in story.walks:
        times = Counter(walk.ids)
        assert max(times.values(), default=1) == 1, "a walk met an object twice"
        assert set(times) <= everything
        there = {stix_id for told in story.told if told.at < walk.began_at for stix_id in told.ids}
        assert there <= set(times), "a walk missed what was there when it began"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_class17_readers_lose_nothing_while_four_producers_add(tmp_path: Path, kind: str) -> None:
    url = postgresql_with_tables() if kind == "postgresql" else ""
    with served_twice(tmp_path, url) as served:
        judge(run_story(served, 1.0))


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_readers_lose_nothing_for_a_long_time_and_with_four_processes(
    tmp_path: Path, kind: str
) -> None:
    url = postgresql_with_tables() if kind == "postgresql" else ""
    with served_twice(tmp_path, url, "--workers", "2") as served:
        judge(run_story(served, 40.0))
