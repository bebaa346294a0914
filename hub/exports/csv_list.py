r"""Write the list as CSV (RFC 4180), safe to open in a spreadsheet (THREATS 43).

Invariants:
* the header is the first line and never changes but by columns added at its end;
* a cell that a spreadsheet would take for a formula gets a leading apostrophe: one that begins with
  ``= + - @``, their full-width forms, a tab or a line end;
* lines end with CRLF, and a cell with a comma, a quote or a line end is quoted.

What it does not do: hide the apostrophe from machines. A name can begin with a hyphen and with
nothing else of these, so a reader that compares may take an apostrophe before a hyphen away.

>>> safe_cell("=1+1"), safe_cell("evil.example")
("'=1+1", 'evil.example')
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from hub.exports.line_chunks import LINES
from hub.exports.listed_name import ExportContext, ListedName
from hub.exports.written_instants import write_instant
from schemas.dns.names import u_label_of

COLUMNS: Final = (
    "value", "match_on", "match_scope", "threat_type", "threat_types", "confidence", "lineages",
    "blocked", "label", "since", "valid_until", "stix_id", "u_label",
)  # fmt: skip
_FORMULA: Final = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def write_csv(listed: Sequence[ListedName], context: ExportContext) -> Iterator[bytes]:
    """Write the header and a row for each listed name."""
    del context
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    waiting = iter(listed)
    while taken := list(islice(waiting, LINES)):
        writer.writerows(_row(each) for each in taken)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    if rest := buffer.getvalue():  # the header of an empty list
        yield rest.encode()


def safe_cell(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(each: ListedName) -> tuple[str | int, ...]:
    first = each.threat_types[0] if each.threat_types else ""
    return (
        safe_cell(each.value),
        each.match_on,
        each.match_scope,
        safe_cell(first),
        safe_cell(";".join(each.threat_types)),
        each.confidence,
        each.lineages,
        "true" if each.blocked else "false",
        each.label.wire,
        write_instant(each.since),
        write_instant(each.ends_at),
        each.stix_id,
        safe_cell(u_label_of(each.value)) if "xn--" in each.value else "",
    )
