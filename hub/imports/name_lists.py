r"""Read a list of domain names, one a line, as people and feeds write them.

Decides, for each line, taken or skipped with a code. Comments begin with ``#`` or ``;``, also
after a name. Defanged names are refanged: this is input by people (DNS 2).

Invariants:
* nothing is lost: total = taken + skipped + comments + blanks, and each skipped line is named;
* a name inside a URL is reported, not taken: a URL names one page, and blocking the whole name
  for it is a decision that a person takes;
* a public suffix or TLD is reported, not taken: it needs a second person (DNS 2).

>>> names, report = read_name_list(b"# a list\nEvil.example\n192.0.2.1:80\n")
>>> [entry.name.a_label for entry in names], report.counts()
(['evil.example'], {'E_NAME_ADDRESS': 1})
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.imports.drafts import ChangedLine, ImportReport, SkippedLine
from schemas.dns.names import DnsName, is_public_suffix, read_name
from schemas.errors import WireFormatError

MAX_LIST_BYTES = 64 * 1024 * 1024
_LONGEST_TEXT = 300
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class NamedLine:
    """A name and the line that it stands on, counted from 1."""

    line: int
    name: DnsName


def read_name_list(
    data: bytes, *, max_bytes: int = MAX_LIST_BYTES
) -> tuple[list[NamedLine], ImportReport]:
    """Read a list of names.

    Args:
        data: the bytes of the file; UTF-8, with or without a byte-order mark.
        max_bytes: the limit for the whole file.

    Raises:
        WireFormatError: ``E_TOO_BIG``; a bad line never raises, it is in the report.
    """
    if len(data) > max_bytes:
        raise WireFormatError(
            "E_TOO_BIG", f"longer than {max_bytes} bytes", "Split the list into several files."
        )
    reading = _Reading()
    # Line feeds alone end a line: splitlines() would also break at U+2028 and form feeds, and
    # the numbers in the report would no longer be the editor's.
    lines = data.removeprefix(_BOM).split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    for number, line in enumerate(lines, 1):
        reading.read_line(number, line)
    return reading.names, reading.report(len(lines))


class _Reading:
    """One pass over a list; it lives as long as the call."""

    __slots__ = ("blanks", "changed", "comments", "names", "seen", "skipped")

    def __init__(self) -> None:
        self.names: list[NamedLine] = []
        self.seen: dict[tuple[str, bool], int] = {}
        self.changed: list[ChangedLine] = []
        self.skipped: list[SkippedLine] = []
        self.comments = 0
        self.blanks = 0

    def read_line(self, number: int, line: bytes) -> None:
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            shown = line.decode("utf-8", "backslashreplace")
            self._skip(number, shown, "E_NAME_ENCODING", "not UTF-8")
            return
        if not text:
            self.blanks += 1
            return
        written = _without_comment(text)
        if not written:
            self.comments += 1
            return
        try:
            name = _read_written(written)
        except WireFormatError as error:
            self._skip(number, text, error.code, error.detail)
            return
        self._take(number, text, written, name)

    def _take(self, number: int, text: str, written: str, name: DnsName) -> None:
        first = self.seen.setdefault((name.a_label, name.subtree), number)
        if first != number:
            self._skip(number, text, "E_NAME_DUPLICATE", f"the same name as in line {first}")
            return
        if is_public_suffix(name.a_label):
            self._skip(
                number, text, "E_NAME_SUFFIX", "a TLD or public suffix: needs a second person"
            )
            return
        self.names.append(NamedLine(number, name))
        if written != name.a_label and written.lower() != name.a_label:
            shown = f"{name.a_label} and all below" if name.subtree else name.a_label
            self.changed.append(ChangedLine(number, written[:_LONGEST_TEXT], shown))

    def _skip(self, number: int, text: str, code: str, detail: str) -> None:
        self.skipped.append(SkippedLine(number, text[:_LONGEST_TEXT], code, detail))

    def report(self, total: int) -> ImportReport:
        return ImportReport(
            taken=len(self.names),
            changed=tuple(self.changed),
            skipped=tuple(self.skipped),
            total_lines=total,
            comments=self.comments,
            blanks=self.blanks,
        )


def _without_comment(text: str) -> str:
    """Cut off what follows ``#`` or ``;``: neither can stand in a name."""
    for mark in "#;":
        if mark in text:
            text = text.partition(mark)[0].rstrip()
    return text


def _read_written(written: str) -> DnsName:
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
