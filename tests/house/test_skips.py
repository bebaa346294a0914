"""A missing system program skips a test at a desk, and fails it in the CI."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.house.sources import ROOT

_OUTSIDE = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
TESTS = """
import pytest

def test_program():
    pytest.skip("needs a system program: knotc")

def test_data():
    pytest.skip("shared/vectors is not beside the project on this machine")
"""
MODULE = """
import pytest

pytest.skip("needs a system program: unbound", allow_module_level=True)
"""


@pytest.mark.parametrize(
    ("text", "ci", "outcome", "code"),
    [
        (TESTS, "", "2 skipped", 0),
        (TESTS, "true", "1 failed, 1 skipped", 1),
        (MODULE, "", "1 skipped", 5),
        (MODULE, "true", "1 error", 2),
    ],
)
def test_only_a_missing_program_fails_and_only_in_the_ci(tmp_path, text, ci, outcome, code):
    (tmp_path / "test_it.py").write_text(text)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conftest",
            "-p",
            "no:cacheprovider",
            tmp_path,
        ],
        cwd=tmp_path,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in done.stdout, done.stdout + done.stderr
    assert done.returncode == code
