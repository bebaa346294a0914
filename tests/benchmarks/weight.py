"""What a node weighs: how fast the command answers, how much memory an idle node takes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.figures import Figure, tocsin
from tests.support.processes import free_port, resident_mib, serving

HELP_LIMIT_SECONDS = 0.4
IDLE_LIMIT_MIB = 150.0
_RUNS = 11


def measure_weight(home: Path) -> list[Figure]:
    """Measure ``tocsin --help`` and the memory of an idle node."""
    env = {**os.environ, "TOCSIN_ALLOW_LOOPBACK_PEERS": "true"}
    help_seconds = _median([sys.executable, "-m", "hub", "--help"])
    bare_seconds = _median([sys.executable, "-c", "import typer"])
    port = free_port()
    tocsin(
        home / "idle",
        *("init", "--name", "idle", "--domain", "idle.example"),
        *("--base-url", f"http://127.0.0.1:{port}/"),
        env=env,
    )
    with serving(home / "idle", port, env=env) as process:
        memory = resident_mib(process.pid)
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


def _median(command: list[str]) -> float:
    seconds = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
