"""From publishing at A to what a reader of B's intel root sees, through the wake-up.

Four real servers on loopback: B and C are A's peers, and C is D's. D trusts A too, but A has
suspended it, so that what D sees came through C. Each time one name is published, in a process
that is not A's server, as a command is. The clock runs from before the signing until the object is
in an answer of the intel root; readers ask again and again with a short pause, which is part of
what is measured. Beside it stands one bare HTTP round trip to the same server in the same run,
since a wake-up is a dozen of them.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from hub.bootstrap import open_node
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.publish_names import NameOptions, drafts_from_names
from hub.imports.name_lists import NamedLine
from hub.node import Node
from hub.settings import load_settings
from schemas.dns.names import read_name
from schemas.markings import Tlp
from tests.benchmarks.load import Connection, Target
from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
)

ORIGINALS = "/taxii2/intel/collections/originals/objects/"
_PAUSE = 0.01
"""Seconds between two questions of a reader; it takes the server from its work as well."""
_LONGEST = 20.0
_BETWEEN = 0.3
"""Seconds of quiet before the next is published, so that each is woken for by itself."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What issue 4 asks for, in milliseconds; None where it asks for nothing."""

    p50: int | None
    p99: int


DIRECT, RELAYED = Wanted(150, 1_000), Wanted(None, 2_000)


@dataclass(frozen=True, slots=True)
class Wakeup:
    """How long it took each time, in seconds."""

    direct: tuple[float, ...]
    relayed: tuple[float, ...]
    round_trip: float

    def table(self) -> Table:
        """Write it down beside its limits."""
        table = Table(
            "published at A, seen at", "times", "p50 ms", "wanted", "p99 ms", "wanted",
            "p50 in bare round trips", box=None, header_style="bold",
            caption=f"a bare round trip to B's server: {1000 * self.round_trip:.1f} ms (median)",
        )  # fmt: skip
        for what, seconds, wanted in (
            ("B, a peer of A", self.direct, DIRECT),
            ("D, through the relay C", self.relayed, RELAYED),
        ):
            p50, p99 = statistics.median(seconds), _quantile(seconds, 0.99)
            table.add_row(
                what, f"{len(seconds)}", f"{1000 * p50:.0f}",
                "" if wanted.p50 is None else f"{wanted.p50:,}", f"{1000 * p99:.0f}",
                f"{wanted.p99:,}", f"{p50 / self.round_trip:.0f} x",
            )  # fmt: skip
        return table


def measure_wakeup(home: Path, times: int) -> Wakeup:
    """Publish so many names, one after the other, and watch for each at B and at D."""
    home.mkdir(parents=True, exist_ok=True)
    with organisations(home, "alba", "beta", "cara", "dora") as (a, b, c, d):
        readers = [_reader(node) for node in (b, d)]
        start_all(a, b, c, d)
        for inviter, joiner in ((a, b), (a, c), (a, d), (c, d)):
            pair_by_command(inviter, joiner)
            for one, other in ((inviter, joiner), (joiner, inviter)):
                give_trust_by_command(one, other, "partner")
        a.run("peer", "suspend", d.node_id)
        publisher = open_node(load_settings(a.home, allow_loopback_peers=True))
        with closing(publisher.database):
            round_trip = _round_trip(readers[0])
            seen = [_publish_and_watch(publisher, number, readers) for number in range(times + 1)]
    # The first one also opens connections and fills caches.
    direct, relayed = zip(*seen[1:], strict=True)
    return Wakeup(direct, relayed, round_trip)


def _reader(node: Tocsin) -> Target:
    token = node.run("token", "add", "soc", "--kind", "own", "--originals")["token"]
    return Target.by_basic(node.name, node.port, ORIGINALS, "soc", token)


def _publish_and_watch(publisher: Node, number: int, readers: Sequence[Target]) -> list[float]:
    """Publish one name; return how long it took until each reader saw it."""
    time.sleep(_BETWEEN)
    seconds = [0.0] * len(readers)
    line = NamedLine(number, read_name(f"wake-{number:04d}.example"))
    drafts = drafts_from_names(publisher, [line], Tlp.GREEN, NameOptions())
    watches = [
        threading.Thread(target=_watch, args=(target, drafts[0].value["id"], seconds, place))
        for place, target in enumerate(readers)
    ]
    started = time.perf_counter()
    for watch in watches:
        watch.start()
    publish_objects(publisher, PublishRequest(drafts=drafts, tlp=Tlp.GREEN))
    for watch in watches:
        watch.join()
    return [at - started for at in seconds]


def _watch(target: Target, stix_id: str, seconds: list[float], place: int) -> None:
    connection = Connection(target)
    deadline = time.perf_counter() + _LONGEST
    while True:
        status, body = connection.ask("GET", f"{target.objects}?match[id]={stix_id}")
        now = time.perf_counter()
        assert status == 200, f"{target.name}: {status}"
        if stix_id.encode() in bytes(body):
            break
        assert now < deadline, f"{target.name} did not show {stix_id} in {_LONGEST:.0f} s"
        time.sleep(_PAUSE)
    seconds[place] = now
    connection.close()


def _round_trip(target: Target) -> float:
    connection = Connection(target)
    seconds = []
    for _ in range(50):
        started = time.perf_counter()
        connection.ask("GET", "/healthz")
        seconds.append(time.perf_counter() - started)
    connection.close()
    return statistics.median(seconds)


def _quantile(seconds: Sequence[float], share: float) -> float:
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
