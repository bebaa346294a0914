"""``tocsin sighting``: which claimed names this organisation saw."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.name_words import shown_name
from hub.cli.options import AsJson, Home, opened
from hub.cli.output import hint, say, show_table, write_document

if TYPE_CHECKING:
    from hub.imports.log_hits import LineReader
    from hub.node import Node
    from hub.verdicts.followed_sightings import LogSource, Tally

sightings = typer.Typer(
    help="Say which claimed names were seen here.", no_args_is_help=True, rich_markup_mode=None
)
_FORMATS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]
_SHOWN = 5
_LOOK_EVERY = 1.0
"""Seconds between two looks at a log."""
_SAY_EVERY = 60
"""Looks between two lines about what was read."""


class LogFormat(StrEnum):
    """Whose log it is."""

    BIND = "bind"
    UNBOUND = "unbound"
    EVE = "eve"


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
        [(shown_name(r.name), r.hour, r.source, r.count, r.first_at, r.last_at) for r in rows],
    )


@sightings.command("follow")
def follow(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The log.")],
    log_format: Annotated[LogFormat, typer.Option("--format", help="Whose log it is.")],
    once: Annotated[bool, typer.Option("--once", help="Read what is there, and end.")] = False,
    keep_clients: Annotated[
        bool, typer.Option("--keep-clients", help="Keep who asked, on this node alone.")
    ] = False,
    dns_events: Annotated[
        bool, typer.Option("--dns-events", help="Of EVE: every DNS query, not alerts on them.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take sightings out of the log of a resolver or sensor, as it grows, until SIGTERM."""
    from hub.verdicts.followed_sightings import LogSource, Tally

    if dns_events and log_format is not LogFormat.EVE:
        raise typer.BadParameter("--dns-events goes with --format eve")
    zone = datetime.now().astimezone().tzinfo or UTC
    reader = _reader(log_format, dns_events=dns_events)
    log = LogSource(file, log_format.value, reader, zone, keep_clients)
    tally = Tally()
    with opened(home) as node:
        if once and not file.exists():
            raise typer.BadParameter(f"{file} is not there")
        _follow(node, log, tally, once=once)
    if as_json:
        write_document(
            {
                "lines": tally.lines,
                "hits": tally.hits,
                "kept": tally.kept,
                "missed": +tally.misses,
                "lost": tally.lost,
            }
        )
        return
    _say_tally(tally)


def _reader(log_format: LogFormat, *, dns_events: bool) -> LineReader:
    from hub.imports.eve_json import read_alert_line, read_dns_line
    from hub.imports.resolver_logs import read_bind_line, read_unbound_line

    if log_format is LogFormat.BIND:
        return read_bind_line
    if log_format is LogFormat.UNBOUND:
        return read_unbound_line
    return read_dns_line if dns_events else read_alert_line


def _follow(node: Node, log: LogSource, tally: Tally, *, once: bool) -> None:
    from hub.verdicts.followed_sightings import follow_log

    if not once:
        hint(f"Following {log.path} until SIGTERM.")
    looks, said = 0, 0
    with _until_told() as ended:
        while not ended.is_set():
            if follow_log(node, log, tally):
                continue
            if once:
                return
            looks += 1
            if looks % _SAY_EVERY == 0 and tally.lines != said:
                said = tally.lines
                _say_tally(tally)
            ended.wait(_LOOK_EVERY)


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and SIGINT set; who listened before does so again after."""
    ended = threading.Event()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in numbers}
    try:
        yield ended
    finally:
        for number, listener in before.items():
            signal.signal(number, listener)


def _say_tally(tally: Tally) -> None:
    from hub.imports.log_hits import REASONS

    say(
        f"Read {tally.lines:,} lines with {tally.hits:,} hits; "
        f"kept {tally.kept:,} of names that are claimed here."
    )
    for reason, number in sorted((+tally.misses).items()):
        hint(f"{number:,}: {REASONS[reason]}")
    for note, number in sorted(tally.lost.items()):
        hint(f"{number:,} times the log {_LOST[note]}: lines may be missing.")


_LOST = {"cut": "was cut", "gone": "was replaced, and the old one is not beside it"}


@sightings.command("clients")
def clients(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Of this name alone.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List who asked for claimed names, where `follow --keep-clients` kept it."""
    from hub.verdicts.followed_sightings import list_who_asked

    with opened(home) as node:
        rows = list_who_asked(node, name)
    if as_json:
        write_document(rows)
        return
    show_table(
        ("name", "hour", "client", "count"),
        [(shown_name(r.name), r.hour, r.client, r.count) for r in rows],
    )
