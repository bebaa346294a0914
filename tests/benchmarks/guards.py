"""What guards cost: microseconds a name, and the memory of a million protected names."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

from hub.verdicts.guard_lists import BELOW, Listed, Protected, installed_names
from hub.verdicts.guards import Guards, _Layer
from tests.benchmarks.figures import Figure, write_names
from tests.benchmarks.weight import resident_mib

NAME_LIMIT_MICROSECONDS = 5.0
MEMORY_LIMIT_MIB = 100.0
PROTECTED_NAMES = 1_000_000
_ASKED = 100_000
_ROUNDS = 5


def measure_guards(home: Path) -> list[Figure]:
    """Ask for real names beside a million protected ones; none of them is on a list."""
    source = write_names(home / "asked.txt", _ASKED)
    asked = (home / "asked.txt").read_text().split()
    gc.collect()
    before = resident_mib(os.getpid())
    started = time.perf_counter()
    guards = Guards([_Layer(installed_names().protected), _Layer(_million())])
    loaded = time.perf_counter() - started
    gc.collect()
    memory = resident_mib(os.getpid()) - before
    return [
        _asked(f"guards, a name, exact ({source})", guards, asked, "exact"),
        _asked(f"guards, a name and all below ({source})", guards, asked, "subtree"),
        Figure(
            f"guards, {PROTECTED_NAMES:,} protected names",
            f"{memory:.0f} MiB",
            f"limit {MEMORY_LIMIT_MIB:.0f} MiB; built in {loaded:.1f} s",
            f"{memory / MEMORY_LIMIT_MIB:.2f} of the limit",
        ),
    ]


def _asked(what: str, guards: Guards, names: list[str], scope: str) -> Figure:
    seconds = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        for name in names:
            guards.hits(name, scope)
        seconds.append(time.process_time() - started)
    micros = min(seconds) / len(names) * 1e6
    return Figure(
        what,
        f"{micros:.2f} µs",
        f"limit {NAME_LIMIT_MICROSECONDS:.0f} µs",
        f"{micros / NAME_LIMIT_MICROSECONDS:.2f} of the limit",
    )


def _million() -> Iterator[Protected]:
    listed = Listed("refuse", "GUARD_OWN_LIST", "million", BELOW)
    for number in range(PROTECTED_NAMES):
        yield f"customer-{number}.example", listed
