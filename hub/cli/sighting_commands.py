"""``tocsin sighting``: which claimed names this organisation saw."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import hint, say, show_table, write_document

sightings = typer.Typer(
    help="Say which claimed names were seen here.", no_args_is_help=True, rich_markup_mode=None
)
_FORMATS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]
_SHOWN = 5


@sightings.command("add")
def add(
    what: Annotated[
        str | None, typer.Argument(metavar="[NAME|STIX_ID]", help="What was seen.")
    ] = None,
    count: Annotated[int, typer.Option(metavar="N", min=1, max=999_999_999, help="How often.")] = 1,
    first: Annotated[
        datetime | None, typer.Option(metavar="T", formats=_FORMATS, help="Since when, in UTC.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option(metavar="T", formats=_FORMATS, help="Until when, in UTC.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="A table; - reads input.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Add sightings of claimed names; of a table the columns name, count, first and last."""
    from hub.cli.input_file import read_input
    from hub.verdicts.sightings import (
        ReadSightings,
        Seen,
        add_sightings,
        read_sightings_csv,
        seen_of,
    )

    if (what is None) == (file is None):
        raise typer.BadParameter("give a name or an id, or --csv FILE")
    read = None if file is None else read_sightings_csv(read_input(file))
    with opened(home) as node:
        if read is None:
            since, until = (None if t is None else t.replace(tzinfo=UTC) for t in (first, last))
            read = ReadSightings((seen_of(node, what or "", Seen("", count, since, until)),))
        added = add_sightings(node, read.seen)
    if as_json:
        write_document(
            {
                "taken": added.taken,
                "kept": added.kept,
                "names": added.names,
                "dropped": read.dropped,
                "skipped": read.skipped,
            }
        )
        return
    say(f"Read {added.taken}; kept {added.kept} of names that are claimed here.")
    if read.dropped:
        hint(f"Not read, for whom it hit is not kept: {', '.join(read.dropped)}.")
    for line, detail in read.skipped[:_SHOWN]:
        hint(f"line {line}: {detail}")
    if len(read.skipped) > _SHOWN:
        hint(f"… and {len(read.skipped) - _SHOWN} lines more; --json has all.")


@sightings.command("list")
def list_all(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Of this name alone.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List what was seen, by the hour, the newest first."""
    from hub.verdicts.sightings import list_sightings

    with opened(home) as node:
        rows = list_sightings(node, name)
    if as_json:
        write_document(rows)
        return
    show_table(
        ("name", "hour", "source", "count", "first", "last"),
        [(r.name, r.hour, r.source, r.count, r.first_at, r.last_at) for r in rows],
    )
