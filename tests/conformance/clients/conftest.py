"""A node served by two processes, and for each test a collection of its own in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.clients.ground import MAX_CONTENT_LENGTH, Ground, new_ground
from tests.support.processes import Tocsin, organisations, start_all


@pytest.fixture(scope="session")  # not of the package, whose files come in a random order
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    with organisations(tmp_path_factory.mktemp("clients"), "hub") as (node,):
        node.serve_options = ("--workers", "2")
        node.apart = True
        node.environment["TOCSIN_RATE_LIMITS"] = "off"  # wrong tokens are part of the tests
        node.environment["TOCSIN_MAX_CONTENT_LENGTH"] = str(MAX_CONTENT_LENGTH)
        start_all(node)
        yield node
        node.stop()


@pytest.fixture
def ground(hub: Tocsin) -> Ground:
    return new_ground(hub)
