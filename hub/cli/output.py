r"""What a command says, and with which exit code it ends.

Decides the exit code of an error (the one table of them), and how results look: one JSON document
on standard output with ``--json``, else sentences and tables for people.

Invariants:
* with ``--json`` standard output holds one JSON document, also when the command fails;
* text from outside never reaches the terminal raw, and never as rich's markup: all goes through
  ``printable`` and plain ``Text``;
* hints and errors for people go to standard error, so that a pipe gets the result alone.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import typer

from federation import errors as federation_errors
from hub import errors as hub_errors
from hub.observability.printable import printable
from schemas.errors import TocsinError, WireFormatError

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REFUSED: Final = 3

EXIT_CODES: Final[Mapping[type[TocsinError], int]] = MappingProxyType(
    {
        TocsinError: FAILED,
        WireFormatError: FAILED,
        federation_errors.SignatureRejected: FAILED,
        federation_errors.ChainBroken: FAILED,
        federation_errors.EntryDeferred: FAILED,
        federation_errors.ContentRejected: FAILED,
        federation_errors.SharingRefused: REFUSED,
        federation_errors.PeerState: FAILED,
        federation_errors.PeerUnreachable: FAILED,
        hub_errors.NotFound: FAILED,
        hub_errors.NotPermitted: REFUSED,
        hub_errors.Conflict: FAILED,
        hub_errors.RateLimited: FAILED,
        hub_errors.StorageBusy: FAILED,
        hub_errors.Misconfigured: FAILED,
    }
)
"""The exit code of each class of error; a test sees that none is missing."""

SHOWN_ROWS: Final = 200
"""How many rows a table for people has at most; ``--json`` has all."""
_WIDE: Final = 200


def exit_code_of(error: TocsinError) -> int:
    """Return the exit code with which a command ends that met this error."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)


@contextmanager
def reported(*, as_json: bool) -> Iterator[None]:
    """Turn an error into its message and exit code.

    Raises:
        typer.Exit: with the code of the error that was met.
    """
    try:
        yield
    except TocsinError as error:
        _report(error.code, error.detail, error.remedy, as_json=as_json)
        raise typer.Exit(exit_code_of(error)) from None
    except typer.TyperException as mistake:
        if not as_json:
            raise  # typer shows the usage of the very command
        _report("E_USAGE", mistake.format_message(), "See --help.", as_json=True)
        raise typer.Exit(mistake.exit_code) from None
    except OSError as failure:
        if failure.errno == errno.EPIPE:
            raise  # whoever read the output has gone; typer ends quietly
        detail = f"{failure.filename}: {failure.strerror}" if failure.filename else str(failure)
        _report("E_FILE", detail, "Check the path, its permissions and the disk.", as_json=as_json)
        raise typer.Exit(FAILED) from None


def _report(code: str, detail: str, remedy: str, *, as_json: bool) -> None:
    if as_json:
        write_document({"error": {"code": code, "detail": detail, "remedy": remedy}})
        return
    hint(f"error: {detail or code} ({code})" if detail else f"error: {code}")
    if remedy:
        hint(f"  {remedy}")


def write_document(value: object) -> None:
    """Write one JSON document to standard output; ASCII alone, so that no terminal obeys it."""
    print(json.dumps(plain(value), indent=2))


def plain(value: Any) -> Any:
    """Turn dataclasses, instants, paths and tuples into what JSON has."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(member) for member in value]
    return value


def say(*lines: object) -> None:
    """Write lines for people to standard output."""
    for line in lines:
        print(printable(line))


def hint(*lines: object) -> None:
    """Write lines for people to standard error, beside the result."""
    for line in lines:
        print(printable(line), file=sys.stderr)


def show_facts(facts: Mapping[str, object]) -> None:
    """Show names and values, one pair a line; what is None is left out."""
    known = {name: value for name, value in facts.items() if value is not None}
    width = max((len(name) for name in known), default=0)
    for name, value in known.items():
        say(f"{name:<{width}}  {_cell(value)}")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show rows as a table; long ones are cut, and the cut is named."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    every = list(rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(Text(printable(column)), overflow="fold")
    for row in every[:SHOWN_ROWS]:
        table.add_row(*(Text(printable(_cell(value))) for value in row))
    # A pipe has no width: rows stay whole lines, for grep.
    Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False).print(table)
    if len(every) > SHOWN_ROWS:
        hint(f"{len(every) - SHOWN_ROWS} more rows; --json prints all.")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list | tuple):
        return ", ".join(str(member) for member in value) or "-"
    return str(value)


def count(number: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun: ``1 entry``, ``2 entries``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
