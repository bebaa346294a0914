"""One SQLAlchemy dialect and one memory of compiled statements for all databases of a process.

A node has one engine for years, so it compiles each statement once. A test process opens thousands
of nodes, and each engine would compile the same statements anew: half of the time of most tests.
SQLAlchemy keys what it compiled by the dialect, so the engines share that too; nothing of a dialect
depends on which database it was connected to, as long as there is one version of each kind.

``register()`` has to run before the first engine is made. Nothing of the product knows of it.
"""

from __future__ import annotations

from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

_MOST_STATEMENTS = 5_000
"""More than the product and its tests have, of both kinds of database together."""
_COMPILED: LRUCache[Any, Any] = LRUCache(_MOST_STATEMENTS)


class _Shared:
    """A dialect that is made once; asking for another gives the same."""

    _made: Self | None = None
    supports_statement_cache = True

    def __new__(cls, **_arguments: Any) -> Self:
        if cls._made is None:
            cls._made = super().__new__(cls)
        return cls._made

    def __init__(self, **arguments: Any) -> None:
        given = self.__dict__.setdefault("_given", arguments)
        assert given == arguments, "a dialect of other arguments cannot be the same"
        if given is arguments:
            super().__init__(**arguments)

    @classmethod
    def engine_created(cls, engine: sa.Engine) -> None:
        """Let a new engine remember its statements where all do."""
        engine.update_execution_options(compiled_cache=_COMPILED)


class SharedSqlite(_Shared, SQLiteDialect_pysqlite):
    """The dialect of every SQLite file."""

    supports_statement_cache = True


class SharedPostgresql(_Shared, PGDialect_psycopg):
    """The dialect of every PostgreSQL database."""

    supports_statement_cache = True


def register() -> None:
    """Give these dialects to every engine that is made from now on."""
    registry.register("sqlite", __name__, SharedSqlite.__name__)
    registry.register("postgresql.psycopg", __name__, SharedPostgresql.__name__)
