"""``tocsin export target``: files and directories that the worker keeps current."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.export_commands import (
    ForAudience,
    ForConstituent,
    FormatName,
    MinConfidence,
    OfFeed,
    read_key,
)
from hub.cli.options import AsJson, Home, opened
from hub.cli.output import FAILED, REFUSED, say, show_facts, show_table, write_document
from hub.cli.words import Audience

targets = typer.Typer(help="Files and directories that are kept current.", no_args_is_help=True)


@targets.command("add")
def add(
    format_name: FormatName,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file, or a directory.")],
    name: Annotated[str | None, typer.Option(metavar="N", help="Else of the export.")] = None,
    audience: ForAudience = Audience.ORGANISATION,
    constituent: ForConstituent = None,
    feed: OfFeed = None,
    passthru: Annotated[
        bool, typer.Option("--passthru", help="With rpz: the names never to be blocked.")
    ] = False,
    min_confidence: MinConfidence = None,
    knot: Annotated[
        str | None,
        typer.Option(metavar="SOCKET/ZONE", help="A Knot that is told when the file is new."),
    ] = None,
    probe: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS@PORT", help="A resolver that is asked for the canary."),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Keep a file or directory current from now on; the worker writes it."""
    from hub.exports.targets import add_target, facts_of

    key = read_key(format_name, audience, constituent, feed, min_confidence, passthru=passthru)
    with opened(home) as node:
        row = add_target(node, key, path.absolute(), name=name, knot=knot, probe=probe)
    if as_json:
        write_document(facts_of(row))
    else:
        show_facts(facts_of(row))
        say("The worker writes it within a minute; `tocsin export target run` at once.")


@targets.command("list")
def list_(home: Home = None, as_json: AsJson = False) -> None:
    """List what is kept current, when it was written last, and what it met."""
    from hub.exports.targets import facts_of, list_targets

    with opened(home) as node:
        rows = [facts_of(row) for row in list_targets(node)]
    if as_json:
        write_document(rows)
        return
    columns = ("name", "export", "path", "serial", "written_at", "error")
    show_table(columns, ([row[column] for column in columns] for row in rows))


@targets.command("remove")
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME")], home: Home = None, as_json: AsJson = False
) -> None:
    """Keep a target current no longer; its files stay as they are."""
    from hub.exports.targets import remove_target

    with opened(home) as node:
        remove_target(node, name)
    if as_json:
        write_document({"removed": name})
    else:
        say(f"{name} is kept current no longer; its files stay.")


@targets.command("run")
def run(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME")] = None,
    accept_jump: Annotated[
        str | None, typer.Option(metavar="R", help="Let a jump pass, for this reason.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write targets now, those that are named or all."""
    from hub.exports.targets import run_targets

    with opened(home) as node:
        written = run_targets(node, names or (), accept_jump=accept_jump)
    if as_json:
        write_document(written)
    else:
        rows = ([w.name, w.changed, w.names, w.serial, w.error, w.detail] for w in written)
        show_table(("name", "changed", "names", "serial", "error", "detail"), rows)
    errors = {each.error for each in written if each.error is not None}
    if errors:
        raise typer.Exit(REFUSED if errors == {"E_EXPORT_JUMP"} else FAILED)
