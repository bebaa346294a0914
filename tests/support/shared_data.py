"""Where the team's vectors and real data lie, when they are there.

The project passes its tests without them: such a test is then skipped with the reason.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[3] / "shared"


def shared_path(relative: str) -> Path:
    """Return the path of a shared file, or skip the test when it is not there."""
    path = _SHARED / relative
    if not path.exists():
        pytest.skip(f"shared/{relative} is not beside the project on this machine")
    return path
