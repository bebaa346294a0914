"""``make bench``: the TAXII server beside its peers, what passes between nodes, what one weighs.

Each figure stands beside a limit measured in the same run, because the timings of one machine
are noisy and those of two machines cannot be compared at all.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.backfill import measure_backfill
from tests.benchmarks.exchange import measure_exchange
from tests.benchmarks.figures import Figure
from tests.benchmarks.guards import measure_guards
from tests.benchmarks.names import measure_names
from tests.benchmarks.resolvers import measure_resolvers
from tests.benchmarks.rpz import measure_rpz
from tests.benchmarks.sets import measure_sets
from tests.benchmarks.taxii import compare
from tests.benchmarks.verdicts import CLAIMS, measure_verdicts
from tests.benchmarks.wakeup import measure_wakeup
from tests.benchmarks.weight import measure_weight
from tests.benchmarks.wire import measure_wire

IN_ONE_PROCESS = {
    "guards": measure_guards, "names": measure_names, "rpz": measure_rpz,
    "resolvers": measure_resolvers,
}  # fmt: skip
PARTS = [
    "taxii", "exchange", "backfill", "wakeup", "wire", "weight", "verdicts", "sets",
    *IN_ONE_PROCESS,
]  # fmt: skip
TAXII_OBJECTS = 5_000
SET_NAMES = 250_000
BACKFILL_OBJECTS = 20_000
"""What issue 4 asks of is 200,000: ``--only backfill --objects 200000``, minutes."""


def main() -> None:
    """Run the benchmarks and print one table."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument(
        "--objects", type=int, help=f"objects at every server ({TAXII_OBJECTS}), or to backfill"
    )
    parser.add_argument("--large", type=int, default=50_000, help="objects at this server alone")
    parser.add_argument("--only", choices=PARTS, help="one of the parts")
    parser.add_argument("--names", type=int, default=10_000, help="names to publish and pull")
    parser.add_argument("--times", type=int, default=40, help="wake-ups to wait for")
    parser.add_argument("--on", choices=["sqlite", "postgresql", "both"], default="both")
    options = parser.parse_args()
    console = Console(highlight=False, width=150)
    wanted = [options.only] if options.only else PARTS
    figures: list[Figure] = []
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} cores, load before the run {load:.2f}")
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as made:
        home = Path(made)
        if "taxii" in wanted:
            count = options.objects or TAXII_OBJECTS
            console.print(compare(home / "taxii", count, options.large))
        if "exchange" in wanted:
            figures += measure_exchange(home, options.names)
        if "backfill" in wanted:
            count = options.objects or BACKFILL_OBJECTS
            console.print(measure_backfill(home / "backfill", count).table())
        if "wakeup" in wanted:
            console.print(measure_wakeup(home / "wakeup", options.times).table())
        if "wire" in wanted:
            console.print(measure_wire(home / "wire"))
        if "weight" in wanted:
            figures += measure_weight(home)
        if "verdicts" in wanted:
            count = options.objects or CLAIMS
            console.print(measure_verdicts(home / "verdicts", count, on=options.on))
        if "sets" in wanted:
            console.print(measure_sets(home / "sets", options.objects or SET_NAMES).table())
        for part in [part for part in IN_ONE_PROCESS if part in wanted]:
            figures += IN_ONE_PROCESS[part](home)
    table = Table("what", "figure", "beside", "ratio", box=None, header_style="bold")
    for figure in figures:
        table.add_row(figure.what, figure.value, figure.beside, figure.ratio)
    if figures:
        console.print(table)


if __name__ == "__main__":
    main()
