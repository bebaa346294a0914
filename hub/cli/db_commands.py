"""``tocsin db``: the tables of this release, backup and restore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import AsJson, Home
from hub.cli.output import hint, say, write_document

if TYPE_CHECKING:
    from hub.storage.engine import Database

databases = typer.Typer(
    help="Upgrade, back up and restore the database.", no_args_is_help=True, rich_markup_mode=None
)


@contextmanager
def _database(home: Path | None) -> Iterator[Database]:
    """Open the database without a node: its revision may be another release's."""
    from hub.errors import Misconfigured
    from hub.settings import load_settings
    from hub.storage.engine import Database

    settings = load_settings(home)
    if not settings.database_url and not settings.home.is_dir():
        raise Misconfigured(
            "E_NOT_INITIALISED", f"there is no node in {settings.home}", "Run `tocsin init`."
        )
    database = Database(settings.effective_database_url)
    try:
        yield database
    finally:
        database.close()


@databases.command("upgrade")
def upgrade(home: Home = None, as_json: AsJson = False) -> None:
    """Bring the database to this release's tables; safe to repeat."""
    from hub.storage import migrate

    with _database(home) as database:
        before = migrate.revision_of(database)
        migrate.upgrade(database)
        after = migrate.revision_of(database)
    if as_json:
        write_document({"before": before, "after": after})
    elif before == after:
        say(f"The database is at this release's revision already, {after}.")
    else:
        say(f"Upgraded the database from {before or 'nothing'} to {after}.")


@databases.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write a consistent copy of the SQLite database while the node runs.

    It holds everything but the settings and the keys: entries, objects, peers, digests of tokens.
    """
    from hub.storage.backup import back_up

    with _database(home) as database:
        size = back_up(database, file)
    if as_json:
        write_document({"file": file, "bytes": size})
    else:
        say(f"Wrote {size:,} bytes to {file}.")
        hint("Keys and settings are not in it: back up the home's keys/ and tocsin.toml as well.")


@databases.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Made by `tocsin db backup`.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the database; stop the node first."""
    from hub.storage.backup import restore as put_back

    with _database(home) as database:
        kept = put_back(database, file)
    if as_json:
        write_document({"file": file, "replaced": kept})
        return
    say(f"Restored {file}." + (f" What was there is {kept.name} now." if kept else ""))
    hint(
        "Before you publish anything, make sure that no peer holds newer entries of this node",
        "(their `tocsin objects list --origin`): signing their numbers anew would be a fork.",
    )
