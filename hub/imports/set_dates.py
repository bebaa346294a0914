r"""Read on which days names count: lines ``name,first[,last]`` beside a list of names.

Decides, for each line, taken or skipped with a code. Days are UTC, ``YYYY-MM-DD``, both inclusive;
without a last day the first one is meant alone. A first line ``name,…`` is a heading.

Invariants: those of ``list_reading`` about counting.

>>> days, report = read_set_dates(b"name,first,last\nEvil.example,2009-04-01\n")
>>> [(str(first), str(last)) for first, last in days["evil.example"]], report.taken
([('2009-04-01', '2009-04-01')], 1)
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from hub.imports.drafts import ImportReport
from hub.imports.list_reading import ListReading, lines_of, read_written, require_size
from schemas.dns.names import is_plain_name
from schemas.dns.set_lines import SetLine, require_window
from schemas.errors import WireFormatError

Window = tuple[date, date]
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def read_set_dates(data: bytes) -> tuple[dict[str, list[Window]], ImportReport]:
    """Read a file of days.

    Raises:
        WireFormatError: ``E_TOO_BIG``; a bad line never raises, it is in the report.
    """
    require_size(data)
    reading = ListReading()
    windows: dict[str, list[Window]] = {}
    for number, line in lines_of(data):
        text = reading.text_of(number, line)
        if text is None:
            continue
        if text.startswith(("#", ";")) or (number == 1 and text.lower().startswith("name,")):
            reading.comment()
            continue
        try:
            name, window = _read_line(text)
        except WireFormatError as error:
            reading.skip(number, text, error.code, error.detail)
            continue
        windows.setdefault(name, []).append(window)
        reading.taken += 1
        reading.total += 1
    return windows, reading.report()


def _read_line(text: str) -> tuple[str, Window]:
    name, *days = (cell.strip() for cell in text.split(","))
    if not 1 <= len(days) <= 2:  # noqa: PLR2004 - the first day, and perhaps the last
        raise WireFormatError("E_SET_DATES", "not name,first or name,first,last")
    # The common case first: a generated list has its names in their plain form.
    known = name if is_plain_name(name) else read_written(name).a_label
    first, last = _read_day(days[0]), _read_day(days[-1])
    require_window(SetLine(known, first, last))
    return known, (first, last)


def _read_day(text: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise WireFormatError("E_SET_DATES", f"no day, such as 2009-04-01: {text[:40]!r}")
