"""Nodes whose clocks differ: what is early waits, what is far off is said, nothing is lost.

One node's process runs under libfaketime, so that every clock that it reads is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.moved_clock import clock_ahead
from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
)
from tests.support.what_arrived import check_whole, names_held, publish_names_by_command


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Tocsin, Tocsin]]:
    with organisations(tmp_path, "a", "b") as (a, b):
        start_all(a)
        pair_by_command(a, b)
        give_trust_by_command(a, b, "trusted")
        give_trust_by_command(b, a, "trusted")
        yield a, b


def test_what_is_minutes_early_waits_without_an_alarm_and_comes_when_it_is_due(
    two: tuple[Tocsin, Tocsin], tmp_path: Path
) -> None:
    a, b = two
    publish_names_by_command(a, tmp_path, ["in-time.example"])
    file = tmp_path / "early.txt"
    file.write_text("early.example\n")
    order = ("publish", file, "--tlp", "green", "--format", "names")
    assert a.give_apart(*order, under=clock_ahead(900)).code == 0

    [row] = b.run("pull", a.node_id)
    assert row["error"] in {None, "E_FUTURE"}
    assert names_held(b) == {"in-time.example": 1}

    # A quarter of an hour later both clocks say so; nothing was lost by waiting. B's requests are
    # signed by its clock, so A's server has to read the same one.
    a.stop()
    a.environment |= environment_of(clock_ahead(900))
    a.apart = True
    start_all(a)
    late = b.give_apart("pull", a.node_id, under=clock_ahead(900))
    assert late.code == 0, late
    a.stop()
    check_whole([b], ["in-time.example", "early.example"])


def test_clocks_too_far_apart_are_named_and_not_guessed(two: tuple[Tocsin, Tocsin]) -> None:
    a, b = two
    refused = b.give_apart("pull", a.node_id, under=clock_ahead(900))
    assert refused.code == 1
    [row] = refused.document
    assert row["error"] == "E_HTTP_TIME"
    assert "clock" in f"{row['detail']} {row['remedy']}"
    # Back in time it works as before: nothing was remembered of the request that came too early.
    assert b.run("pull", a.node_id)[0]["error"] is None


def environment_of(prefix: list[str]) -> dict[str, str]:
    """The variables that a clock's command line sets."""
    return dict(word.split("=", 1) for word in prefix if "=" in word)
