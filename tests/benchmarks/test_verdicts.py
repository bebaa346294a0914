"""The benchmark of verdicts runs, at a tiny count."""

from __future__ import annotations

from tests.benchmarks.verdicts import Measured, measure_on, rows_of


def test_claims_are_fused_published_and_one_by_one_seen(tmp_path):
    found = measure_on("sqlite", tmp_path, 200, times=1)
    assert (found.claims, found.names) == (200, 120)
    assert 0 < found.published <= 4 * found.names
    assert found.fuse_seconds > 0
    assert found.most_mib > 0
    assert len(found.single) == 1
    assert found.statements is not None
    assert 20 < found.statements < 60
    rows = list(rows_of(found))
    assert (rows[5][3], rows[3][3]) == ("250 ms", "1,024 MiB")
    assert rows[0][3] == f"{90 * 200 / 1_000_000:.4g} s"


def test_quantiles_are_in_milliseconds():
    found = Measured("sqlite", 1, 1, 1.0, 1.0, 1.0, 1, 1.0, tuple(n / 1000 for n in range(100)))
    assert (found.quantile(0.5), found.quantile(0.99)) == (50.0, 99.0)
