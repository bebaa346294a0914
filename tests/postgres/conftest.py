"""A real PostgreSQL from a wheel; where it cannot run, these tests are skipped with the reason."""

from tests.support.databases import database, database_url

__all__ = ["database", "database_url"]
