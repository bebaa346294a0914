"""One pass over an input that names one thing a line: what was taken, what was not, and why.

Invariants:
* each item ends in exactly one count, so total = taken + skipped + comments + blanks;
* of hostile inputs with a million broken lines the first are named and all are counted: what a
  report holds in memory is bounded;
* a name inside a URL is reported, not taken: a URL names one page, and blocking the whole name
  for it is a decision that a person takes;
* a public suffix or TLD is reported, not taken: it needs a second person (DNS 2).

Does not: know a format; ``name_lists``, ``csv_tables``, ``hosts_files`` and ``rpz_zones`` do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.imports.drafts import ChangedLine, ImportReport, SkippedLine
from schemas.dns.names import DnsName, is_public_suffix, read_name
from schemas.errors import WireFormatError
from schemas.markings import Tlp

MAX_LIST_BYTES: Final = 64 * 1024 * 1024
MOST_NAMED: Final = 10_000
"""Of a report's skipped lines, and of its changed ones; all of them are counted."""
DUPLICATE: Final = "E_NAME_DUPLICATE"
_LONGEST_TEXT: Final = 300
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Said:
    """What an input says of one name beyond the name; None where it says nothing.

    Args:
        first_seen: becomes ``valid_from``.
        comment: for people.
        match_scope: where the input knows it better than the name's own ``*.``.
        match_on: ``nsdname``, ``nsip`` or ``ip`` for what is no name in a query.
        printed: the TLP that the input prints.
        reference: who says it and under which id of his own.
    """

    threat_type: str | None = None
    family: str | None = None
    confidence: int | None = None
    first_seen: datetime | None = None
    valid_until: datetime | None = None
    comment: str | None = None
    match_scope: str | None = None
    match_on: str | None = None
    printed: Tlp | None = None
    reference: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class NamedLine:
    """A name and the line that it stands on, counted from 1.

    Args:
        name: of an address, its prefix in both forms; then ``said.match_on`` says so.
    """

    line: int
    name: DnsName
    said: Said | None = None


def require_size(data: bytes, max_bytes: int = MAX_LIST_BYTES) -> None:
    """Refuse an input beyond the limit.

    Raises:
        WireFormatError: ``E_TOO_BIG``.
    """
    if len(data) > max_bytes:
        raise WireFormatError(
            "E_TOO_BIG", f"longer than {max_bytes} bytes", "Split the list into several files."
        )


