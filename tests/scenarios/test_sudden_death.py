"""SIGKILL at random moments, round after round: nothing lost, nothing forked, nothing twice.

Both nodes are served by real processes that wake and pull each other. In each round names are
published by command, and at a random moment one of the processes, or the command itself, is killed.
What a command said it published must arrive; what it did not say may arrive, whole.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from tests.support.forks import PATIENCE, Forked
from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
    until,
)
from tests.support.what_arrived import check_whole, names_held


def start_publishing(node: Tocsin, folder: Path, names: list[str]) -> Forked:
    """Begin to publish names in a process of its own, which can be killed."""
    file = folder / f"{names[0]}.txt"
    file.write_text("\n".join(names) + "\n")
    return node.begin("publish", file, "--tlp", "green", "--format", "names", "--json")


def a_round(dice: random.Random, number: int, a: Tocsin, b: Tocsin, folder: Path) -> list[str]:
    """Publish and kill; return the names that the command said were published."""
    names = [f"death-{number}-{place}.example" for place in range(dice.randint(1, 130))]
    victim = dice.choice(["a", "b", "command"])
    publishing = start_publishing(a, folder, names)
    # Any moment from before the command has begun until after the peer was woken.
    seconds = dice.uniform(0, 2.5)
    try:
        told = publishing.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        told = False
    if victim == "command":
        publishing.kill()
    else:
        {"a": a, "b": b}[victim].kill()
    told = publishing.wait(PATIENCE) == 0 or told
    for node in (a, b):
        if node.server is None:
            start_all(node)
    return names if told else []


def play(rounds: int, seed: int, folder: Path) -> None:
    dice = random.Random(seed)
    with organisations(folder, "a", "b") as (a, b):
        start_all(a, b)
        pair_by_command(a, b)
        give_trust_by_command(a, b, "trusted")
        give_trust_by_command(b, a, "trusted")
        told: set[str] = set()
        for number in range(rounds):
            told |= set(a_round(dice, number, a, b, folder))
        # One more word wakes B whatever the last round killed.
        [last] = ["the-last.example"]
        start_publishing(a, folder, [last]).wait(PATIENCE)
        until(lambda: last in names_held(b) or b.give("pull", a.node_id) is None, "B has the last")
        a.stop()
        b.stop()
        held = names_held(a)
        assert told <= set(held), "a command said that it published what is not there"
        check_whole([a, b], held)


def test_t13_t56_a_few_sudden_deaths(tmp_path: Path) -> None:
    play(2, seed=8, folder=tmp_path)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_hundred_sudden_deaths(tmp_path: Path) -> None:
    play(200, seed=2, folder=tmp_path)
