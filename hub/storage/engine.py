"""The database of a node: one engine, two kinds of transaction.

Invariants:
* ``write()`` serialises writers (``BEGIN IMMEDIATE`` on SQLite, an advisory lock on PostgreSQL),
  commits on a clean exit and rolls back otherwise; forgetting is safe;
* what is told to somebody outside is on the disk first (``synchronous=FULL``), unless the caller
  says that the write can be recomputed (``durable=False``);
* ``read()`` sees one snapshot from its first statement to its last.

With a plain ``BEGIN`` 65 % of concurrent read-modify-writes on SQLite fail (ARCHITECTURE 5).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
)

from hub.errors import Misconfigured, StorageBusy
from hub.storage.transaction import OPERATOR, Transaction

_BUSY_TIMEOUT_MS = 30_000
_SWITCH_PAUSE_SECONDS = 0.01
_CLOSE_SECONDS = 5.0
_WRITER_CACHE_KIB = 65_536
"""Ids are random, so each batch touches pages all over their indexes: 50 MiB of them at 200,000
objects. A reader's 4 MiB hold those of some 20,000; beyond that each batch would read and write
most pages twice."""
_WRITER_LOCK = 0x70C51  # any number does, as long as every process of the node uses the same


class Database:
    """One node's database.

    Args:
        url: an SQLAlchemy URL, ``sqlite:///…`` or ``postgresql+psycopg://…``.
        step: called with a statement's number before every statement of a write; for the tests
            that kill the process between any two statements. None in production.
    """

    def __init__(self, url: str, step: Callable[[str], None] | None = None) -> None:
        self.url = sa.make_url(url)
        self._is_sqlite = self.url.get_backend_name() == "sqlite"
        if not self._is_sqlite and self.url.get_backend_name() != "postgresql":
            raise Misconfigured(
                "E_SETTINGS",
                f"database_url: {self.url.get_backend_name()} is not supported",
                "Use sqlite:///FILE or postgresql+psycopg://….",
            )
        self.engine = self._create_engine()
        self._turn = threading.Lock()
        self._writing: sa.Connection | None = None
        self._waiting: tuple[threading.Event, ...] = ()
        self.operator = OPERATOR
        if step is not None:
            event.listen(self.engine, "before_cursor_execute", _stepper(step))

    def _create_engine(self) -> sa.Engine:
        if not self._is_sqlite:
            return sa.create_engine(
                self.url, pool_pre_ping=True, pool_size=8, max_overflow=16, pool_timeout=30
            )
        if self.url.database:
            _create_private(Path(self.url.database))
        engine = sa.create_engine(
            self.url,
            connect_args={"check_same_thread": False, "timeout": _BUSY_TIMEOUT_MS / 1000},
            pool_size=16,
            max_overflow=32,
            # The connection used last has its pages in memory; the others would each read them.
            pool_use_lifo=True,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def write(self, *, durable: bool = True, rebuilds: bool = False) -> Iterator[Transaction]:
        """Open the one writing transaction.

        Args:
            durable: False only for what can be recomputed or asked again.
            rebuilds: it makes tables anew, so that references are looked at in the end alone.

        Raises:
            StorageBusy: ``E_STORAGE_BUSY`` when no turn came in time.
        """
        try:
            with self._writer() as plain, self._references(plain, rebuilds):
                connection = plain.execution_options(
                    tocsin_begin="BEGIN IMMEDIATE", tocsin_durable=durable
                )
                tx = Transaction(
                    connection, writable=True, rouse=self._rouse, operator=self.operator
                )
                with connection.begin():
                    if not self._is_sqlite:
                        self._lock_postgres(connection, durable)
                    yield tx
                    if rebuilds and self._is_sqlite:
                        _require_references(tx)
        except _THE_DATABASES_OWN as error:
            raise _storage_error(error) from error
        for act in tx.after_commit.values():
            act()

    @contextmanager
    def _writer(self) -> Iterator[sa.Connection]:
        """Give the connection that writes: on SQLite one, for which the threads take turns.

        Its pages stay in memory from one write to the next, and a thread that waits goes on at
        once, while SQLite's own way of waiting looks again after up to a tenth of a second.
        """
        if not self._is_sqlite:
            with self.engine.connect() as connection:
                yield connection
            return
        if not self._turn.acquire(timeout=_BUSY_TIMEOUT_MS / 1000):
            raise StorageBusy(
                "E_STORAGE_BUSY", "the database is busy", "Nothing was stored; try again."
            )
        try:
            if self._writing is None:
                self._writing = self._open_writer()
            yield self._writing
        finally:
            if self._writing is not None and (
                self._writing.invalidated or self._writing.in_transaction()
            ):
                self._drop_writer()
            self._turn.release()

    @contextmanager
    def _references(self, plain: sa.Connection, rebuilds: bool) -> Iterator[None]:
        """Let SQLite not look at references while a table is made anew.

        It copies the rows and drops the old table, which SQLite takes for the end of all that is
        referred to. The switch does nothing inside a transaction, so it is set around it.
        """
        if not rebuilds or not self._is_sqlite:
            yield
            return
        driver: Any = plain.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")
        try:
            yield
        finally:
            driver.execute("PRAGMA foreign_keys = ON")

    def _open_writer(self) -> sa.Connection:
        connection = self.engine.connect()
        # Not by SQLAlchemy, which would begin a transaction for it.
        plain: Any = connection.connection.driver_connection
        plain.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
        return connection

    def _drop_writer(self) -> None:
        """Let go of the connection that writes; it does not go back to those that read."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.invalidate()
            writing.close()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a reading transaction over one snapshot."""
        try:
            with self.engine.connect() as plain:
                connection = (
                    plain
                    if self._is_sqlite
                    else plain.execution_options(
                        isolation_level="REPEATABLE READ", postgresql_readonly=True
                    )
                )
                with connection.begin():
                    yield Transaction(connection, writable=False)
        except _THE_DATABASES_OWN as error:
            raise _storage_error(error) from error

    def forget_deleted(self) -> None:
        """Take what was deleted and overwritten out of SQLite's log too, as far as readers let it.

        A page that somebody still reads stays in the log until the next time.
        """
        if self._is_sqlite:
            # Past SQLAlchemy, which would begin a transaction: none may be open here.
            connection = self.engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                connection.close()

    @contextmanager
    def work_asked_for(self) -> Iterator[threading.Event]:
        """Give an event that is set whenever a write of this process has asked for work."""
        asked = threading.Event()
        self._waiting = (*self._waiting, asked)
        try:
            yield asked
        finally:
            self._waiting = tuple(other for other in self._waiting if other is not asked)

    def _rouse(self) -> None:
        for waiting in self._waiting:
            waiting.set()

    @property
    def tells_changes(self) -> bool:
        """Whether ``data_version`` knows, so that asking it often is cheap."""
        return self._is_sqlite

    def data_version(self) -> Callable[[], bool]:
        """Return a cheap probe that tells whether there may be something new since its last call.

        SQLite counts commits of other connections; on PostgreSQL the answer is always yes.
        """
        if not self._is_sqlite:
            return lambda: True
        connection = self.engine.raw_connection()
        seen: list[Any] = [None]

        def changed() -> bool:
            now = connection.cursor().execute("PRAGMA data_version").fetchone()[0]
            before, seen[0] = seen[0], now
            return bool(now != before)

        return changed

    @staticmethod
    def _lock_postgres(connection: sa.Connection, durable: bool) -> None:
        if not durable:
            connection.execute(sa.text("SET LOCAL synchronous_commit = off"))
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK})

    def close(self) -> None:
        """Close every connection."""
        if self._turn.acquire(timeout=_CLOSE_SECONDS):
            self._drop_writer()
            self._turn.release()
        self.engine.dispose()


def _require_references(tx: Transaction) -> None:
    broken = tx.connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise StorageBusy(
            "E_STORAGE",
            f"a row of {broken[0]} refers to nothing",
            "Nothing was changed; take a backup and tell us.",
        )


def _create_private(file: Path) -> None:
    """Create the database's file for its owner alone; SQLite gives its journal the same mode."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.touch(mode=0o600)


