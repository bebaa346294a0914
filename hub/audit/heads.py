"""Write the head of the audit where the database cannot reach: a file, and a log.

Who owns the database can write a whole new chain that holds together. A head that was kept outside
shows it, back to the hour in which it was written.

Invariants:
* a head is written at most once an hour, and only when there is a newer link;
* the file is only ever appended to, is its owner's alone, and is on the disk before the node
  counts the head as written;
* it holds no word of any event: place, hash and instant alone;
* a file or log that cannot be written raises an alarm, and the node goes on.
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import timedelta
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Final

from hub.monitoring.alarms import AUDIT_HEAD_UNWRITTEN, end_alarm, raise_alarm
from hub.node import Node
from hub.storage.queries.audit import last_link
from schemas.errors import WireFormatError
from schemas.members import read_integer, read_object, read_text
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import read_wire_time, write_wire_time

HEADS_FILE: Final = "audit-heads.jsonl"
INTERVAL: Final = timedelta(hours=1)
_TAIL: Final = 4_096
"""Several lines; a head takes some 130 bytes."""
_SYSLOG_PORT: Final = 514


@dataclass(frozen=True, slots=True)
class KeptHead:
    """A head as it stands outside: the link's place, its hash in hex, and when it was written."""

    seq: int
    hash: str
    at: str


def heads_file(node: Node) -> Path:
    """Return where heads are kept: the setting ``audit_heads_file``, else in the home."""
    return node.settings.audit_heads_file or node.settings.home / HEADS_FILE


def keep_head(node: Node, *, now_at_once: bool = False) -> KeptHead | None:
    """Write the present head outside, when an hour has passed and there is a newer one.

    Args:
        now_at_once: without waiting for the hour.

    Returns:
        The head that was written, or None when none was due.
    """
    now = node.now()
    last = _last_kept(heads_file(node))
    if last is not None and not now_at_once and now - read_wire_time(last.at) < INTERVAL:
        return None
    with node.database.read() as tx:
        seq, digest = last_link(tx)
    if seq == 0 or (last is not None and last.seq == seq):
        return None
    head = KeptHead(seq, digest.hex(), write_wire_time(now))
    failed = _failures(node, head)
    with node.database.write(durable=False) as tx:
        for place, why in failed.items():
            if why is None:
                end_alarm(tx, AUDIT_HEAD_UNWRITTEN, place, now)
            else:
                raise_alarm(tx, AUDIT_HEAD_UNWRITTEN, place, now, why=why)
    return head if failed["file"] is None else None


def read_kept_heads(node: Node) -> list[KeptHead]:
    """Read every head of the file, oldest first; a line that a crash cut short is passed over."""
    try:
        lines = heads_file(node).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [head for line in lines if (head := _read(line)) is not None]


def _failures(node: Node, head: KeptHead) -> dict[str, str | None]:
    """Write a head everywhere; tell by place what went wrong."""
    failed: dict[str, str | None] = {"file": None, "syslog": None}
    try:
        _append(heads_file(node), write_json(asdict(head)))
    except OSError as error:
        # Tried again at the next look; the log is told only of what the file holds.
        return {"file": error.strerror or "cannot be written"}
    if node.settings.audit_syslog:
        try:
            _send(node.settings.audit_syslog, f"audit head {head.seq} {head.hash} {node.node_id}")
        except (OSError, ValueError) as error:
            failed["syslog"] = getattr(error, "strerror", None) or "cannot be reached"
    return failed


def _append(file: Path, line: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # One write of one line: of two processes none comes between. A cut line before it ends.
        os.write(descriptor, (b"\n" if _ends_open(file) else b"") + line + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _ends_open(file: Path) -> bool:
    tail = _read_tail(file)
    return bool(tail) and not tail.endswith(b"\n")


def _last_kept(file: Path) -> KeptHead | None:
    for line in reversed(_read_tail(file).splitlines()):
        if (head := _read(line)) is not None:
            return head
    return None


def _read_tail(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, opened.seek(0, os.SEEK_END) - _TAIL))
            return opened.read()
    except FileNotFoundError:
        return b""


def _read(line: bytes) -> KeptHead | None:
    try:
        value = read_object(strict_loads(line), "a kept head")
        head = KeptHead(
            read_integer(value, "seq"), read_text(value, "hash"), read_text(value, "at")
        )
        read_wire_time(head.at)
    except WireFormatError:
        return None
    return head


def _send(address: str, message: str) -> None:
    """Send one line to syslog: a socket's path, or ``host:port`` by UDP (RFC 3164)."""
    host, _, port = address.rpartition(":")
    to = address if address.startswith("/") else (host or port, int(port) if host else _SYSLOG_PORT)
    record = logging.LogRecord("tocsin", logging.INFO, "", 0, f"tocsin: {message}", None, None)
    with closing(_Telling(to, SysLogHandler.LOG_AUTHPRIV, socket.SOCK_DGRAM)) as handler:
        handler.emit(record)


class _Telling(SysLogHandler):
    """Syslog that says when it fails, instead of printing a trace."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Let the failure out."""
        del record
        raise  # noqa: PLE0704 - called inside logging's own except clause
