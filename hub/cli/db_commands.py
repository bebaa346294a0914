"""``tocsin db``: the tables of this release, backup and restore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import count, hint, say, write_document

if TYPE_CHECKING:
    from hub.peers.self_check import SelfChecked
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
    # What a later release said in a way that this one did not know, it may know now.
    rejudged = 0 if before in {None, after} else _judge_again(home)
    if as_json:
        write_document({"before": before, "after": after, "rejudged": rejudged})
    elif before == after:
        say(f"The database is at this release's revision already, {after}.")
    else:
        say(f"Upgraded the database from {before or 'nothing'} to {after}.")
        if rejudged:
            say(f"Took {count(rejudged, 'entry', 'entries')} that an earlier release rejected.")


def _judge_again(home: Path | None) -> int:
    from hub.errors import Misconfigured
    from hub.exchange.rejudging import rejudge_everything

    try:
        with opened(home) as node:
            return rejudge_everything(node)
    except Misconfigured as error:
        hint(f"The node cannot be opened yet: {error.detail} {error.remedy}")
        return 0


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
    """Put a backup in the place of the database, and ask the peers; stop the node first."""
    from hub.peers.signing_marker import note_restored
    from hub.settings import load_settings
    from hub.storage.backup import restore as put_back

    where = load_settings(home).home
    with _database(home) as database:
        kept = put_back(database, file, note_restored=lambda: note_restored(where))
    checked, error = _ask_peers(home)
    if as_json:
        asked = None if checked is None else _checked_document(checked)
        write_document({"file": file, "replaced": kept, "self_check": asked, "error": error})
        return
    say(f"Restored {file}." + (f" What was there is {kept.name} now." if kept else ""))
    if checked is None:
        hint(f"The peers could not be asked: {error}. Nothing is published before they were.")
    else:
        _tell_checked(checked)


def _ask_peers(home: Path | None) -> tuple[SelfChecked | None, str | None]:
    """Ask the peers what they hold; not where the backup is of another release's tables."""
    from hub.cli.options import opened
    from hub.peers.self_check import check_own_feeds
    from schemas.errors import TocsinError

    try:
        with opened(home) as node:
            return check_own_feeds(node), None
    except TocsinError as refused:
        return None, refused.code


@databases.command("recover")
def recover(
    sign_anyway: Annotated[
        bool,
        typer.Option(
            "--sign-anyway",
            help="Publish although too few peers answer; safe only if none holds newer entries.",
        ),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Ask all peers what they hold of this node's own feeds, and fetch back what is missing."""
    from hub.cli.options import opened
    from hub.cli.output import FAILED
    from hub.peers.may_sign import sign_anyway as force
    from hub.peers.may_sign import standing_of_signing
    from hub.peers.self_check import check_own_feeds

    with opened(home) as node:
        checked = check_own_feeds(node, adopt=True)
        if sign_anyway:
            force(node)
        checked = replace(checked, standing=standing_of_signing(node))
    if as_json:
        write_document(_checked_document(checked))
    else:
        _tell_checked(checked)
    if checked.standing.hold is not None or checked.standing.closed:
        raise typer.Exit(FAILED)


def _checked_document(checked: SelfChecked) -> dict[str, Any]:
    standing = checked.standing
    return {
        "peers": checked.asked,
        "answered": list(checked.answered),
        "recovered": checked.recovered,
        "hold": standing.hold and standing.hold.name.lower(),
        "closed": {feed: hold.name.lower() for feed, hold in standing.closed},
        "unheard": list(standing.unheard),
    }


def _tell_checked(checked: SelfChecked) -> None:
    standing = checked.standing
    say(
        f"Asked {count(checked.asked, 'peer')} what they hold of this node: "
        f"{len(checked.answered)} answered, {count(checked.recovered, 'own entry', 'own entries')} "
        "fetched back."
    )
    for feed, hold in standing.closed:
        hint(f"{feed} stays closed: {hold.value}.")
    if standing.hold is not None:
        hint(f"Nothing is published for now: {standing.hold.value}.")
    elif standing.unheard:
        hint(f"Not heard yet, so nothing goes to them: {', '.join(standing.unheard)}.")
