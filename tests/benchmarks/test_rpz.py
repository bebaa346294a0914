"""The benchmarks of names and RPZ run, at tiny counts."""

from __future__ import annotations

from tests.benchmarks.names import measure_names
from tests.benchmarks.rpz import measure_rpz


def test_names_and_zones_are_measured(tmp_path):
    figures = [*measure_names(tmp_path, 2_000), *measure_rpz(tmp_path, 2_000)]
    assert [figure.what.split(" (")[0] for figure in figures] == [
        "2,000 names normalised",
        "RPZ of 2,000 names, exact",
        "RPZ of 2,000 names, subtree",
    ]
    assert all("of the limit" in figure.ratio for figure in figures)
