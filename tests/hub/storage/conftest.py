"""The databases that these tests run on: SQLite and a real PostgreSQL."""

from tests.support.databases import database, database_url

__all__ = ["database", "database_url"]
