"""No secret, no path of one machine and no address of a package index is in the tree."""

from __future__ import annotations

import re

import pytest

from tests.house.sources import ROOT, project_files

# The patterns are written so that this file does not find itself.
FORBIDDEN = {
    "a path of one machine": r"/wor[k]/|/roo[t]/|/home/[a-z]+/|/Users[/]",
    "a package index": r"pyp[i]\.org|pythonhoste[d]\.org|registry\.npmj[s]|deb\.debia[n]\.org"
    r"|archive\.ubunt[u]\.com|--(?:extra-)?index-ur[l] http",
    "a private key": r"-----BEGI[N] [A-Z ]*PRIVATE KEY",
    "an access token": r"\btocsi[n]_[A-Za-z0-9_-]{32,}|\bgh[po]_[A-Za-z0-9]{36}",
}


def texts() -> list[tuple[str, str]]:
    found = []
    for name in project_files():
        raw = (ROOT / name).read_bytes()
        if b"\0" not in raw[:8192]:
            found.append((name, raw.decode("utf-8", errors="replace")))
    return found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_tree_holds_no(what):
    form = re.compile(FORBIDDEN[what])
    bad = [
        f"{name}:{number}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if form.search(line)
    ]
    assert not bad, f"{what}: {bad}"


@pytest.mark.parametrize("name", ["requirements.lock", "deploy/runtime.lock"])
def test_a_lock_names_versions_and_hashes_alone(name):
    lock = (ROOT / name).read_text()
    assert "://" not in lock
    requirements = re.findall(r"^[a-z0-9][a-z0-9._-]*(?:\[[a-z0-9,]+\])?==\S+", lock, re.MULTILINE)
    block = r"^\S[^\n]*\\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+"
    blocks = re.findall(block, lock, re.MULTILINE)
    assert len(requirements) == len(blocks) > 30


def test_every_script_is_executable():
    scripts = [name for name in project_files() if name.endswith(".sh") or name == ".ci/run"]
    assert scripts
    not_executable = [name for name in scripts if not (ROOT / name).stat().st_mode & 0o100]
    assert not not_executable


def test_a_node_runs_what_was_tested():
    pin = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z0-9,]+\])?==(\S+)", re.MULTILINE)
    tested = dict(pin.findall((ROOT / "requirements.lock").read_text()))
    runs = dict(pin.findall((ROOT / "deploy" / "runtime.lock").read_text()))
    assert runs.items() <= tested.items()
