"""``tocsin bundle``: feeds carried in a file, where there is no network between two nodes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import FAILED, count, hint, say, show_table, write_document

bundles = typer.Typer(
    help="Carry feeds to a peer in a file, and take in such a file.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _read_since(text: str | None) -> datetime | None:
    """Read a date or an instant; without a zone it is UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            "write a date like 2026-03-01, or an instant like 2026-03-01T10:00Z"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


@bundles.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    to: Annotated[str, typer.Option(metavar="PEER", help="For whom; nobody else can take it in.")],
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="From this date on; it has to hold what came before."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="From the beginning, whatever it is known to hold.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write a file with what a peer may read and is not known to hold."""
    from hub.peers.bundles import export_bundle
    from hub.peers.directory import resolve_peer

    begin = _read_since(since)
    if begin is not None and everything:
        raise typer.BadParameter("--since and --all contradict each other")
    with opened(home) as node:
        done = export_bundle(node, resolve_peer(node, to), file, since=begin, everything=everything)
    if as_json:
        write_document(
            {
                "file": done.file,
                "bytes": done.size,
                "peer": done.peer,
                "name": done.name,
                "label": done.label,
                "feeds": done.feeds,
            }
        )
        return
    entries = count(sum(feed.entries for feed in done.feeds), "entry", "entries")
    say(
        f"Wrote {entries} of {count(len(done.feeds), 'feed')} for {done.name} to {done.file} "
        f"({done.size:,} bytes)."
    )
    if done.label != "clear":
        hint(
            f"The file holds up to TLP:{done.label.upper()} in plain text. Who finds it can read "
            "it: keep it as the label demands, and wipe it when it was taken in."
        )


@bundles.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that a peer made for us.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take in a file that a peer exported for this node; doing it twice does no harm."""
    from hub.peers.bundles import import_bundle

    if not file.is_file():
        raise typer.BadParameter(f"there is no file {file}")
    with opened(home) as node:
        done = import_bundle(node, file)
    rows: list[dict[str, Any]] = [
        {
            "feed": one.feed,
            "origin": one.origin,
            "entries": one.entries,
            "accepted": one.accepted,
            "quarantined": one.quarantined,
            "rejected": one.rejected,
            "error": one.error and one.error.code,
            "detail": one.error and one.error.detail,
            "remedy": one.error and one.error.remedy,
        }
        for one in done.feeds
    ]
    if as_json:
        document = {
            "peer": done.peer,
            "name": done.name,
            "made_at": done.made_at,
            "feeds": rows,
            "lists": done.lists,
        }
        write_document(document)
    else:
        say(f"From {done.name}, made on {done.made_at:%Y-%m-%d %H:%M} UTC:")
        shown = ("feed", "entries", "accepted", "quarantined", "rejected", "error")
        show_table(shown, [[_short(row), *(row[name] for name in shown[1:])] for row in rows])
        for row in rows:
            if row["error"]:
                hint(f"{_short(row)}: {row['detail'] or row['error']}", f"  {row['remedy']}")
        if done.lists.taken:
            say(f"Took {count(done.lists.taken, 'list')} of domain sets.")
        if done.lists.error is not None:
            hint(
                f"{count(done.lists.refused, 'list')} of domain sets not taken "
                f"({done.lists.error}): asked of peers instead."
            )
    if any(row["error"] for row in rows):
        raise typer.Exit(FAILED)


def _short(row: dict[str, Any]) -> str:
    node_id, _, rest = row["feed"].partition("/")
    return f"{node_id[:12]}/{rest}"
