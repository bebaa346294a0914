"""What all tests share: Hypothesis' profiles, a fixed instant, and when a skip is a failure.

Nothing here patches the product. A test that needs more builds it itself, so that it reads like
the specification from top to bottom.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from tests.support import one_dialect

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
NEEDS_PROGRAM = "needs a system program"
"""How the reason of a skip begins where a program such as ``curl`` is missing."""

# No deadline and no complaint about slowness: two cores that are shared say nothing about the code.
_CALM: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=50, **_CALM)
settings.register_profile("ci", max_examples=100, derandomize=True, database=None, **_CALM)
settings.register_profile("long", max_examples=2_000, **_CALM)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if IN_CI else "dev"))


MEMORY = Path("/dev/shm")
ROOM_IN_MEMORY = 4 << 30


def pytest_configure() -> None:
    """Make cheaper what every test pays: statements are compiled once, and files are in memory.

    A node commits durably, some twenty times a test, and a disk needs milliseconds for each. What
    is shown stays the same: a killed process loses nothing of a file in memory either, and the
    tests about a full disk make one of their own.
    """
    one_dialect.register()
    gc.disable()
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_IN_MEMORY:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_finish() -> None:
    """Let the collector pass over what stays anyway: a million objects of modules and tests.

    It is off until here, for each time it would look through all modules that are there already.
    """
    gc.enable()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


LONGEST = ("tests/properties/federation_machine", "tests/scenarios", "tests/properties")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no core waits for one of them at the end.

    A file goes to one process as a whole (``--dist loadfile``), for its nodes are made once then.
    """

    def rank(item: pytest.Item) -> int:
        places = enumerate(LONGEST)
        return next((n for n, folder in places if item.nodeid.startswith(folder)), len(LONGEST))

    items.sort(key=rank)


@pytest.fixture
def now() -> datetime:
    """The instant at which a test takes place, unless it says otherwise."""
    return datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test of the CI that a missing system program would have skipped."""
    report = yield
    return _fail_missing_program(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same where a whole module is skipped."""
    report = yield
    return _fail_missing_program(report)


def _fail_missing_program(report: Report) -> Report:
    if IN_CI and report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if reason.startswith(NEEDS_PROGRAM):
            report.outcome = "failed"
            report.longrepr = f"{reason} (under CI=true a missing program is a failure)"
    return report
