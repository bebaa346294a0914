"""What a line of a log says: that a name was asked for here, or nothing that counts.

The readers of each format (``resolver_logs``, ``eve_json``) are pure: a line, the instant of
reading and the time zone of the log give a hit or a reason. They never raise, whatever the line:
whoever asks a resolver chooses what its log says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from schemas.dns.names import read_name
from schemas.errors import WireFormatError

MAX_LINE: Final = 1 << 20
"""Octets of a line that is read; Suricata writes whole payloads into one where it is told to."""

OTHER: Final = "other"
PASSED: Final = "passed"
BY_CLIENT: Final = "by-client"
NO_NAME: Final = "no-name"
UNREADABLE: Final = "unreadable"
TOO_LONG: Final = "too-long"
AGAIN: Final = "again"
ANSWER: Final = "answer"
OLD: Final = "old"

REASONS: Final = {
    OTHER: "lines about something else",
    PASSED: "let through by a passthru rule of your own",
    BY_CLIENT: "rewritten because of who asked, not of what",
    NO_NAME: "hits without a name that can be read",
    UNREADABLE: "lines that look like hits and cannot be read",
    TOO_LONG: "lines that are too long",
    AGAIN: "further alerts on one transaction",
    OLD: "older than 90 days",
    ANSWER: "answers, where queries are counted",
}


@dataclass(frozen=True, slots=True)
class Hit:
    """That somebody here asked for a name.

    Args:
        name: what was asked for; a label that cannot be read is written as ``_``.
        policy: the key of what a resolver's policy matched, where its line says more than the
            name does: what ``schemas.dns.subjects`` makes of it.
        client: who asked.
        transaction: equal for what one query caused.
    """

    name: str
    at: datetime
    policy: str | None = None
    client: str | None = None
    transaction: str | None = None


@dataclass(frozen=True, slots=True)
class Miss:
    """That a line is no hit, and why: a key of ``REASONS``."""

    reason: str


LineReader = Callable[[str, datetime, tzinfo], Hit | Miss]
"""Reads a line, given when it is read and the zone in which the log writes its times."""

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)
_BIND = re.compile(
    r"([0-9]{2})-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2})", re.ASCII
)
_SYSLOG = re.compile(r"([A-Za-z]{3}) +([0-9]{1,2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})", re.ASCII)
_EPOCH = re.compile(r"\[([0-9]{1,12})(?:\.[0-9]{1,9})?\] ", re.ASCII)
_FIRST_LABEL = re.compile(r"(?:[^.\\]|\\.?)*+\.?", re.DOTALL)
_LONGEST_NAME = 4 * 255
"""Where every octet of a name is written as an escape."""
_AHEAD = timedelta(days=2)


def read_log_time(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Read the time with which a line begins, in whatever of the usual ways; else ``now``.

    A syslog line has no year: it is of the latest year that does not put it ahead.
    """
    try:
        return min(_read_time(text, now, zone) or now, now)
    except (ValueError, OverflowError, OSError):
        return now  # the 31st of February, or a year that no calendar has


def _read_time(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    if found := _ISO.match(text):
        numbers = [int(part) for part in found.groups()[:6]]
        return _in_zone(numbers, _offset(found[7]) or zone)
    if found := _BIND.match(text):
        day, month, year, *rest = found.groups()
        return _in_zone([int(year), _month(month), int(day), *map(int, rest)], zone)
    if found := _SYSLOG.match(text):
        month, day, *rest = found.groups()
        numbers = [now.astimezone(zone).year, _month(month), int(day), *map(int, rest)]
        at = _in_zone(numbers, zone)
        return at if at <= now + _AHEAD else _in_zone([numbers[0] - 1, *numbers[1:]], zone)
    if found := _EPOCH.match(text):
        return datetime.fromtimestamp(int(found[1]), UTC)
    return None


def _in_zone(numbers: list[int], zone: tzinfo) -> datetime:
    year, month, day, hour, minute, second = numbers
    local = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    return local.astimezone(UTC)


def _month(word: str) -> int:
    return _MONTHS.index(word.lower()) + 1


def _offset(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    return datetime.strptime(text.replace(":", ""), "%z").tzinfo


def readable_name(text: str) -> str | None:
    r"""Return a name as resolvers log it, or None where nothing of it is one.

    Whoever asks may put any octets into the labels below a listed name, which servers log as
    ``\032`` or ``?``. It is a hit on the listed name all the same, and never one on that name
    itself: so what cannot be read becomes one label ``_``.
    """
    if len(text) > _LONGEST_NAME:
        return None
    text = text.lower().removesuffix(".")
    unread = False
    while text:
        try:
            name = read_name(text)
        except WireFormatError:
            unread = True
            # With the whole label, escaped dots within it included: neither half of it can be
            # read alone as what was asked for.
            text = _FIRST_LABEL.sub("", text, count=1)
            continue
        if name.subtree:
            unread = True
        return f"_.{name.a_label}" if unread else name.a_label
    return None
