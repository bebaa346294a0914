r"""Read a table of names: CSV with commas, semicolons, tabs or bars, with or without a heading.

Decides, for each line, taken or skipped with a code. A record is one line: a quote that a line
leaves open refuses that line and no other, or one stray quote would swallow the rest of a file.
Lines that begin with ``#`` are comments; a heading may stand in the last of them, as feeds do it.

Invariants: those of ``list_reading``.

>>> reading = ListReading()
>>> data = b"domain;seen\nevil.example;2026-03-01\n;\n"
>>> at = datetime(2026, 3, 2, tzinfo=UTC)
>>> [entry.name.a_label for entry in names_in_csv(data, reading, {}, at)]
['evil.example']
>>> reading.report().counts()
{'E_NAME_EMPTY': 1}
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from hub.imports.csv_columns import (
    NAME,
    Columns,
    is_heading,
    read_columns,
    read_comment,
    read_confidence,
    read_family,
    read_scope,
    read_threat,
    read_when,
)
from hub.imports.list_reading import ListReading, NamedLine, Said, lines_of
from schemas.errors import WireFormatError
from schemas.markings import Tlp

__all__ = ["UTC", "names_in_csv", "read_printed"]

_SEPARATORS: Final = ",;\t|"
_MOST_CELLS: Final = 1_000


def names_in_csv(
    data: bytes, reading: ListReading, wanted: Mapping[str, str], now: datetime
) -> Iterator[NamedLine]:
    """Read the names of a table one by one; the report is whole after the last.

    Args:
        wanted: meaning by column, as ``--map`` gives it.
        now: what ended before it is refused, for nobody could use it.

    Raises:
        WireFormatError: ``E_CSV_COLUMN`` when no column is known to be the name.
    """
    table = _Table(reading, wanted, now)
    for number, line in lines_of(data):
        text = reading.text_of(number, line)
        if text is None:
            continue
        if text.startswith("#"):
            table.note_comment(text)
            continue
        entry = table.read_row(number, text)
        if entry is not None:
            yield entry


def read_printed(text: str) -> Tlp:
    """Read a label as inputs print it; what is no label is AMBER+STRICT (PROTOCOL 3.1)."""
    word = text.strip().lower().removeprefix("tlp:").strip().replace(" ", "")
    if word == "white":
        return Tlp.CLEAR
    try:
        return Tlp.read(word)
    except WireFormatError:
        return Tlp.AMBER_STRICT


class _Table:
    """What is known of a table's columns so far."""

    def __init__(self, reading: ListReading, wanted: Mapping[str, str], now: datetime) -> None:
        self._reading = reading
        self._wanted = wanted
        self._now = now
        self._separator = ","
        self._comment = ""
        self._columns: Columns | None = None

    def note_comment(self, text: str) -> None:
        self._reading.comment()
        if self._columns is None:
            self._comment = text.lstrip("# \t")

    def read_row(self, number: int, text: str) -> NamedLine | None:
        try:
            if self._columns is None and not self._begins_with_data(text):
                self._reading.comment()
                return None
            assert self._columns is not None  # noqa: S101 - narrowed for mypy
            cells = _cells(text, self._separator)
            place = self._columns.places[NAME]
            written = cells[place].strip() if place < len(cells) else ""
            said, unknown = self._said(cells)
        except WireFormatError as error:
            if error.code == "E_CSV_COLUMN":
                raise
            self._reading.skip(number, text, error.code, error.detail)
            return None
        name = self._reading.read(number, text, written)
        taken = None if name is None else self._reading.take(number, text, written, name, said)
        if taken is not None and unknown is not None:
            self._reading.change(number, unknown, "the import's own threat type")
        return taken

    def _begins_with_data(self, text: str) -> bool:
        """Settle the columns by the first row; False when it is the heading itself."""
        self._separator = max(_SEPARATORS, key=text.count)
        first = _cells(text, self._separator)
        before = _cells_or_none(self._comment, self._separator)
        if before is not None and len(before) == len(first) and is_heading(before):
            self._columns = read_columns(before, self._wanted)
            return True
        self._columns = read_columns(first, self._wanted)
        return not self._columns.has_heading

    def _said(self, cells: Sequence[str]) -> tuple[Said | None, str | None]:
        """Read the other cells; also tell a threat type that this vocabulary does not have."""
        assert self._columns is not None  # noqa: S101 - narrowed for mypy
        found = {
            meaning: cells[place]
            for meaning, place in self._columns.places.items()
            if meaning != NAME and place < len(cells) and cells[place].strip()
        }
        if not found:
            return None, None
        threat = read_threat(found["threat_type"]) if "threat_type" in found else None
        said = Said(
            threat_type=threat,
            family=read_family(found["family"]) if "family" in found else None,
            confidence=read_confidence(found["confidence"]) if "confidence" in found else None,
            first_seen=read_when(found["first_seen"]) if "first_seen" in found else None,
            valid_until=(
                read_when(found["valid_until"], ends=True) if "valid_until" in found else None
            ),
            comment=read_comment(found["comment"]) if "comment" in found else None,
            match_scope=read_scope(found["match_scope"]) if "match_scope" in found else None,
            printed=read_printed(found["tlp"]) if "tlp" in found else None,
        )
        _check_dates(said, self._now)
        return said, found.get("threat_type") if threat is None else None


def _check_dates(said: Said, now: datetime) -> None:
    if said.valid_until is None:
        return
    if said.valid_until <= now:
        raise WireFormatError("E_IMPORT_ENDED", "its validity has ended")
    if said.first_seen is not None and said.first_seen >= said.valid_until:
        raise WireFormatError("E_CSV_VALUE", "it ends before it begins")


def _cells(text: str, separator: str) -> list[str]:
    if '"' not in text:
        cells = text.split(separator)
    else:
        try:
            cells = next(
                csv.reader([text], delimiter=separator, strict=True, skipinitialspace=True)
            )
        except csv.Error:
            raise WireFormatError("E_CSV_LINE", "a quote is not closed on its line") from None
    if len(cells) > _MOST_CELLS:
        raise WireFormatError("E_CSV_LINE", f"over {_MOST_CELLS} cells")
    return cells


def _cells_or_none(text: str, separator: str) -> list[str] | None:
    try:
        return _cells(text, separator)
    except WireFormatError:
        return None
