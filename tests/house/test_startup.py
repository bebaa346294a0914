"""``tocsin --help`` answers at once: it loads no machinery that it does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.sources import ROOT

HEAVY = ("stix2", "sqlalchemy", "fastapi", "uvicorn", "httpx2", "taxii2client", "jsonschema_rs")

PROBE = """
import sys
sys.argv = ["tocsin", *{arguments!r}]
from hub.__main__ import main
try:
    main()
except SystemExit as exit:
    assert not exit.code, exit.code
print(" ".join(sorted({{name.split(".")[0] for name in sys.modules}})), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["peer", "--help"], ["publish", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(arguments=arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.split())
    assert loaded.isdisjoint(HEAVY), f"import these where they are used: {loaded & set(HEAVY)}"
    assert "Usage" in done.stdout
