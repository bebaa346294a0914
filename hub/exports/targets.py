"""Files and directories that are kept current, and the resolvers behind them (DNS 3).

Decides what may be a target, and what is brought there when.

Invariants:
* a target has one content, whole, or the one before: a failure leaves the last good file where it
  is and raises an alarm;
* one target's failure keeps no other from being written;
* what is run for a target is a program with a list of arguments, never a line for a shell;
* network and programs are outside of every write.

What it does not do: render (``publication``), or plan (``keep_current``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from hub.errors import Conflict, Misconfigured, NotFound
from hub.exports.canary import read_probe
from hub.exports.export_key import ExportKey
from hub.exports.formats import RPZ, find_format
from hub.exports.kept_files import bring_files
from hub.exports.knot import KnotZone, read_knot, reload_zone
from hub.exports.publication import current_files, render_export
from hub.exports.rpz_policy import read_canary, zone_of
from hub.monitoring.alarms import EXPORT_FAILED, end_alarm, raise_alarm
from hub.node import Node
from hub.storage.queries import exports as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.exports import TargetRow
from schemas.errors import TocsinError, WireFormatError

_JUMP: Final = "E_EXPORT_JUMP"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a target.

    Args:
        changed: whether its files are new ones.
        names: that the content lists; None when it failed.
        error: the code of its failure.
        detail: the same in words.
    """

    name: str
    changed: bool
    names: int | None
    serial: int | None
    error: str | None = None
    detail: str = ""


def add_target(
    node: Node,
    key: ExportKey,
    path: Path,
    *,
    name: str | None = None,
    knot: str | None = None,
    probe: str | None = None,
    actor: str = "operator",
) -> TargetRow:
    """Keep a file or directory current from now on; the worker writes it.

    Args:
        name: else ``rpz-organisation`` and the like.
        knot: ``SOCKET/ZONE`` of a Knot that serves the file.
        probe: ``ADDRESS@PORT`` of a resolver that is asked for the canary.

    Raises:
        WireFormatError: ``E_EXPORT_FEED``, ``E_FORMAT``, ``E_TARGET``.
        Conflict: ``E_TARGET_EXISTS``.
    """
    row = _read_target(node, key, path, name, knot, probe)
    with node.database.write() as tx:
        if any(each.name == row.name for each in stored.list_targets(tx)):
            raise Conflict(
                "E_TARGET_EXISTS", f"there is a target {row.name}", "Give another --name."
            )
        stored.put_target(tx, row)
        stored.mark_exports(tx)
        store_event(
            tx, node.now(), actor, "EXPORT_TARGET_ADDED", target=row.name, export=key.subject,
            path=row.path,
        )  # fmt: skip
    return row


def list_targets(node: Node) -> tuple[TargetRow, ...]:
    """List the targets by name."""
    with node.database.read() as tx:
        return stored.list_targets(tx)


def remove_target(node: Node, name: str, *, actor: str = "operator") -> None:
    """Keep a target current no longer; its files stay.

    Raises:
        NotFound: ``E_TARGET_UNKNOWN``.
    """
    with node.database.write() as tx:
        if not stored.drop_targets(tx, [name]):
            raise _unknown(name)
        end_alarm(tx, EXPORT_FAILED, name, node.now())
        store_event(tx, node.now(), actor, "EXPORT_TARGET_REMOVED", target=name)


def run_targets(
    node: Node, names: Sequence[str] = (), *, accept_jump: str | None = None
) -> tuple[Written, ...]:
    """Write targets now, those of the names or all.

    Raises:
        NotFound: ``E_TARGET_UNKNOWN``.
    """
    rows = list_targets(node)
    for name in names:
        if all(each.name != name for each in rows):
            raise _unknown(name)
    chosen = [row for row in rows if not names or row.name in names]
    return tuple(write_target(node, row, anew=True, accept_jump=accept_jump) for row in chosen)


def key_of(row: TargetRow) -> ExportKey:
    """Tell which export a target has."""
    return ExportKey(row.format, row.audience, row.reader, row.feed, row.min_confidence)


def write_target(
    node: Node, row: TargetRow, *, anew: bool = False, accept_jump: str | None = None
) -> Written:
    """Bring a target up to date; a failure is told and raises an alarm.

    Args:
        anew: look at the verdicts though nothing is known to have changed; a person asks.
    """
    try:
        written = _write(node, row, accept_jump, anew=anew)
    except TocsinError as error:
        failed = Written(row.name, False, None, row.serial, error.code, error.detail)
    except OSError as error:
        failed = Written(row.name, False, None, row.serial, "E_FILE", error.strerror or str(error))
    else:
        return written
    with node.database.write() as tx:
        stored.update_target(tx, row.name, error=failed.error)
        if failed.error != _JUMP:  # which has an alarm of its own
            facts = {"target": row.name, "error": failed.error, "detail": failed.detail}
            raise_alarm(tx, EXPORT_FAILED, row.name, node.now(), **facts)
    return failed


