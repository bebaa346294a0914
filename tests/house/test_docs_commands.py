"""What the documents tell a reader to type works.

A ``console`` block below ``<!-- run -->`` is run: the marked blocks of one document are one
session in an empty directory. Lines that begin with ``$ `` are typed; the others are output and
only there to be read. The ports 8701 to 8703 of the documents become free ones.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import documents, read_text

BLOCK = re.compile(r"^<!-- run -->\n+```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"^<!-- run -->$", re.MULTILINE)
PORTS = ("8701", "8702", "8703")
SECONDS = 90


def session_of(document: str) -> list[str]:
    """The commands that the marked blocks of a document have a reader type."""
    typed: list[str] = []
    for block in BLOCK.findall(read_text(document)):
        lines = iter(block.splitlines())
        for line in lines:
            if not line.startswith("$ "):
                continue
            command = line[2:]
            while command.endswith("\\"):
                command = command[:-1] + next(lines).lstrip("> ")
            typed.append(command)
    return typed


MARKED = [name for name in documents() if MARK.search(read_text(name))]


def test_some_documents_are_run():
    assert "README.md" in MARKED


@pytest.mark.parametrize("document", MARKED)
def test_marked_blocks_are_well_formed(document):
    text = read_text(document)
    assert len(MARK.findall(text)) == len(BLOCK.findall(text)), "a mark without a console block"
    assert session_of(document)


@pytest.mark.parametrize("document", MARKED)
def test_marked_commands_run(document, tmp_path):
    script = "\n".join(["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"])
    for command in session_of(document):
        script += f"\necho {_quoted('$ ' + command)}\n{command}"
    if re.search(r"\bcurl\b", script) and shutil.which("curl") is None:
        pytest.skip("needs a system program: curl")
    for port, free in zip(PORTS, _free_ports(len(PORTS)), strict=True):
        script = script.replace(port, free)
    code, output = _run(script, tmp_path)
    assert code == 0, f"{document}: exit {code}\n{output}"


def _run(script: str, directory: Path) -> tuple[int, str]:
    """Run a script in a process group of its own, so that no server outlives the test."""
    log = directory / "output.log"
    home = directory / "reader"
    home.mkdir()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=home,
            env=_environment(home),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            _end_group(process)
    return code, log.read_text(errors="replace")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # everything in it has ended by itself
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _environment(home: Path) -> dict[str, str]:
    """A reader's environment: this installation first in the path, no setting from outside."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "PY"))
    }
    bin_directory = str(Path(sys.executable).parent)
    return kept | {
        "HOME": str(home),
        "PATH": os.pathsep.join([bin_directory, kept.get("PATH", os.defpath)]),
        "COLUMNS": "120",
    }


def _free_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
