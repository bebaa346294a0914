"""Logs: one event a line on standard error, for people or for machines.

Invariants:
* an event is one line, whatever a peer's name or a library's message holds;
* secrets are never logged: nothing here adds headers, bodies or arguments to an event.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from hub.observability.printable import printable
from hub.settings import Settings
from schemas.strict_json import write_json
from schemas.timestamps import write_wire_time

_QUIET = ("uvicorn.access", "httpx2", "httpcore2", "alembic")
"""Loggers whose information is no news to an operator."""


def configure_logging(settings: Settings) -> None:
    """Send this process's logs to standard error in the form that the settings ask for."""
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setFormatter(_JsonLine() if settings.log_format == "json" else _TextLine())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[stderr], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class _TextLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Write an event for people."""
        line = f"{_at(record)} {record.levelname.lower()} {record.name}: {_message(record)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Write an event for machines."""
        event = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return write_json(event).decode()


def _at(record: logging.LogRecord) -> str:
    return write_wire_time(datetime.fromtimestamp(record.created, UTC))


def _message(record: logging.LogRecord) -> str:
    return printable(record.getMessage())