def _prepare_sqlite(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # we say BEGIN ourselves, in the event below
    cursor = dbapi_connection.cursor()
    _switch_to_log(cursor)
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA cache_size = -4096")
    # Pages of the indexes are written many times over while objects are added: copying them into
    # the file every 8,000 pages (32 MiB of log) and not every 1,000 adds a quarter more a second.
    cursor.execute("PRAGMA wal_autocheckpoint = 8000")
    cursor.close()


def _switch_to_log(cursor: Any) -> None:
    """Switch a new database to its write-ahead log; a switched one is left alone.

    Of two connections that switch at once SQLite refuses one without waiting for its turn,
    whatever the busy timeout says, because both hold what the other wants. So we wait here.
    """
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    deadline = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_SWITCH_PAUSE_SECONDS)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if "tocsin_begin" not in options:
        connection.exec_driver_sql("BEGIN")
        return
    # Synchronous cannot change inside a transaction, so it is set before BEGIN each time.
    level = "FULL" if options["tocsin_durable"] else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
    connection.exec_driver_sql(options["tocsin_begin"])


def _stepper(step: Callable[[str], None]) -> Callable[..., None]:
    def before(
        _connection: object, _cursor: object, statement: str, *_rest: object, **_more: object
    ) -> None:
        step(statement)

    return before


_THE_DATABASES_OWN = (OperationalError, InternalError, InterfaceError, NotSupportedError)
"""What is no defect of ours: full, locked, away, or a standby that takes no writes, which psycopg
calls internal (SQLSTATE 25006) or not supported (0A000)."""


def _storage_error(error: DBAPIError) -> Exception:
    text = str(error.orig)
    if "locked" in text or "busy" in text:
        return StorageBusy(
            "E_STORAGE_BUSY", "the database is busy", "Nothing was stored; try again."
        )
    return StorageBusy(
        "E_STORAGE",
        f"the database refused: {text.splitlines()[0] if text else 'no reason given'}",
        "Nothing was stored; look at the disk and the database, then try again.",
    )
