"""``make bench``: the TAXII server beside its peers, publishing and pulling, what a node weighs.

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

from tests.benchmarks.exchange import measure_exchange
from tests.benchmarks.figures import Figure
from tests.benchmarks.taxii import compare
from tests.benchmarks.weight import measure_weight


def main() -> None:
    """Run the benchmarks and print one table."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--objects", type=int, default=5_000, help="objects at every server")
    parser.add_argument("--large", type=int, default=50_000, help="objects at this server alone")
    parser.add_argument(
        "--only", choices=["taxii", "exchange", "weight"], help="one of the three parts"
    )
    parser.add_argument("--names", type=int, default=10_000, help="names to publish and pull")
    options = parser.parse_args()
    console = Console(highlight=False, width=150)
    wanted = [options.only] if options.only else ["taxii", "exchange", "weight"]
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as home:
        if "taxii" in wanted:
            load = os.getloadavg()[0]
            console.print(f"{os.cpu_count()} cores, load before the run {load:.2f}")
            console.print(compare(Path(home) / "taxii", options.objects, options.large))
        if "exchange" in wanted:
            figures += measure_exchange(Path(home), options.names)
        if "weight" in wanted:
            figures += measure_weight(Path(home))
    table = Table("what", "figure", "beside", "ratio", box=None, header_style="bold")
    for figure in figures:
        table.add_row(figure.what, figure.value, figure.beside, figure.ratio)
    if figures:
        console.print(table)


if __name__ == "__main__":
    main()
