"""A disk that is full, and a database that cannot be written: a clear word, nothing half done.

The limit is one of the process (RLIMIT_FSIZE, which makes a write fail as a full disk does); a file
system that takes no writes is a mount in a namespace of the test's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import NEEDS_PROGRAM
from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
)
from tests.support.what_arrived import check_whole, names_held, publish_names_by_command

ROOM = 150_000
"""Bytes that a file may still grow: some entries fit, the whole does not."""


def a_full_disk(node: Tocsin) -> list[str]:
    if shutil.which("prlimit") is None:
        pytest.skip(f"{NEEDS_PROGRAM}: prlimit (util-linux)")
    largest = max(file.stat().st_size for file in node.home.glob("tocsin.db*"))
    return ["prlimit", f"--fsize={largest + ROOM}", "--"]


def many(prefix: str) -> list[str]:
    return [f"{prefix}-{number}.example" for number in range(1_500)]


def test_publishing_on_a_full_disk_says_so_and_can_be_repeated(tmp_path: Path) -> None:
    names = many("full")
    with organisations(tmp_path, "a") as (a,):
        file = tmp_path / "names.txt"
        file.write_text("\n".join(names))
        order = ("publish", str(file), "--tlp", "green", "--format", "names")
        refused = a.give_apart(*order, under=a_full_disk(a))
        said = refused.document["error"]
        assert (refused.code, said["code"]) == (1, "E_STORAGE")
        assert "disk" in said["remedy"]
        check_whole([a], names_held(a))
        assert a.give(*order).code == 0
        check_whole([a], names)


@pytest.mark.long
def test_pulling_onto_a_full_disk_says_so_and_goes_on_later(tmp_path: Path) -> None:
    names = many("pulled")
    with organisations(tmp_path, "a", "b") as (a, b):
        start_all(a)
        pair_by_command(a, b)
        give_trust_by_command(a, b, "trusted")
        give_trust_by_command(b, a, "trusted")
        publish_names_by_command(a, tmp_path, names)
        failed = b.give_apart("pull", a.node_id, under=a_full_disk(b))
        assert failed.code == 1
        assert "E_STORAGE" in failed.out
        check_whole([b], names_held(b))
        assert b.run("pull", a.node_id)[0]["error"] is None
        a.stop()
        check_whole([a, b], names)


def a_read_only_home(node: Tocsin) -> list[str]:
    """Run with the home mounted read-only, in a mount namespace that ends with the process."""
    unshare = (
        ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    )
    mount = f"mount --bind '{node.home}' '{node.home}' && mount -o remount,ro,bind '{node.home}'"
    probe = subprocess.run([*unshare, "sh", "-c", mount], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"no mount namespace here: {probe.stderr.decode().strip()}")
    return [*unshare, "sh", "-c", f'{mount} && exec "$@"', "sh"]


def test_a_read_only_database_refuses_to_write_with_a_word(tmp_path: Path) -> None:
    with organisations(tmp_path, "a") as (a,):
        file = tmp_path / "names.txt"
        file.write_text("one.example\n")
        order = ("publish", str(file), "--tlp", "green", "--format", "names")
        refused = a.give_apart(*order, under=a_read_only_home(a))
        said = refused.document["error"]
        assert (refused.code, said["code"]) == (1, "E_FILE")
        assert "Read-only" in said["detail"]
        assert said["remedy"]
        assert a.run("objects", "list", "--type", "indicator") == []
        assert a.give(*order).code == 0
        check_whole([a], ["one.example"])
