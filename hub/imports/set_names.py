r"""Turn a list of names, and a file of their days, into the lines of a domain set.

Decides, for each name, taken or skipped with a code: of a dated set those that the days leave out,
of a set of exact names those written as ``*.name``, which would lose what is below them.

Invariant: nothing is lost: every line of both inputs is counted, and names that only the file of
days has are counted too.

>>> found = read_set_names(b"b.cc\na.cc\n", b"a.cc,2009-04-01\n")
>>> [line.name for line in found.lines], found.names.counts()
(['a.cc'], {'E_SET_UNDATED': 1})
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub.imports.drafts import ImportReport, SkippedLine
from hub.imports.list_reading import MOST_NAMED, NamedLine
from hub.imports.name_lists import read_name_list
from hub.imports.set_dates import read_set_dates
from schemas.dns.set_lines import SetLine

EXACT = "exact"


@dataclass(frozen=True, slots=True)
class SetNames:
    """What two inputs give.

    Args:
        lines: of the set, in the order of the names; doubles of ``x`` and ``*.x`` may be there.
        dates: the report on the file of days, where there is one.
        unlisted: names of the file of days that are not in the list, so not taken either.
    """

    lines: tuple[SetLine, ...]
    names: ImportReport
    dates: ImportReport | None = None
    unlisted: tuple[str, ...] = ()


def read_set_names(
    data: bytes, dates: bytes | None = None, *, match_scope: str = "subtree"
) -> SetNames:
    """Read the names of a set, with their days where there is a file of them.

    Raises:
        WireFormatError: ``E_TOO_BIG``.
    """
    named, report = read_name_list(data)
    windows, dates_report = (None, None) if dates is None else read_set_dates(dates)
    lines: list[SetLine] = []
    left: list[SkippedLine] = []
    for entry in named:
        name = entry.name.a_label
        if entry.name.subtree and match_scope == EXACT:
            left.append(
                _skipped(
                    entry, "E_SET_SCOPE", "all below it is meant, and the set is of exact names"
                )
            )
        elif windows is None:
            lines.append(SetLine(name))
        elif name in windows:
            lines += [SetLine(name, first, last) for first, last in windows[name]]
        else:
            left.append(_skipped(entry, "E_SET_UNDATED", "the file of days does not have it"))
    listed = {entry.name.a_label for entry in named}
    unlisted = tuple(sorted(windows.keys() - listed)) if windows else ()
    return SetNames(tuple(lines), _without(report, left), dates_report, unlisted)


def _skipped(entry: NamedLine, code: str, detail: str) -> SkippedLine:
    shown = f"*.{entry.name.a_label}" if entry.name.subtree else entry.name.a_label
    return SkippedLine(entry.line, shown, code, detail)


def _without(report: ImportReport, left: Sequence[SkippedLine]) -> ImportReport:
    if not left:
        return report
    counts = Counter(report.counts())
    counts.update(line.code for line in left)
    gone = {line.line for line in left}
    return replace(
        report,
        taken=report.taken - len(left),
        changed=tuple(line for line in report.changed if line.line not in gone),
        skipped=(*report.skipped, *left)[:MOST_NAMED],
        skipped_counts=dict(counts),
    )