def _write(node: Node, row: TargetRow, accept_jump: str | None, *, anew: bool) -> Written:
    key = key_of(row)
    # (1) The content, rendered where anything changed.
    current = None if anew else current_files(node, key)
    is_rendered = current is None
    if current is None:
        render_export(node, key, accept_jump=accept_jump, actor=f"target {row.name}")
        current = current_files(node, key, whatever=True)
    if current is None:
        raise Misconfigured("E_FILE", "the rendering is gone", "Run it again.")
    place = Path(row.path)
    is_tree = find_format(key.format).is_tree
    changed = current.content != row.written_digest or not place.exists()
    if changed:
        # (2) Its files, each in one step.
        bring_files(current.folder, current.files, place, is_tree=is_tree)
        # (3) The server in front of the resolvers; noted as written only once it knows.
        if row.knot_socket is not None and row.knot_zone is not None:
            reload_zone(KnotZone(row.knot_socket, row.knot_zone))
    # A refused jump stays told at the target while the last good content is what it has.
    if changed or (row.error is not None and (is_rendered or row.error != _JUMP)):
        _note(node, row, current.content, current.serial, changed=changed)
    return Written(row.name, changed, current.names, current.serial)


def _note(node: Node, row: TargetRow, content: str, serial: int, *, changed: bool) -> None:
    now = node.now()
    values: dict[str, object] = {"written_digest": content, "serial": serial, "error": None}
    if changed:
        values["written_at"] = now
        if row.probe is not None:
            values["probe_until"] = now + timedelta(seconds=node.settings.probe_seconds)
    with node.database.write() as tx:
        stored.update_target(tx, row.name, **values)
        end_alarm(tx, EXPORT_FAILED, row.name, now)


def _read_target(
    node: Node, key: ExportKey, path: Path, name: str | None, knot: str | None, probe: str | None
) -> TargetRow:
    key.check()
    made_format = find_format(key.format)
    if not path.is_absolute() or not path.parent.is_dir():
        raise WireFormatError("E_TARGET", f"there is no directory {path.parent}", "Make it first.")
    if path.is_dir() != made_format.is_tree and path.exists():
        what = "several files: name a directory" if made_format.is_tree else "one file"
        raise WireFormatError("E_TARGET", f"the format {key.format} is {what}")
    chosen = name or "-".join(
        part for part in (key.format, key.audience, key.constituent.lower(), key.variant) if part
    ).replace("+", "-")
    if not _NAME.fullmatch(chosen):
        raise WireFormatError("E_TARGET", "a target's name has 1 to 64 of a-z, 0-9, ., _ and -")
    zone = None if knot is None else read_knot(knot)
    if zone is not None and zone.zone != zone_of(node.settings, key.audience, key.feed):
        own = zone_of(node.settings, key.audience, key.feed)
        raise WireFormatError("E_TARGET", f"the zone of this export is called {own}")
    if (zone is not None or probe is not None) and key.format != RPZ:
        raise WireFormatError("E_TARGET", "--knot and --probe go with rpz")
    if probe is not None:
        read_probe(probe)
        if not read_canary(node.settings):
            raise WireFormatError(
                "E_TARGET", "there is no canary to ask for", "Set rpz_canary to a name of no use."
            )
    return TargetRow(
        chosen, key.format, key.audience, key.constituent, key.feed, key.least, str(path),
        None if zone is None else zone.socket, None if zone is None else zone.zone, probe,
        node.now(),
    )  # fmt: skip


def facts_of(row: TargetRow) -> Mapping[str, object]:
    """Say a target as its readers see it."""
    return {
        "name": row.name,
        "export": key_of(row).subject,
        "path": row.path,
        "knot": None if row.knot_socket is None else f"{row.knot_socket}/{row.knot_zone}",
        "probe": row.probe,
        "serial": row.serial,
        "written_at": row.written_at,
        "error": row.error,
    }


def _unknown(name: str) -> NotFound:
    return NotFound(
        "E_TARGET_UNKNOWN", f"there is no target {name[:64]!r}", "Run `tocsin export target list`."
    )
