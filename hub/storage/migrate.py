"""Bring a database to this release's schema, from the first table on by Alembic."""

from __future__ import annotations

import functools
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from hub.errors import Misconfigured
from hub.storage.engine import Database
from hub.storage.tables import METADATA

_IN_WHEEL = Path(__file__).resolve().parents[1] / "_migrations"
_IN_CHECKOUT = Path(__file__).resolve().parents[2] / "migrations"


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    where = _IN_WHEEL if _IN_WHEEL.is_dir() else _IN_CHECKOUT
    config.set_main_option("script_location", str(where))
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database) -> None:
    """Apply the missing migrations; two processes at once are safe."""
    if revision_of(database) == newest_revision():
        return
    with database.write(rebuilds=True) as tx:
        # The writers' lock keeps a second process out until the first has committed.
        command.upgrade(_config(tx.connection), "head")


def revision_of(database: Database) -> str | None:
    """Name the revision that the database has; None when it is empty."""
    with database.read() as tx:
        return MigrationContext.configure(tx.connection).get_current_revision()


@functools.cache
def newest_revision() -> str | None:
    """Name the revision that this release wants; read once, it cannot change under a process."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def require_current(database: Database) -> None:
    """Refuse to work on a database of another release.

    Raises:
        Misconfigured: ``E_SCHEMA_VERSION`` with the command that helps.
    """
    found, wanted = revision_of(database), newest_revision()
    if found != wanted:
        raise Misconfigured(
            "E_SCHEMA_VERSION",
            f"the database has revision {found or 'none'}, this release needs {wanted}",
            "Run `tocsin db upgrade`.",
        )


def differences(database: Database) -> list[object]:
    """List where the tables differ from the migrations; empty is right (``alembic check``)."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))
