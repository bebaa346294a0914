"""What a node weighs: how fast the command answers, how much memory an idle node takes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.support.processes import organisations, start_all

HELP_LIMIT_SECONDS = 0.4
IDLE_LIMIT_MIB = 150.0
_RUNS = 11


def measure_weight(home: Path) -> list[Figure]:
    """Measure ``tocsin --help`` and the memory of an idle node."""
    help_seconds = _median([sys.executable, "-m", "hub", "--help"])
    bare_seconds = _median([sys.executable, "-c", "import typer"])
    with organisations(home, "idle") as (node,):
        node.apart = True
        start_all(node)
        assert node.server is not None
        memory = resident_mib(node.server.pid)
    return [
        Figure(
            "tocsin --help (median)",
            f"{help_seconds:.3f} s",
            f"limit {HELP_LIMIT_SECONDS} s; bare import of typer {bare_seconds:.3f} s",
            f"{help_seconds / HELP_LIMIT_SECONDS:.2f} of the limit",
        ),
        Figure(
            "idle node, resident",
            f"{memory:.0f} MiB",
            f"limit {IDLE_LIMIT_MIB:.0f} MiB",
            f"{memory / IDLE_LIMIT_MIB:.2f} of the limit",
        ),
    ]


def resident_mib(pid: int) -> float:
    """Read a process's resident memory, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _median(command: list[str]) -> float:
    seconds = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
