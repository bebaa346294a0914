"""What a rendering tells: how many names, what changed, what was left out, where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from hub.exports.changes import Changes
from hub.exports.export_key import ExportKey
from hub.storage.queries.exports import RenderingRow

LARGE: Final = 500_000
"""Names from which a resolver takes long to load a zone: better split it by feed (DNS 3)."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Names that a format cannot say, or shall not.

    Args:
        code: why, such as ``LONG``.
        first: the first of them.
    """

    code: str
    names: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """An export as it stands.

    Args:
        names: that are listed; a name may be several lines.
        waiting: names that wait for the hourly cap.
        label: the strictest label that the audience may observe.
        changes: against the last good export.
        changed: whether the content is a new one.
        folder: where its files are; None for a dry run.
        files: their names.
    """

    key: ExportKey
    names: int
    waiting: int
    label: str
    changes: Changes
    left_out: tuple[LeftOut, ...]
    changed: bool
    serial: int
    changed_at: datetime
    digest: str
    folder: Path | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """The files of a rendering.

    Args:
        content: its name, which no other content of the same export has.
        folder: where its files are.
    """

    content: str
    serial: int
    changed_at: datetime
    names: int
    folder: Path
    files: tuple[str, ...]


def content_name(content: Exported | RenderingRow) -> str:
    """Name the folder of a content."""
    return f"{content.serial}-{content.digest[:16]}"
