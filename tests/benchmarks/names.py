"""What reading a name costs (DNS 2): a million of them, as the rules have it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from schemas.dns.names import read_name
from schemas.errors import WireFormatError
from tests.benchmarks.figures import Figure, write_names

SECONDS_LIMIT: Final = 3.0
NAMES: Final = 1_000_000


def measure_names(home: Path, count: int = NAMES) -> list[Figure]:
    """Normalise ``count`` names; real ones where they are, as often as it takes."""
    source = write_names(home / "names-to-read.txt", count)
    given = (home / "names-to-read.txt").read_text().split()
    names = [given[n % len(given)] for n in range(count)]
    # As people and feeds write them: some in capitals, with a dot, with a wildcard, in Unicode.
    names[::10] = [name.upper() for name in names[::10]]
    names[3::10] = [f"{name}." for name in names[3::10]]
    names[6::50] = [f"*.{name}" for name in names[6::50]]
    names[8::1000] = [f"bücher-{name}" for name in names[8::1000]]
    seconds = min(_read(names) for _ in range(2))
    return [
        Figure(
            f"{len(names):,} names normalised ({source})",
            f"{seconds:.2f} s",
            f"limit {SECONDS_LIMIT:.0f} s",
            f"{seconds / SECONDS_LIMIT:.2f} of the limit",
        )
    ]


def _read(names: Sequence[str]) -> float:
    refused = 0
    begun = time.perf_counter()
    for name in names:
        try:
            read_name(name)
        except WireFormatError:
            refused += 1
    taken = time.perf_counter() - begun
    if refused * 10 > len(names):
        raise AssertionError(f"{refused} of {len(names)} names were refused")
    return taken
