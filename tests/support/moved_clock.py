"""Processes that read another clock than this machine's, by Debian's libfaketime.

``clock_ahead`` is for one command. ``MovedClock`` is for a story of days: the nodes that it takes
over read one clock, which the test moves while their servers run. Servers under it need several
times the processor's time, so what can be done before is done before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.conftest import NEEDS_PROGRAM
from tests.support.forks import Forks
from tests.support.processes import Tocsin, start_all

_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
_LONGEST = timedelta(minutes=5)
"""Longer than any story takes."""


def preloaded() -> str:
    """Return what is preloaded; skip where it is not installed."""
    if not _LIBRARIES:
        pytest.skip(f"{NEEDS_PROGRAM}: faketime (make system-packages)")
    return str(_LIBRARIES[0])


def clock_ahead(seconds: int) -> list[str]:
    """Run a command that reads a clock which is this far ahead."""
    return [
        "env", f"LD_PRELOAD={preloaded()}", f"FAKETIME={seconds:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]  # fmt: skip


def day_span() -> timedelta:
    """How many days make a day of a story: two where midnight would come while it is told."""
    now = datetime.now(UTC)
    return timedelta(days=1 if (now + _LONGEST).date() == now.date() else 2)


@dataclass
class MovedClock:
    """A clock that stands apart from this machine's by what its file says.

    Args:
        file: where it is kept, outside of every node's home.
    """

    file: Path
    moved: timedelta = timedelta(0)
    commands: Forks = field(init=False)

    def __enter__(self) -> Self:
        self.move()
        self.commands = Forks(self.under)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.commands.__exit__(kind, value, traceback)

    def take_over(self, *nodes: Tocsin) -> None:
        """Let nodes read this clock from now on: their servers are ended, and started under it."""
        for node in nodes:
            node.stop()
            node.commands = self.commands
            node.environment |= self.environment
        start_all(*nodes)

    @property
    def under(self) -> tuple[str, ...]:
        """What the process runs under that forks all others."""
        words = self.environment | {"LD_PRELOAD": preloaded()}
        return ("env", *(f"{name}={text}" for name, text in words.items()))

    @property
    def environment(self) -> dict[str, str]:
        """What each of the forked processes needs to be told again."""
        return {
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def now(self) -> datetime:
        """Tell what it shows."""
        return datetime.now(UTC) + self.moved

    def move(self, **by: float) -> None:
        """Set it on (or back) by so many ``days``, ``hours``…; nobody reads half a file."""
        self.moved += timedelta(**by)
        new = self.file.with_suffix(".new")
        new.write_text(f"{self.moved.total_seconds():+.0f}")
        new.rename(self.file)
