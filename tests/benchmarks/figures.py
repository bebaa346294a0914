"""A figure and what it is measured against."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.strict_json import strict_loads
from tests.support import shared_data


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table."""

    what: str
    value: str
    beside: str = ""
    ratio: str = ""


def tocsin(home: Path, *arguments: str, env: dict[str, str]) -> Any:
    """Run one command of a node and return its JSON document."""
    command = [sys.executable, "-m", "hub", *arguments, "--home", str(home), "--json"]
    done = subprocess.run(command, capture_output=True, env=env, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}: {done.stdout.decode()}{done.stderr.decode()}")
    return strict_loads(done.stdout)


def timed(home: Path, *arguments: str, env: dict[str, str]) -> tuple[Any, float]:
    """Run one command and return its document and its wall time in seconds."""
    started = time.perf_counter()
    document = tocsin(home, *arguments, env=env)
    return document, time.perf_counter() - started


def write_names(file: Path, count: int) -> str:
    """Write ``count`` names to a file; real ones where they are, and say which."""
    real = shared_data._SHARED / "data/maltrail/malware-domains-250k.txt.gz"
    if real.exists():
        lines = gzip.decompress(real.read_bytes()).decode().splitlines()[:count]
        file.write_text("\n".join(lines))
        return "real names"
    numbers = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    made = {
        "".join(numbers.choices(letters, k=numbers.randint(6, 20))) + ".example"
        for _ in range(count)
    }
    file.write_text("\n".join(sorted(made)))
    return "made-up names"
