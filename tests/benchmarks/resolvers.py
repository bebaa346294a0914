"""How soon a change of a policy zone is in force in BIND and Unbound, through Knot (issue 6).

Both run all the time, with the whole zone in force; the clock runs from the rendering of the new
zone until a resolver blocks the last name that came. Beside it how long each took to load the
whole zone when it started, and its memory with it.

BIND is told to take policy changes in at once: with its ``min-update-interval`` of 60 s that alone
would be waited for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from hub.exports.listed_name import ListedName
from hub.exports.rpz import RpzPolicy, write_rpz
from tests.benchmarks.figures import Figure, write_names
from tests.support.hidden_primary import running_knot
from tests.support.listed import context, listed
from tests.support.nodes import free_port
from tests.support.resolvers import (
    PolicyZone,
    TransferKey,
    rest_of_the_world,
    running_bind,
    running_unbound,
)

ZONE: Final = "organisation.rpz"
LIMIT: Final = 20
NAMES: Final = 500_000
_PATIENCE: Final = 600
_MIB: Final = 1 << 20


def measure_resolvers(home: Path, count: int = NAMES, changed: int = 1_000) -> list[Figure]:
    """Measure a change of some names among many."""
    home /= "resolvers"
    home.mkdir()
    kind = write_names(home / "names", count)
    kind += " and names below them" * (kind == "real names")
    names = _filled_up((home / "names").read_text().split(), count)
    key, port = TransferKey(), free_port()
    figures = []
    with ExitStack() as stack:
        world = stack.enter_context(rest_of_the_world(home / "world"))
        begun = time.perf_counter()
        knot = stack.enter_context(
            running_knot(home / "knot", {ZONE: _zone(names, 1)}, key=key, bind=world, unbound=port)
        )
        loaded = time.perf_counter() - begun
        figures.append(Figure(f"Knot loads {count:,} {kind}", f"{loaded:.1f} s"))
        resolvers = []
        for name in ("BIND", "Unbound"):
            begun = time.perf_counter()
            by_transfer = [PolicyZone(ZONE, port=knot.port, key=key if name == "BIND" else None)]
            resolver = stack.enter_context(
                running_bind(home / "bind", world, by_transfer)
                if name == "BIND"
                else running_unbound(home / "unbound", world, by_transfer, port=port)
            )
            resolver.wait_for(names[-1], "NXDOMAIN", _PATIENCE)
            loaded = time.perf_counter() - begun
            memory = f"{resolver.memory() / _MIB:,.0f} MiB"
            figures.append(Figure(f"{name} starts with them in force", f"{loaded:.1f} s", memory))
            resolvers.append((name, resolver))
        fresh = [f"new-{n}.bench.example" for n in range(changed)]
        begun = time.perf_counter()
        knot.publish(ZONE, _zone(sorted([*names[changed:], *fresh]), 2))
        told = time.perf_counter() - begun
        figures.append(Figure("rendered, written and told to Knot", f"{told:.1f} s"))
        waiting = dict(resolvers)
        while waiting:
            for name, resolver in list(waiting.items()):
                if resolver.ask(fresh[-1], patience=0.2) != "NXDOMAIN":
                    continue
                took = time.perf_counter() - begun
                figures.append(
                    Figure(
                        f"{changed:,} names exchanged among {count:,} in force in {name}",
                        f"{took:.1f} s",
                        f"limit {LIMIT} s",
                        f"{took / LIMIT:.2f}",
                    )
                )
                del waiting[name]
            assert time.perf_counter() - begun < _PATIENCE, f"not in force in {set(waiting)}"
            time.sleep(0.05)
    return figures


def _filled_up(names: Sequence[str], count: int) -> list[str]:
    """Make as many as are asked for: of the real names there are a quarter of a million."""
    made = [f"also-{number}.{name}" for number in range(count // len(names)) for name in names]
    return sorted({*names, *made[: count - len(names)]})


def _zone(names: Sequence[str], serial: int) -> str:
    rows: list[ListedName] = [listed(name) for name in names]
    made = write_rpz(rows, context(serial=serial), RpzPolicy(ZONE))
    return b"".join(made).decode("ascii")
