"""The examples in ``deploy/`` are what the servers take: asked of the servers' own checkers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import NEEDS_PROGRAM

DEPLOY = Path(__file__).parents[3] / "deploy"
PLACE = "REPLACE+WITH+THE+SECRET+OF+keymgr="
SECRET = "bm90IGEgc2VjcmV0IGJ1dCBhIHRlc3Q="


@pytest.mark.parametrize(
    ("command", "example"),
    [
        (("knotc", "-c", "{file}", "conf-check"), "knot/knot.conf"),
        (("named-checkconf", "{file}"), "bind/named.conf.rpz"),
        (("unbound-checkconf", "{file}"), "unbound/tocsin-rpz.conf"),
    ],
)
def test_an_example_is_taken(command: tuple[str, ...], example: str, tmp_path: Path) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{NEEDS_PROGRAM}: {command[0]} (make system-packages)")
    file = tmp_path / "example.conf"
    file.write_text((DEPLOY / example).read_text().replace(PLACE, SECRET))
    words = [word.format(file=file) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_example_has_a_secret() -> None:
    for file in ("knot/knot.conf", "bind/named.conf.rpz"):
        assert PLACE in (DEPLOY / file).read_text()
