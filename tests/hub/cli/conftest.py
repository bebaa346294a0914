"""The command line run as a person runs it, on real homes in a temporary directory."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hub.bootstrap import open_node
from hub.cli.app import app
from hub.node import Node
from hub.settings import load_settings
from tests.support.nodes import free_port


@dataclass
class Tocsin:
    """One home and the command that works on it."""

    home: Path

    def __call__(self, *words: str, stdin: bytes | str | None = None) -> Result:
        """Run ``tocsin`` with these words on the home; the exit code is the test's to judge."""
        result = CliRunner().invoke(app, [*words, "--home", str(self.home)], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *words: str, code: int = 0, stdin: bytes | str | None = None) -> Any:
        """Run with ``--json``; standard output has to be one document, whatever the outcome."""
        result = self(*words, "--json", stdin=stdin)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def refusal(self, *words: str, code: int) -> str:
        """Run with ``--json`` what has to end with an error; return its code."""
        document = self.json(*words, code=code)
        assert set(document) == {"error"}
        assert set(document["error"]) == {"code", "detail", "remedy"}
        return str(document["error"]["code"])

    def node(self) -> Node:
        """Open the home's node for a look from inside."""
        return open_node(load_settings(self.home))

    def init(self, name: str, base_url: str) -> Any:
        return self.json(
            "init", "--name", name, "--domain", f"{self.home.name}.example",
            "--base-url", base_url,
        )  # fmt: skip


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home made once; tests work on copies."""
    home = tmp_path_factory.mktemp("made") / "cert"
    Tocsin(home).init("Example CERT", "https://hub.cert.example/")
    return home


@pytest.fixture
def tocsin(tmp_path: Path, made_home: Path, monkeypatch: pytest.MonkeyPatch) -> Tocsin:
    """The command line on a home with a fresh node."""
    monkeypatch.setenv("COLUMNS", "200")
    return Tocsin(Path(shutil.copytree(made_home, tmp_path / "cert")))


@dataclass
class Pair:
    """Two homes whose nodes allow loopback; the first one's address is free to serve at."""

    cert: Tocsin
    registry: Tocsin


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Two nodes that do not know each other yet."""
    monkeypatch.setenv("TOCSIN_ALLOW_LOOPBACK_PEERS", "true")
    monkeypatch.setenv("COLUMNS", "200")
    found = Pair(Tocsin(tmp_path / "cert"), Tocsin(tmp_path / "registry"))
    found.cert.init("Example CERT", f"http://127.0.0.1:{free_port()}/")
    found.registry.init("Example Registry", f"http://127.0.0.1:{free_port()}/")
    return found


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """A list of names with everything in it that such lists have."""
    file = tmp_path / "names.txt"
    file.write_text(
        "login-bank.example\nUpdate-now.example\nhttp://x.example/a\n# c\n\n192.0.2.1\n"
    )
    return file