def lines_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number the lines of a file from 1, without holding them all.

    Line feeds alone end a line: ``splitlines()`` would also break at U+2028 and form feeds, and
    the numbers in the report would no longer be the editor's.
    """
    start = len(_BOM) if data.startswith(_BOM) else 0
    number, size = 0, len(data)
    while start < size:
        end = data.find(b"\n", start)
        end = size if end < 0 else end
        number += 1
        yield number, data[start:end]
        start = end + 1


class ListReading:
    """What one pass has met so far; it lives as long as the pass."""

    __slots__ = (
        "_changed", "_seen", "_skipped", "blanks", "changed_lines", "comments", "counts", "taken",
        "total", "types",
    )  # fmt: skip

    def __init__(self) -> None:
        self.taken = self.total = self.comments = self.blanks = 0
        self.counts: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.changed_lines: set[int] = set()
        self._seen: dict[str, int] = {}
        self._changed: list[ChangedLine] = []
        self._skipped: list[SkippedLine] = []

    def text_of(self, number: int, line: bytes) -> str | None:
        """Decode a line; None, and counted, when it is blank or no UTF-8."""
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            self.skip(
                number,
                line[:_LONGEST_TEXT].decode("utf-8", "backslashreplace"),
                "E_NAME_ENCODING",
                "not UTF-8",
            )
            return None
        if not text:
            self.blank()
            return None
        return text

    def blank(self) -> None:
        """Count an empty line."""
        self.total += 1
        self.blanks += 1

    def comment(self) -> None:
        """Count a line that names nothing: a comment, a heading, the frame of a zone."""
        self.total += 1
        self.comments += 1

    def skip(self, number: int, text: str, code: str, detail: str) -> None:
        """Count what is not taken, and name it while there is room."""
        self.total += 1
        self.counts[code] += 1
        if len(self._skipped) < MOST_NAMED:
            self._skipped.append(SkippedLine(number, text[:_LONGEST_TEXT], code, detail))

    def read(self, number: int, text: str, written: str) -> DnsName | None:
        """Read a name as people write it; None, and counted, when it is none."""
        try:
            return read_written(written)
        except WireFormatError as error:
            self.skip(number, text, error.code, error.detail)
            return None

    def take(
        self, number: int, text: str, written: str, name: DnsName, said: Said | None = None
    ) -> NamedLine | None:
        """Take a name; None, and counted, when it came before or is a public suffix."""
        key = f"*.{name.a_label}" if name.subtree else name.a_label
        if said is not None and said.match_on is not None:
            key = f"{said.match_on}:{key}"
        if key in self._seen:  # perhaps on this very line, which may hold several names
            self.skip(number, text, DUPLICATE, f"the same name as in line {self._seen[key]}")
            return None
        self._seen[key] = number
        if is_public_suffix(name.a_label):
            self.skip(
                number, text, "E_NAME_SUFFIX", "a TLD or public suffix: needs a second person"
            )
            return None
        if written != name.a_label and written.lower() != name.a_label:
            shown = f"{name.a_label} and all below" if name.subtree else name.a_label
            self.change(number, written, shown)
        return self._taken(NamedLine(number, name, said))

    def take_address(self, number: int, text: str, prefix: str, said: Said) -> NamedLine | None:
        """Take an address or prefix, which is no name in a query."""
        key = f"{said.match_on}:{prefix}"
        if key in self._seen:
            self.skip(number, text, DUPLICATE, f"the same address as in line {self._seen[key]}")
            return None
        self._seen[key] = number
        return self._taken(NamedLine(number, DnsName(prefix, prefix), said))

    def change(self, number: int, written: str, taken_as: str) -> None:
        """Note that a line is taken in another form than it was written."""
        if number not in self.changed_lines and len(self._changed) < MOST_NAMED:
            self._changed.append(ChangedLine(number, written[:_LONGEST_TEXT], taken_as))
        self.changed_lines.add(number)

    def _taken(self, entry: NamedLine) -> NamedLine:
        self.total += 1
        self.taken += 1
        return entry

    def report(self) -> ImportReport:
        """Report what was met; complete only after the last line."""
        return ImportReport(
            taken=self.taken,
            changed=tuple(self._changed),
            skipped=tuple(self._skipped),
            total_lines=self.total,
            comments=self.comments,
            blanks=self.blanks,
            skipped_counts=dict(self.counts),
            types=dict(self.types.most_common()),
        )


def without_comment(text: str) -> str:
    """Cut off what follows ``#`` or ``;``: neither can stand in a name."""
    for mark in "#;":
        if mark in text:
            text = text.partition(mark)[0].rstrip()
    return text


def read_written(written: str) -> DnsName:
    """Read a name as people write it, defanged or not (DNS 2).

    Raises:
        WireFormatError: ``E_NAME_…``.
    """
    try:
        # Without refanging first: it is the common case, and it refuses URLs and ports.
        return read_name(written)
    except WireFormatError as error:
        if error.code != "E_NAME_CHARACTER" or not any(mark in written for mark in "[("):
            raise
    # Only the marks of defanging are left to explain the line. `/` and `:` are looked at first,
    # because refanging input would take the name out of a URL without a word.
    if "/" in written:
        raise WireFormatError("E_NAME_URL", "a URL, not a name")
    if ":" in written:
        raise WireFormatError("E_NAME_PORT", "a name or address with a port")
    return read_name(written, refang=True)
