"""Backfill: everything that A ever published, taken in by an empty B on the same machine.

A serves in a process of its own; B is ``tocsin pull`` in another. Every entry is verified, judged
and durable. What A published is no news to it any more: its server has made its verdicts of it.
Beside it stands what nothing can do without (``exchange.floor_seconds``), and where the processor's
time went, which other programs on the machine disturb less than the clock.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from hub.storage.engine import Database
from hub.verdicts.fuse import is_verdict_due
from tests.benchmarks.exchange import floor_seconds
from tests.benchmarks.figures import write_names
from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
)

WANTED = 8_000
"""Objects a second on two cores (issue 4)."""
_MICRO = 1_000_000
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a backfill took; rates in objects a second, processor time in seconds."""

    kind: str
    objects: int
    entries: int
    seconds: float
    cpu_receiver: float
    cpu_server: float
    publish_seconds: float
    floor: float

    def table(self) -> Table:
        """Write it down beside its limit."""
        rate = self.objects / self.seconds
        table = Table("backfill", "figure", "beside", box=None, header_style="bold")
        table.add_row(
            f"{self.objects:,} objects on {self.kind}, {self.entries:,} entries",
            f"{rate:,.0f} objects/s",
            f"wanted {WANTED:,}: {rate / WANTED:.0%}",
        )
        table.add_row(
            "by the clock",
            f"{self.seconds:.2f} s",
            f"bare verify + parse + insert {self.floor:.2f} s: {self.seconds / self.floor:.1f} x",
        )
        table.add_row(
            "processor, who receives",
            f"{self.cpu_receiver * _MICRO / self.objects:.0f} µs an object",
            f"{self.cpu_receiver:.2f} s, without the start of the command",
        )
        table.add_row(
            "processor, who serves",
            f"{self.cpu_server * _MICRO / self.objects:.0f} µs an object",
            f"{self.cpu_server:.2f} s",
        )
        table.add_row(
            "published before, by command",
            f"{self.objects / self.publish_seconds:,.0f} objects/s",
            f"{self.publish_seconds:.2f} s",
        )
        return table


def measure_backfill(home: Path, count: int) -> Backfill:
    """Publish ``count`` names at A, then let an empty B pull them all."""
    home.mkdir(parents=True, exist_ok=True)
    kind = write_names(home / "names.txt", count)
    with organisations(home, "alba", "beta") as (a, b):
        start_all(a)
        pair_by_command(a, b)
        for one, other in ((a, b), (b, a)):
            give_trust_by_command(one, other, "partner")
        b.run("peer", "set", a.node_id, "--limit", 10 * count + 1_000)
        started = time.perf_counter()
        a.run("publish", home / "names.txt", "--tlp", "green")
        publish_seconds = time.perf_counter() - started
        floor = floor_seconds(a.home, home / "floor.db")
        assert a.server is not None
        _await_verdicts(a)
        served_before = _cpu_seconds(a.server.pid)
        rows, cpu = _pull(b)
        cpu_server = _cpu_seconds(a.server.pid) - served_before
    objects = sum(row["accepted"] for row in rows)
    assert objects >= count, f"{objects} of {count} objects came: {rows}"
    return Backfill(
        kind, objects, sum(row["entries"] for row in rows), sum(row["seconds"] for row in rows),
        cpu, cpu_server, publish_seconds, floor,
    )  # fmt: skip


def _await_verdicts(node: Tocsin) -> None:
    """Wait until a server has made its verdicts of what was published just now."""
    database = Database(f"sqlite:///{node.home / 'tocsin.db'}")
    try:
        while True:
            with database.read() as tx:
                if not is_verdict_due(tx, datetime.now(UTC)):
                    return
            time.sleep(_LOOK_SECONDS)
    finally:
        database.close()


def _pull(node: Tocsin) -> tuple[list[dict[str, Any]], float]:
    """Pull until nothing is left; return what each turn brought, and the processor time of all.

    The last turn finds nothing, which proves that the feed is whole here; what it takes is the
    start of a command, and not counted to the others.
    """
    rows: list[dict[str, Any]] = []
    spent: list[float] = []
    while not rows or rows[-1]["entries"]:
        before = _children_seconds()
        done = subprocess.run(
            [sys.executable, "-m", "hub", "pull", "alba", "--json"],
            cwd=node.home, env=node.all_environment(), check=True, capture_output=True,
        )  # fmt: skip
        rows += json.loads(done.stdout)
        spent.append(_children_seconds() - before)
    return rows[:-1], sum(spent[:-1]) - spent[-1] * (len(spent) - 1)


def _children_seconds() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _cpu_seconds(pid: int) -> float:
    """Read how long a process has computed, in its own code and in the kernel's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
