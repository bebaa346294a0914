"""A write that makes tables anew keeps the rows that refer to them, and leaves nothing dangling."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.errors import StorageBusy
from hub.storage.engine import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(f"sqlite:///{tmp_path / 'node.db'}")
    with found.write() as tx:
        run = tx.connection.exec_driver_sql
        run("CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT)")
        run("CREATE TABLE children (parent INTEGER NOT NULL REFERENCES parents (id))")
        run("INSERT INTO parents VALUES (1, 'a'), (2, 'b')")
        run("INSERT INTO children VALUES (1), (2)")
    yield found
    found.close()


def make_parents_anew(database: Database, *, where: str) -> None:
    with database.write(rebuilds=True) as tx:
        run = tx.connection.exec_driver_sql
        run("CREATE TABLE parents_anew (id INTEGER PRIMARY KEY, name TEXT)")
        run(f"INSERT INTO parents_anew SELECT * FROM parents WHERE {where}")
        run("DROP TABLE parents")
        run("ALTER TABLE parents_anew RENAME TO parents")


def count(database: Database, table: str) -> int:
    with database.read() as tx:
        found = tx.connection.exec_driver_sql(f"SELECT count(*) FROM {table}")
        return int(found.scalar_one())


def test_rows_that_refer_to_a_table_stay_when_it_is_made_anew(database):
    make_parents_anew(database, where="true")
    assert (count(database, "parents"), count(database, "children")) == (2, 2)


def test_nothing_is_changed_where_a_row_would_refer_to_nothing(database):
    with pytest.raises(StorageBusy) as refused:
        make_parents_anew(database, where="id = 1")
    assert refused.value.code == "E_STORAGE"
    assert (count(database, "parents"), count(database, "children")) == (2, 2)


@pytest.mark.parametrize("where", ["true", "id = 1"])
def test_references_are_looked_at_again_in_the_next_write(database, where):
    if where == "true":
        make_parents_anew(database, where=where)
    else:
        with pytest.raises(StorageBusy):
            make_parents_anew(database, where=where)
    with pytest.raises(Exception, match="FOREIGN KEY"), database.write() as tx:
        tx.connection.exec_driver_sql("INSERT INTO children VALUES (9)")
