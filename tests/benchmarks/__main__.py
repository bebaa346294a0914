"""``make bench``: publish and pull real names between two nodes, and what a node weighs.

Each figure stands beside a limit measured in the same run, because the timings of one machine
are noisy and those of two machines cannot be compared at all.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.exchange import measure_exchange
from tests.benchmarks.figures import Figure
from tests.benchmarks.weight import measure_weight


def main() -> None:
    """Run the benchmarks and print one table."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--names", type=int, default=10_000, help="names to publish and pull")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as home:
        figures: list[Figure] = [
            *measure_exchange(Path(home), options.names),
            *measure_weight(Path(home)),
        ]
    table = Table("what", "figure", "beside", "ratio", box=None, header_style="bold")
    for figure in figures:
        table.add_row(figure.what, figure.value, figure.beside, figure.ratio)
    Console(highlight=False, width=150).print(table)


if __name__ == "__main__":
    main()
