"""Export the blocked names as a plain list, one a line (INTERFACE, ``tocsin export names``).

Invariants:
* a line is ``name``, or ``*.name`` for everything below it; a subtree has both;
* a file is replaced whole or not at all: what reads it never sees half a list;
* an export that jumps is not written: the last good one stays in force, an alarm says so, and a
  person lets it pass (``circuit_breaker``).

What it does not do: choose the names (``hub.verdicts.blocklist``).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from federation.errors import SharingRefused
from hub.exports.circuit_breaker import is_jump
from hub.monitoring.alarms import EXPORT_JUMP, end_alarm, raise_alarm
from hub.node import Node
from hub.storage.queries.audit import store_event
from hub.storage.queries.blocks import ExportRow, find_export, put_export
from hub.storage.transaction import Transaction
from hub.verdicts.blocklist import AUDIENCES, BlockedName, admit_blocks, audience_blocks
from schemas.errors import WireFormatError

NAMES: Final = "names"
LATER_FORMATS: Final = (
    "rpz", "hosts", "csv", "ndjson", "suricata", "zeek", "wazuh", "misp", "stix",
)  # fmt: skip
LONGEST_REASON: Final = 1_024
_MODE: Final = 0o640
"""Of a new file; one that is there keeps its own, so that a resolver's group can read it."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported.

    Args:
        names: blocked names; ``lines`` may be more, a subtree has two.
        waiting: names that wait for the hourly cap.
        before: names of the last good export; None when there was none.
        label: the strictest label that the audience may observe.
    """

    format: str
    audience: str
    names: int
    waiting: int
    before: int | None
    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A person's word that a jump is right."""

    reason: str
    actor: str


def export_names(
    node: Node,
    audience: str,
    *,
    constituent: str | None = None,
    accept_jump: str | None = None,
    actor: str = "operator",
) -> Exported:
    """Bring the audience's blocks up to now and list them; the caller writes them down.

    Args:
        constituent: one constituent's token, for the AMBER that touches it too.
        accept_jump: the reason why a jump in size is right.

    Raises:
        WireFormatError: ``E_AUDIENCE``, ``E_REASON``. NotFound: ``E_TOKEN_UNKNOWN``.
        SharingRefused: ``E_EXPORT_JUMP``; the last good export stays in force.
    """
    if accept_jump is not None and not 1 <= len(accept_jump.strip()) <= LONGEST_REASON:
        raise WireFormatError("E_REASON", f"a reason has 1 to {LONGEST_REASON} characters")
    accepted = None if accept_jump is None else _Accepted(accept_jump.strip(), actor)
    with node.database.write() as tx:
        admit_blocks(tx, node, audience, constituent=constituent)
        blocks = audience_blocks(tx, node, audience, constituent=constituent)
        blocked = blocks.in_force
        last = find_export(tx, NAMES, audience, constituent or "")
        lines = tuple(_lines(blocked))
        row = ExportRow(
            NAMES, audience, constituent or "", len(blocked), _digest(lines), node.now()
        )
        passed = _pass(tx, node, row, last, accepted)
    # After the commit, or alarm and audit would go with the refusal.
    if not passed and last is not None:
        raise SharingRefused(
            "E_EXPORT_JUMP",
            f"{len(blocked)} names where the last good export had {last.names}",
            "See `tocsin alarms`; if it is right, give --accept-jump with the reason.",
            before=last.names,
            after=len(blocked),
        )
    return Exported(
        NAMES,
        audience,
        len(blocked),
        len(blocks.waiting),
        None if last is None else last.names,
        AUDIENCES[audience].wire,
        lines,
    )


def require_format(format_name: str) -> None:
    """Check that a format is one that this release writes.

    Raises:
        WireFormatError: ``E_FORMAT_LATER`` for one that a later release brings; ``E_FORMAT``.
    """
    if format_name == NAMES:
        return
    if format_name in LATER_FORMATS:
        raise WireFormatError(
            "E_FORMAT_LATER",
            f"the format {format_name} comes with a later release",
            "This release exports `names`: one name a line.",
        )
    raise WireFormatError("E_FORMAT", f"{format_name!r} is no format", "This release has `names`.")


def write_whole(file: Path, lines: Iterable[str]) -> None:
    """Write a file beside its place, to the disk, and put it there in one step."""
    mode = file.stat().st_mode & 0o777 if file.exists() else _MODE
    descriptor, made = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii", newline="\n") as stream:
            stream.writelines(f"{line}\n" for line in lines)
            stream.flush()
            os.fsync(stream.fileno())
        Path(made).chmod(mode)
        Path(made).replace(file)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise
    _sync_directory(file.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines(blocked: Iterable[BlockedName]) -> Iterator[str]:
    for each in blocked:
        if each.match_scope != "wildcard-only":
            yield each.name
        if each.match_scope != "exact":
            yield f"*.{each.name}"


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("ascii")).hexdigest()


def _pass(
    tx: Transaction, node: Node, row: ExportRow, last: ExportRow | None, accepted: _Accepted | None
) -> bool:
    """Store an export as the last good one, or stop it with an alarm."""
    before = 0 if last is None else last.names
    subject = "/".join(part for part in (row.format, row.audience, row.reader) if part)
    jumps = is_jump(before=before, after=row.names, percent=node.settings.export_jump_percent)
    facts = {"format": row.format, "audience": row.audience, "before": before, "after": row.names}
    if jumps and accepted is None:
        if raise_alarm(tx, EXPORT_JUMP, subject, row.exported_at, **facts):
            store_event(tx, row.exported_at, "exports", "EXPORT_STOPPED", **facts)
        return False
    put_export(tx, row)
    end_alarm(tx, EXPORT_JUMP, subject, row.exported_at)
    if jumps and accepted is not None:
        store_event(
            tx,
            row.exported_at,
            accepted.actor,
            "EXPORT_JUMP_ACCEPTED",
            reason=accepted.reason,
            **facts,
        )
    return True
