"""Transactions on both databases: serialised writers, snapshots, nothing half stored."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub.errors import Misconfigured, StorageBusy
from hub.storage import migrate
from hub.storage.engine import Database
from hub.storage.queries.counters import claim_numbers
from hub.storage.queries.jobs import request_job
from hub.storage.tables import METADATA
from hub.storage.tables.objects import COUNTERS
from tests.support.nodes import NOW


def counters(database):
    with database.read() as tx:
        rows = tx.connection.execute(sa.select(COUNTERS.c.name, COUNTERS.c.value))
        return {row.name: row.value for row in rows}


class TestWriting:
    def test_a_clean_exit_commits(self, database):
        with database.write() as tx:
            claim_numbers(tx, "x", 3)
        assert counters(database) == {"x": 3}

    def test_an_exception_rolls_everything_back(self, database):
        def fail():
            with database.write() as tx:
                claim_numbers(tx, "x", 3)
                raise ValueError("stop")

        with pytest.raises(ValueError, match="stop"):
            fail()
        assert counters(database) == {}

    def test_a_write_that_can_be_recomputed(self, database):
        with database.write(durable=False) as tx:
            claim_numbers(tx, "x", 1)
        with database.write() as tx:
            claim_numbers(tx, "x", 1)
        assert counters(database) == {"x": 2}

    def test_writers_take_turns(self, database):
        """With a plain BEGIN most of these read-modify-writes would fail or lose an update."""
        given: list[int] = []
        gate = threading.Barrier(6)

        def work():
            gate.wait()
            for _ in range(10):
                with database.write() as tx:
                    given.append(claim_numbers(tx, "x", 1))

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(given) == list(range(1, 61))
        assert counters(database) == {"x": 60}

    def test_a_writer_sees_what_the_one_before_it_committed(self, database):
        inside, seen = threading.Event(), []

        def second():
            inside.wait()
            with database.write() as tx:
                seen.append(claim_numbers(tx, "x", 1))

        thread = threading.Thread(target=second)
        thread.start()
        with database.write() as tx:
            inside.set()
            claim_numbers(tx, "x", 5)
        thread.join()
        assert seen == [6]

    def test_a_write_that_failed_leaves_the_next_one_a_sound_connection(self, database):
        def fail():
            with database.write() as tx:
                claim_numbers(tx, "x", 1)
                tx.connection.execute(sa.text("SELECT a FROM no_such_table"))

        for _ in range(2):
            with pytest.raises((StorageBusy, sa.exc.ProgrammingError)):
                fail()
            with database.write() as tx:
                claim_numbers(tx, "x", 1)
        assert counters(database) == {"x": 2}

    def test_who_waits_for_work_is_roused_by_what_was_committed_alone(self, database):
        def fail():
            with database.write() as tx:
                request_job(tx, "pull", "a", NOW)
                raise ValueError("stop")

        with database.work_asked_for() as asked:
            with pytest.raises(ValueError, match="stop"):
                fail()
            with database.write() as tx:
                claim_numbers(tx, "x", 1)
            assert not asked.is_set()
            with database.write() as tx:
                request_job(tx, "pull", "a", NOW)
                assert not asked.is_set()
            assert asked.is_set()
            asked.clear()
        with database.write() as tx:
            request_job(tx, "pull", "b", NOW)
        assert not asked.is_set()


class TestReading:
    def test_a_reader_keeps_its_snapshot(self, database):
        with database.write() as tx:
            claim_numbers(tx, "x", 1)
        statement = sa.select(COUNTERS.c.value)
        with database.read() as reader:
            before = reader.connection.execute(statement).scalar_one()
            with database.write() as tx:
                claim_numbers(tx, "x", 1)
            after = reader.connection.execute(statement).scalar_one()
        assert (before, after) == (1, 1)
        assert counters(database) == {"x": 2}

    def test_a_reader_does_not_wait_for_a_writer(self, database):
        with database.write() as tx:
            claim_numbers(tx, "x", 1)
            assert counters(database) == {}

    def test_a_connection_that_read_can_write_again(self, database):
        for _ in range(3):
            counters(database)
            with database.write() as tx:
                claim_numbers(tx, "x", 1)
        assert counters(database) == {"x": 3}


class TestMigrations:
    def test_an_empty_database_gets_the_tables_of_this_release(self, database_url):
        database = Database(database_url)
        assert migrate.revision_of(database) is None
        with pytest.raises(Misconfigured, match="E_SCHEMA_VERSION"):
            migrate.require_current(database)
        migrate.upgrade(database)
        migrate.require_current(database)
        assert migrate.differences(database) == []
        names = set(sa.inspect(database.engine).get_table_names())
        assert set(METADATA.tables) <= names
        database.close()

    def test_doing_it_again_changes_nothing(self, database):
        migrate.upgrade(database)
        migrate.require_current(database)

    def test_two_at_once_are_safe(self, database_url):
        failures: list[Exception] = []

        def work():
            database = Database(database_url)
            try:
                migrate.upgrade(database)
            except Exception as error:  # noqa: BLE001 - of a thread, for the assertion below
                failures.append(error)
            finally:
                database.close()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []

    def test_a_table_that_is_missing_shows(self, database):
        with database.write() as tx:
            tx.connection.execute(sa.text("DROP TABLE statuses"))
        assert migrate.differences(database) != []


class TestOpening:
    def test_another_kind_of_database(self):
        with pytest.raises(Misconfigured, match="E_SETTINGS"):
            Database("mysql://localhost/x")

    def test_sqlite_is_careful(self, tmp_path: Path):
        database = Database(f"sqlite:///{tmp_path / 'deep' / 'x.db'}")
        with database.read() as tx:
            ask = tx.connection.exec_driver_sql
            assert ask("PRAGMA journal_mode").scalar_one() == "wal"
            assert ask("PRAGMA foreign_keys").scalar_one() == 1
            assert ask("PRAGMA synchronous").scalar_one() == 2
        database.close()

    def test_a_full_or_broken_disk_is_said_in_our_words(self, tmp_path: Path):
        database = Database(f"sqlite:///{tmp_path / 'x.db'}")
        with pytest.raises(StorageBusy, match="E_STORAGE"), database.read() as tx:
            tx.connection.execute(sa.text("SELECT * FROM nowhere"))
        database.close()

    def test_every_statement_of_a_write_is_counted(self, tmp_path: Path):
        """For the tests that kill a process between any two of them."""
        seen: list[str] = []
        database = Database(f"sqlite:///{tmp_path / 'x.db'}", seen.append)
        migrate.upgrade(database)
        seen.clear()
        with database.write() as tx:
            claim_numbers(tx, "x", 1)
        assert [text.split()[0] for text in seen if not text.startswith("PRAGMA")] == [
            "BEGIN",
            "SELECT",
            "INSERT",
        ]
        database.close()
