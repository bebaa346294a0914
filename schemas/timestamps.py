"""Instants on the wire: Tocsin's exact form, STIX's and TAXII's.

>>> write_wire_time(read_wire_time("2026-03-01T10:00:00.000Z"))
'2026-03-01T10:00:00.000Z'
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from schemas.errors import WireFormatError

# The hour is bounded here: Pythons differ on whether 24:00 is the next day, and nodes must not.
_HOUR = "(?:[01][0-9]|2[0-3])"
_WIRE = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_HOUR}:[0-9]{{2}}:[0-9]{{2}}\.[0-9]{{3}}Z")
_STIX = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_HOUR}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?Z"
)
_NO_STIX_TIME = "not an RFC 3339 timestamp in UTC that ends in Z"


def read_wire_time(text: object) -> datetime:
    """Read ``YYYY-MM-DDTHH:MM:SS.mmmZ``, exactly three decimals, a date that exists (PROTOCOL 2).

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    if not isinstance(text, str) or not _WIRE.fullmatch(text):
        raise WireFormatError("E_SCHEMA", "time is not YYYY-MM-DDTHH:MM:SS.mmmZ")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise WireFormatError("E_SCHEMA", "time names a date that does not exist") from None


def write_wire_time(at: datetime) -> str:
    """Write an aware instant with exactly three decimals, cut off and never rounded up."""
    return _write(at, "milliseconds")


def read_stix_time(text: object) -> datetime:
    """Read a STIX timestamp, RFC 3339 in UTC with any sub-second precision (STIX 2.1 §2.16).

    Digits beyond microseconds are cut off.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    if not isinstance(text, str):
        raise WireFormatError("E_SCHEMA", _NO_STIX_TIME)
    return _read_stix_text(text)


# One object says the same instant three times over, and a batch of objects often the same one.
@lru_cache(maxsize=4096)
def _read_stix_text(text: str) -> datetime:
    if not _STIX.fullmatch(text):
        raise WireFormatError("E_SCHEMA", _NO_STIX_TIME)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise WireFormatError("E_SCHEMA", "timestamp names a date that does not exist") from None


def write_taxii_time(at: datetime) -> str:
    """Write an instant with six decimals, as TAXII's dates are written here (TAXII 2.1 §3.2)."""
    return _write(at, "microseconds")


def _write(at: datetime, digits: str) -> str:
    # Not ``strftime``: whether its year 999 has three digits or four is the C library's affair.
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=digits) + "Z"
