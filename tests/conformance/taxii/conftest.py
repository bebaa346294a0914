"""One server process a database and session, started by the first test that asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.conformance.taxii.wire import Collection, Taxii, serving_taxii
from tests.support.databases import postgresql_with_tables


@pytest.fixture(scope="session")
def server_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Taxii]]:
    """Give the server on a kind of database; a session may ask for both in any order."""
    running: dict[str, Taxii] = {}
    with ExitStack() as stack:

        def server(kind: str) -> Taxii:
            if kind not in running:
                url = "" if kind == "sqlite" else postgresql_with_tables()
                folder = tmp_path_factory.mktemp(f"taxii-{kind}")
                running[kind] = stack.enter_context(serving_taxii(folder, url))
            return running[kind]

        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def taxii(request: pytest.FixtureRequest, server_on: Callable[[str], Taxii]) -> Taxii:
    """The server, on each database."""
    return server_on(request.param)


@pytest.fixture
def collection(taxii: Taxii) -> Collection:
    """An empty collection of this test alone."""
    return taxii.collection()
