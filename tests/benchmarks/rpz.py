"""What an RPZ costs: a million names to one zone file, by the clock and in memory.

The clock runs from the listed names to the file on the disk, the rendering for its digest included.
Memory is that of the listed names and of all that writing takes beside them. Beside it stands the
limit of the machine: the same lines joined and written by one statement that checks nothing.
"""

from __future__ import annotations

import gc
import hashlib
import time
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from hub.exports.kept_files import write_whole
from hub.exports.listed_name import ExportContext, ListedName
from hub.exports.rpz import RpzPolicy, why_left_out, write_rpz
from schemas.markings import Tlp
from tests.benchmarks.figures import Figure, write_names

SECONDS_LIMIT: Final = 3.0
MEMORY_LIMIT_MIB: Final = 300.0
NAMES: Final = 1_000_000
_AT: Final = datetime(2026, 3, 1, tzinfo=UTC)
_CONTEXT: Final = ExportContext(
    "organisation", Tlp.AMBER_STRICT, "b" * 52, "cert", "identity--1", _AT, 1
)
_POLICY: Final = RpzPolicy("organisation.rpz", soon=_AT + timedelta(minutes=5))


def measure_rpz(home: Path, count: int = NAMES) -> list[Figure]:
    """Write the zone of ``count`` names, each matched exactly, and of as many subtrees."""
    source = write_names(home / "rpz-names.txt", count)
    values = (home / "rpz-names.txt").read_text().split()
    # Real lists are shorter than a million: the rest are the same names one label deeper.
    values += [f"x{n}.{values[n % len(values)]}" for n in range(count - len(values))]
    figures = []
    for scope in ("exact", "subtree"):
        names = [_listed(value, scope) for value in sorted(values)]
        gc.freeze()
        seconds, size = min(_written(names, home / "zone") for _ in range(2))
        bare = min(_bare(names, home / "bare") for _ in range(2))
        gc.unfreeze()
        memory = _memory(sorted(values), scope, home / "zone")
        figures.append(
            Figure(
                f"RPZ of {len(names):,} names, {scope} ({source}), {size / 1e6:.0f} MB",
                f"{seconds:.2f} s, {memory:.0f} MiB",
                f"limits {SECONDS_LIMIT:.0f} s, {MEMORY_LIMIT_MIB:.0f} MiB; bare {bare:.2f} s",
                f"{seconds / SECONDS_LIMIT:.2f} of the limit; {seconds / bare:.1f} x bare",
            )
        )
    return figures


def _listed(value: str, scope: str) -> ListedName:
    return ListedName(
        value, scope, Tlp.GREEN, ("dga",), 80, 2, True, _AT, _AT + timedelta(days=7), "indicator"
    )


def _written(names: Sequence[ListedName], file: Path) -> tuple[float, int]:
    """As an export does it: sorted out, written for its digest, written for good."""
    begun = time.perf_counter()
    kept = [each for each in names if why_left_out(each, _POLICY) is None]
    digest = hashlib.sha256()
    for chunk in write_rpz(kept, _CONTEXT, _POLICY):
        digest.update(chunk)
    write_whole(file, write_rpz(kept, _CONTEXT, _POLICY))
    return time.perf_counter() - begun, file.stat().st_size


def _bare(names: Sequence[ListedName], file: Path) -> float:
    begun = time.perf_counter()
    lines = [f"{each.value} CNAME .\n" for each in names]
    write_whole(file, ["".join(lines).encode("ascii")])
    return time.perf_counter() - begun


def _memory(values: Sequence[str], scope: str, file: Path) -> float:
    """Measure the most that Python held, in MiB, of a tenth; only the names grow with their number.

    Counting every allocation takes four times the time of making it.
    """
    part = values[: len(values) // 10]
    tracemalloc.start()
    names = [_listed(value.encode().decode(), scope) for value in part]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    kept = [each for each in names if why_left_out(each, _POLICY) is None]
    write_whole(file, write_rpz(kept, _CONTEXT, _POLICY))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (held * 10 + (most - held)) / 2**20
