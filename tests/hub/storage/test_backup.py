from __future__ import annotations

import shutil
import sqlite3

import pytest

from hub.bootstrap import NodeProfile, create_node
from hub.errors import Conflict, Misconfigured, StorageBusy
from hub.settings import load_settings
from hub.storage.backup import back_up, restore
from hub.storage.engine import Database


def make_home(home):
    create_node(load_settings(home), NodeProfile("N", "n.example", "https://n.example/"))
    return home / "tocsin.db"


def database_at(file):
    return Database(f"sqlite:///{file}")


@pytest.fixture
def file(tmp_path):
    return make_home(tmp_path / "home")


@pytest.fixture
def database(file):
    found = database_at(file)
    yield found
    found.close()


def counted(file, table="tokens"):
    with sqlite3.connect(file) as connection:
        number = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    connection.close()
    return number


def test_a_backup_is_one_whole_private_file(database, tmp_path):
    target = tmp_path / "copies" / "copy.db"
    target.parent.mkdir()
    size = back_up(database, target)
    assert size == target.stat().st_size > 0
    assert target.stat().st_mode & 0o777 == 0o600
    assert counted(target, "own_node") == 1
    assert [each.name for each in target.parent.iterdir()] == ["copy.db"]


def test_a_backup_holds_what_was_committed_while_others_write(database, file, tmp_path):
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("CREATE TABLE noted (n)")
    writer.execute("INSERT INTO noted VALUES (1)")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO noted VALUES (2)")
    back_up(database, tmp_path / "copy.db")
    writer.execute("COMMIT")
    writer.close()
    assert counted(tmp_path / "copy.db", "noted") == 1


def test_a_backup_overwrites_nothing(database, tmp_path):
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(Conflict) as refused:
        back_up(database, target)
    assert refused.value.code == "E_FILE_EXISTS"
    assert target.read_text() == "precious"


def test_a_restore_keeps_what_it_replaces(database, file, tmp_path):
    back_up(database, tmp_path / "copy.db")
    assert restore(database, tmp_path / "copy.db") == file.with_name("tocsin.db.replaced-1")
    assert restore(database, tmp_path / "copy.db") == file.with_name("tocsin.db.replaced-2")
    assert counted(file, "own_node") == 1


@pytest.mark.parametrize("state", ["absent", "broken", "empty"])
def test_a_restore_works_where_the_database_is_lost(database, file, tmp_path, state):
    back_up(database, tmp_path / "copy.db")
    database.close()
    file.unlink()
    if state != "absent":
        file.write_bytes(b"not a database at all" * 1000 if state == "broken" else b"")
    kept = restore(database, tmp_path / "copy.db")
    assert (kept is None) == (state == "absent")
    assert counted(file, "own_node") == 1


def test_a_restore_waits_for_no_running_node(database, tmp_path, file):
    back_up(database, tmp_path / "copy.db")
    before = file.read_bytes()
    running = database_at(file)
    with running.read() as tx:
        tx.connection.exec_driver_sql("SELECT 1 FROM own_node")
        with pytest.raises(StorageBusy):
            restore(database, tmp_path / "copy.db")
    running.close()
    assert file.read_bytes() == before


def test_that_a_backup_takes_the_place_is_noted_before_it_does(database, file, tmp_path):
    back_up(database, tmp_path / "copy.db")
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE feeds SET last_seq = 7 WHERE own")
    connection.close()
    seen = []

    def note():
        with sqlite3.connect(file) as still:
            seen.append(still.execute("SELECT last_seq FROM feeds WHERE own").fetchone()[0])
        still.close()

    restore(database, tmp_path / "copy.db", note_restored=note)
    assert seen == [7]


def test_a_refused_restore_notes_nothing(database, tmp_path):
    seen = []
    (tmp_path / "copy.db").write_text("no database")
    with pytest.raises(Misconfigured):
        restore(database, tmp_path / "copy.db", note_restored=lambda: seen.append(1))
    assert seen == []


def test_another_nodes_backup_is_refused(database, tmp_path):
    other = database_at(make_home(tmp_path / "other"))
    back_up(other, tmp_path / "copy.db")
    other.close()
    with pytest.raises(Conflict) as refused:
        restore(database, tmp_path / "copy.db")
    assert refused.value.code == "E_RESTORE_OTHER"


@pytest.mark.parametrize("damage", ["absent", "text", "cut", "strange"])
def test_what_is_no_whole_backup_is_refused_and_nothing_changes(database, file, tmp_path, damage):
    copy = tmp_path / "copy.db"
    back_up(database, copy)
    if damage == "absent":
        copy.unlink()
    elif damage == "text":
        copy.write_text("hello")
    elif damage == "cut":
        copy.write_bytes(copy.read_bytes()[:20_000])
    else:
        copy.unlink()
        sqlite3.connect(copy).close()
    before = shutil.copy(file, tmp_path / "before")
    with pytest.raises(Misconfigured) as refused:
        restore(database, copy)
    assert refused.value.code == "E_BACKUP"
    assert file.read_bytes() == before.read_bytes()


def test_postgresql_is_left_to_its_own_tools(tmp_path):
    database = Database("postgresql+psycopg://nobody@192.0.2.1/none")
    for work in (back_up, restore):
        with pytest.raises(Misconfigured) as refused:
            work(database, tmp_path / "copy.db")
        assert refused.value.code == "E_BACKUP"
        assert "pg_dump" in refused.value.remedy
    database.close()
