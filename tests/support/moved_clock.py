"""Processes that read another clock than this machine's, by Debian's libfaketime.

``clock_ahead`` is for one command. ``MovedClock`` is for a story of days: all that is forked under
it reads one clock, which the test moves while servers run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import NEEDS_PROGRAM

_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
_NEAR_MIDNIGHT = timedelta(minutes=5)
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


@dataclass
class MovedClock:
    """A clock that stands apart from this machine's by what its file says.

    It begins today, and never so late that the day ends while a story is told.

    Args:
        file: where it is kept, outside of every node's home.
    """

    file: Path
    moved: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        if (now + _NEAR_MIDNIGHT).date() != now.date():
            self.moved = _NEAR_MIDNIGHT
        self.move()

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

    def today(self) -> date:
        """Tell which day it is, in UTC."""
        return self.now().date()

    def move(self, **by: float) -> None:
        """Set it on (or back) by so many ``days``, ``hours``…; nobody reads half a file."""
        self.moved += timedelta(**by)
        new = self.file.with_suffix(".new")
        new.write_text(f"{self.moved.total_seconds():+.0f}")
        new.rename(self.file)
