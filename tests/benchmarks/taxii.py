"""This server, its peers and static files: the same objects, the same load, one run.

Each server is alone on the machine with the load generator while it is measured. Ours is asked at
the peers' count and at a larger one; the peers stop at theirs, because more takes them hours.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from tests.benchmarks.load import BATCH, PAGE, Target, Walked, add, at_once, fetch, look_up, walk
from tests.benchmarks.made_objects import envelopes, stix_id_of
from tests.benchmarks.peer_servers import CannotStartError, medallion, opentaxii
from tests.benchmarks.static_limit import static_pages
from tests.benchmarks.weight import resident_mib
from tests.support.forks import Forks
from tests.support.processes import Tocsin, start_all

READERS = 4
_LAPS = 5
_SECONDS = 2.0
"""A lap over few pages is done again until it took about so long."""

_LONGEST = 10.0
_PATIENCE = 60.0
"""Seconds after which no further page is asked for: medallion's pages take the longer the more
objects it holds, so that walking 5,000 of them to the end takes it most of an hour."""
_LOOK_UP_SECONDS = 20.0

Served = AbstractContextManager[tuple[Target, int]]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one server did at one count of objects; rates in objects a second."""

    name: str
    objects: int
    read: int = 0
    added: float | None = None
    read_by_one: float | None = None
    read_by_four: float | None = None
    one_seconds: tuple[float, ...] = ()
    memory_mib: float | None = None
    absent: str = ""

    def row(self, limit: float | None) -> list[str]:
        """Write its line of the table."""
        if self.absent:
            return [self.name, "", "", f"not measured: {self.absent}"]
        share = "" if not limit or not self.read_by_one else f"{self.read_by_one / limit:.0%}"
        ordered = sorted(self.one_seconds)
        p50, p99 = ((f"{1000 * _quantile(ordered, q):.1f}" if ordered else "") for q in (0.5, 0.99))
        a_second = f"{len(ordered) / sum(ordered):,.0f}" if ordered else ""
        return [
            self.name, f"{self.objects:,}", f"{self.read:,}", _rate(self.added),
            _rate(self.read_by_one), share, _rate(self.read_by_four), a_second, p50, p99,
            "" if self.memory_mib is None else f"{self.memory_mib:.0f}",
        ]  # fmt: skip


def compare(home: Path, count: int, large: int) -> Table:
    """Measure all servers; return the table."""
    pages: list[bytes] = []
    rows = [
        _measure("tocsin", ours(home / "small"), count),
        _measure("tocsin", ours(home / "large"), large, keep=pages),
        _measure("medallion 3.0.0", medallion(home / "medallion"), count),
        _measure("OpenTAXII 0.9.3", opentaxii(home / "opentaxii"), count),
    ]
    limit = _measure_static(home / "static", pages)
    table = Table(
        "server", "objects", "read", "added/s", "read/s by 1", "of static", f"by {READERS}",
        "single/s", "p50 ms", "p99 ms", "MiB", box=None, header_style="bold",
        caption=(
            f"objects a second; batches of {BATCH}, pages of {PAGE:,}; a server that needs long is "
            f"read for {_PATIENCE:.0f} s, from the first page on ('read' says how many objects "
            "came); the load generator runs on the same cores"
        ),
    )  # fmt: skip
    for measured in (*rows, limit):
        table.add_row(*measured.row(limit.read_by_one))
    return table


@contextmanager
def ours(
    home: Path,
    *,
    options: tuple[str, ...] = (),
    database: str = "",
    fill: Callable[[Tocsin], None] | None = None,
) -> Iterator[tuple[Target, int]]:
    """Run a node with a collection; give the collection and the server's process.

    Args:
        home: a directory of its own.
        options: of ``tocsin serve``.
        database: an address; else SQLite in its home.
        fill: fills the collection before the server is started.
    """
    home.mkdir(parents=True)
    environment = {"TOCSIN_DATABASE_URL": database} if database else {}
    with Forks() as commands, contextlib.ExitStack() as cleaning:
        node = Tocsin(
            "ours", home / "ours", commands, environment, serve_options=options, apart=True
        ).init()
        cleaning.callback(node.kill)
        token = node.run("token", "add", "soc", "--kind", "own")["token"]
        node.run("collection", "add", "Benchmark", "--alias", "bench")
        node.run("collection", "grant", "bench", "soc", "--read", "--write")
        if fill is not None:
            fill(node)
        start_all(node)
        assert node.server is not None
        path = "/taxii2/intel/collections/bench/objects/"
        yield Target.by_basic("tocsin", node.port, path, "soc", token), node.server.pid
        node.stop()


def _measure(name: str, served: Served, count: int, keep: list[bytes] | None = None) -> Measured:
    print(f"Measuring {name} with {count:,} objects ...", file=sys.stderr, flush=True)
    try:
        with served as (target, pid):
            return measure(name, target, pid, count, keep)
    except CannotStartError as reason:
        return Measured(name, count, absent=str(reason))


def measure(
    name: str,
    target: Target,
    pid: int,
    count: int,
    keep: list[bytes] | None = None,
    times: int = 200,
) -> Measured:
    """Measure one server that holds none of the objects; look single ones up so many times."""
    bodies = list(envelopes(0, count))
    added = count / add(target, bodies)
    del bodies
    first = walk(target, keep=keep, longest=_PATIENCE)
    whole = first.cut_off or first.objects == count
    assert whole, f"{name} gave {first.objects} of {count} objects"
    took = sum(first.page_seconds)
    # A server that needs longer than all laps together is not made to walk once more.
    laps = [first.objects / took] if took > _LONGEST else _laps(lambda: walk(target))
    by_one = statistics.median(laps)
    by_four = None
    if not first.cut_off:  # or four would wait for minutes, each for one page
        walks, seconds = at_once([lambda: walk(target, longest=_PATIENCE)] * READERS)
        by_four = sum(walked.objects for walked in walks) / seconds
    numbers = random.Random(3)
    wanted = [stix_id_of(numbers.randrange(count)) for _ in range(times)]
    return Measured(
        name, count, first.objects, added, by_one, by_four,
        tuple(look_up(target, wanted, _LOOK_UP_SECONDS)), resident_mib(pid),
    )  # fmt: skip


def _measure_static(home: Path, pages: list[bytes]) -> Measured:
    try:
        return measure_static(home, pages)
    except CannotStartError as reason:
        return Measured("static: nginx", 0, absent=str(reason))


def measure_static(home: Path, pages: list[bytes]) -> Measured:
    """Measure static files with the same bytes."""
    with static_pages(home, pages) as (target, paths):
        count = fetch(target, paths).objects
        by_one = statistics.median(_laps(lambda: fetch(target, paths)))
        if "bare" in target.name:  # which takes one reader at a time
            return Measured(target.name, count, count, read_by_one=by_one)
        _, seconds = at_once([lambda: fetch(target, paths)] * READERS)
    return Measured(
        f"static: {target.name}", count, count,
        read_by_one=by_one, read_by_four=READERS * count / seconds,
    )  # fmt: skip


def _laps(lap: Callable[[], Walked]) -> list[float]:
    """Walk several times, so that a server of few pages is asked for as long as another."""
    rates: list[float] = []
    began = time.perf_counter()
    while not rates or (len(rates) < _LAPS or time.perf_counter() - began < _SECONDS):
        started = time.perf_counter()
        walked = lap()
        rates.append(walked.objects / (time.perf_counter() - started))
        if time.perf_counter() - began > _LONGEST:
            break
    return rates


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _rate(rate: float | None) -> str:
    return "" if rate is None else f"{rate:,.0f}"
