"""The TAXII 2.1 servers that one could run instead, each in a virtual environment of its own.

They are installed by pip outside the tree, at the releases that the comparison names, and started
as their documents say: medallion by its own command with the memory backend (its only one without
a database server; nothing is durable there), OpenTAXII under gunicorn on SQLite.

What it does not do: change what they do. OpenTAXII's answers name collections by UUID objects
that ``json`` refuses, so its writer gets a default; nothing else of either is touched.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.load import Target
from tests.support.nodes import free_port

MEDALLION = ("medallion==3.0.0",)
OPENTAXII = ("opentaxii==0.9.3", "sqlalchemy<2", "marshmallow<4", "gunicorn")
_PATIENCE = 60.0
_COLLECTION = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"

_OPENTAXII_SETTINGS = """
domain: "127.0.0.1"
support_basic_auth: no
auth_api:
  class: opentaxii.auth.sqldb.SQLDatabaseAPI
  parameters: {{db_connection: "sqlite:///{home}/auth.db", create_tables: yes, secret: benchmark}}
taxii1:
taxii2:
  title: Benchmark
  description: Benchmark
  contact: nobody@example.org
  max_content_length: 104857600
  public_discovery: true
  allow_custom_properties: true
  persistence_api:
    class: opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI
    parameters: {{db_connection: "sqlite:///{home}/data.db", create_tables: yes}}
logging: {{opentaxii: error, root: error}}
"""
_OPENTAXII_START = """
import json, types
from pathlib import Path
import opentaxii.taxii2.http as written
written.json = types.SimpleNamespace(dumps=lambda value: json.dumps(value, default=str))
from opentaxii.http import app
with app.app_context():
    store = app.taxii_server.servers.taxii2.persistence.api
    if not Path("objects.txt").exists():
        root = store.add_api_root(title="b", description="b", default=True)
        made = store.add_collection(api_root_id=root.id, title="b", description="b", alias=None,
                                    is_public=True, is_public_write=True)
        Path("objects.txt").write_text(f"/taxii2/{root.id}/collections/{made.id}/objects/")
"""


class CannotStartError(Exception):
    """Why a server of the comparison does not run on this machine."""


def cache_home() -> Path:
    """Find where the environments are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "tocsin" / "peers"


@contextmanager
def medallion(home: Path) -> Iterator[tuple[Target, int]]:
    """Run medallion; give its empty collection and its process."""
    python = environment_of("medallion", MEDALLION)
    home.mkdir()
    collection = {
        "id": _COLLECTION,
        "title": "b",
        "can_read": True,
        "can_write": True,
        "media_types": ["application/stix+json;version=2.1"],
    }
    info = {"title": "b", "versions": ["application/taxii+json;version=2.1"]}
    root = {
        "information": info | {"max_content_length": 104_857_600},
        "status": [],
        "collections": [collection | {"manifest": [], "objects": []}],
    }
    discovery = {"title": "b", "default": "/b/", "api_roots": ["/b/"]}
    (home / "data.json").write_text(json.dumps({"/discovery": discovery, "b": root}))
    backend = {
        "module": "medallion.backends.memory_backend",
        "module_class": "MemoryBackend",
        "filename": str(home / "data.json"),
    }
    settings = {"users": {"bench": "bench"}, "taxii": {"max_page_size": 1000}, "backend": backend}
    (home / "settings.json").write_text(json.dumps(settings))
    port = free_port()
    command = [
        python, "-m", "medallion.scripts.run", "--port", str(port), "--log-level", "ERROR",
        str(home / "settings.json"),
    ]  # fmt: skip
    with running(command, home, port) as pid:
        path = f"/b/collections/{_COLLECTION}/objects/"
        yield Target.by_basic("medallion", port, path, "bench", "bench"), pid


@contextmanager
def opentaxii(home: Path) -> Iterator[tuple[Target, int]]:
    """Run OpenTAXII; give its empty collection and its worker process."""
    python = environment_of("opentaxii", OPENTAXII)
    home.mkdir()
    (home / "settings.yml").write_text(_OPENTAXII_SETTINGS.format(home=home))
    (home / "started.py").write_text(_OPENTAXII_START)
    port = free_port()
    command = [
        python, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4",
        "--timeout", "600", "--log-level", "error", "started:app",
    ]  # fmt: skip
    with running(command, home, port, OPENTAXII_CONFIG=str(home / "settings.yml")) as pid:
        _wait_for((home / "objects.txt").exists, home)
        path = (home / "objects.txt").read_text()
        yield Target("opentaxii", port, path), _worker_of(pid)


def environment_of(name: str, requirements: Sequence[str]) -> str:
    """Make or find a virtual environment outside the tree; return its Python.

    Raises:
        CannotStartError: pip could not install it.
    """
    home = cache_home() / name
    python = home / "bin" / "python"
    done = home / "requirements.txt"
    wanted = "\n".join(requirements)
    if done.exists() and done.read_text() == wanted:
        return str(python)
    print(f"Installing {name} into {home} ...", file=sys.stderr)
    venv.create(home, with_pip=True, clear=True)
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    installed = subprocess.run(
        [*command, *requirements], check=False, capture_output=True, text=True
    )
    if installed.returncode != 0:
        lines = installed.stderr.strip().splitlines() or ["pip gave no reason"]
        raise CannotStartError(f"pip: {lines[-1][:200]}")
    done.write_text(wanted)
    return str(python)


@contextmanager
def running(command: Sequence[str], home: Path, port: int, **environment: str) -> Iterator[int]:
    """Run a server until the block ends; give its process once it listens."""
    kept = {"PATH": os.environ.get("PATH", ""), "HOME": str(home)}
    with (home / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=home, env=kept | environment, stdout=log, stderr=log
        )
    try:
        _wait_for(lambda: _listens(port), home, process)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(holds: object, home: Path, process: subprocess.Popen[bytes] | None = None) -> None:
    assert callable(holds)
    end = time.monotonic() + _PATIENCE
    while not holds():
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > end:
            lines = (home / "log.txt").read_text(errors="replace").strip().splitlines()
            raise CannotStartError(lines[-1][:200] if lines else "it ended without a word")
        time.sleep(0.1)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _worker_of(pid: int) -> int:
    """Find gunicorn's one worker; its parent holds no object."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = children.read_text().split() if children.exists() else []
    return int(found[0]) if found else pid
