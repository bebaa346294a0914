"""How what a file gave is shown: taken, changed and skipped lines, and why (``ImportReport``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.cli.output import hint, plain, say

if TYPE_CHECKING:
    from hub.imports.drafts import ImportReport

SHOWN_LINES: Final = 5
"""Of each reason, in the terminal."""
LISTED_LINES: Final = 100
"""Of all, with ``--json``."""


def report_document(report: ImportReport) -> dict[str, Any]:
    """Make the document of a report."""
    return {
        "total": report.total_lines,
        "taken": report.taken,
        "changed": len(report.changed),
        "comments": report.comments,
        "blanks": report.blanks,
        "skipped": report.counts(),
        "lines": plain(report.skipped[:LISTED_LINES]),
    }


def tell_report(report: ImportReport, what: str = "") -> None:
    """Tell what was read, and the first lines that were skipped, by their reason.

    Args:
        what: of which input, where there are several.
    """
    skipped = report.counts()
    read = f"{what}: read" if what else "Read"
    say(
        f"{read} {report.total_lines:,}, took {report.taken:,} ({len(report.changed):,} changed), "
        f"skipped {sum(skipped.values()):,}, comments {report.comments:,}, "
        f"blank {report.blanks:,}."
    )
    for code, number in skipped.items():
        hint(f"Skipped {number:,} for {code}:")
        first = [line for line in report.skipped if line.code == code][:SHOWN_LINES]
        hint(*(f"  {line.line}: {line.text[:80]} ({line.detail})" for line in first))
