"""Real nodes over a poor line: broken, slow, stalled; what was published arrives once each."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.bad_line import BadLine, Weather, broken_line
from tests.support.nodes import free_port
from tests.support.processes import (
    PATIENCE,
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
)
from tests.support.what_arrived import check_whole, names_held, publish_names_by_command


@contextmanager
def two_over_a_line(tmp_path: Path) -> Iterator[tuple[Tocsin, Tocsin, BadLine]]:
    """A, which others reach over the line, and B, which pulls from it."""
    front = free_port()
    with (
        organisations(tmp_path, "a", "b", fronts={"a": front}) as (a, b),
        BadLine(front, a.port) as line,
    ):
        start_all(a)
        pair_by_command(a, b)
        give_trust_by_command(a, b, "trusted")
        give_trust_by_command(b, a, "trusted")
        yield a, b, line


def pull_until_quiet(node: Tocsin, sender: Tocsin, *, most: int) -> int:
    """Pull until a pull has no error; tell how many failed before."""
    for failures in range(most):
        outcome = node.give("pull", sender.node_id)
        if outcome.code == 0:
            return failures
        [row] = outcome.document
        assert row["error"].startswith("E_HTTP_"), row
        assert row["remedy"]
    raise AssertionError(f"{most} pulls in a row failed")


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(s, marks=pytest.mark.long) for s in range(2, 12))]
)
def test_a_line_that_breaks_loses_nothing_and_repeats_nothing(tmp_path: Path, seed: int) -> None:
    names = [f"line-{seed}-{number}.example" for number in range(300)]
    with two_over_a_line(tmp_path) as (a, b, line):
        for start in range(0, 300, 50):
            publish_names_by_command(a, tmp_path, names[start : start + 50])
        line.weather = broken_line(seed, least=0, most=40_000, share=0.7)
        failures = pull_until_quiet(b, a, most=60)
        assert failures > 0, "the line was not bad enough to show anything"
        a.stop()
        check_whole([a, b], names)


@pytest.mark.long
def test_a_stalled_answer_fails_with_a_word_and_the_next_pull_goes_on(tmp_path: Path) -> None:
    names = [f"stall-{number}.example" for number in range(100)]
    with two_over_a_line(tmp_path) as (a, b, line):
        publish_names_by_command(a, tmp_path, names)
        line.weather = lambda: Weather(stall_after=2_000)
        with ThreadPoolExecutor(1) as pool:
            stalled = pool.submit(b.give, "pull", a.node_id)
            assert line.stalled.wait(PATIENCE)
            line.end_stalls()
            assert stalled.result(PATIENCE).code == 1
        assert not names_held(b)
        line.weather = lambda: Weather(seconds_a_chunk=0.01)
        assert pull_until_quiet(b, a, most=1) == 0
        a.stop()
        check_whole([a, b], names)
