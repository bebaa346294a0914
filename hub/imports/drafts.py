"""What an import gives back: drafts to publish, and a report in which nothing is lost.

Invariant: each line (or object) of the input is counted exactly once in a report, as taken,
skipped, comment or blank; what was skipped is there with its code and the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Draft:
    """An object to publish, still without a marking: the publisher writes the entry's TLP in.

    Args:
        value: the STIX object.
        idn_name: the random name that its self-certifying id was derived from (PROTOCOL 2.4),
            or None when the id was given.
        line: where in the input it came from.
    """

    value: dict[str, Any]
    idn_name: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """A line, or the object at a position of a bundle, that was not taken.

    Args:
        line: its number, counted from 1.
        text: the line, or the object's id; cut off after some hundred characters.
        code: stable, such as ``E_NAME_URL``.
        detail: what is wrong with it.
    """

    line: int
    text: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """A line that was taken in another form than it was written, its case aside."""

    line: int
    text: str
    taken_as: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of each line of an import.

    Args:
        taken: how many lines (objects) were taken.
        changed: those of them that were taken in another form.
        skipped: the others, each with its reason; of very many the first ones.
        total_lines: all lines (objects, attributes) of the input.
        comments: lines that hold a comment alone.
        blanks: empty lines.
        skipped_counts: how many were skipped by code, where ``skipped`` does not name them all.
        types: of what was skipped for its type, how many by type.
    """

    taken: int
    changed: tuple[ChangedLine, ...]
    skipped: tuple[SkippedLine, ...]
    total_lines: int
    comments: int = 0
    blanks: int = 0
    skipped_counts: Mapping[str, int] | None = None
    types: Mapping[str, int] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Count the skipped lines by code, the most frequent first."""
        if self.skipped_counts is not None:
            return dict(Counter(self.skipped_counts).most_common())
        return dict(Counter(line.code for line in self.skipped).most_common())
