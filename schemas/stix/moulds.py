"""What the indicators of a bulk have in common, written once: their mould.

A feed of 200,000 names says the same of each but for its name, its dates and its id. A mould is
such an indicator with stand-ins for these: what holds of the mould alone is found out once and not
200,000 times (``validation`` and ``federation.policy.closure`` remember it).

Invariants:
* an indicator that has a mould is sound if and only if its mould is: the stand-ins are sound, and
  whatever they stand for was checked here, more narrowly than the schema and the MUSTs would;
* two indicators with the same mould differ in those strings alone, not even in the order of their
  members or in how a number is written: the mould is the JSON of all the rest;
* what they stand for holds no STIX id and is of its member's own affair: no rule compares it with
  another member, but for dates, whose order is checked here.

What it does not do: reject. What has no mould is judged by itself, as everything would be without
this module.

>>> mould_of({"type": "indicator"}) is None
True
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import orjson

from schemas.dns.extensions import DNS_THREAT
from schemas.errors import WireFormatError
from schemas.timestamps import read_stix_time

LONGEST_MOULD: Final = 4096
"""Longer ones are not worth the memory of those that remember them."""
MOST_MOULDS: Final = 256
"""So many are remembered; a peer that sends each object in a mould of its own gains nothing."""

_ID: Final = re.compile(
    r"indicator--[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)
_PATTERN: Final = re.compile(r"\[(?:domain-name|ipv4-addr|ipv6-addr|url):value = '([^'\\]+)'\]")
_LONGEST_NAME: Final = 253
_SHORTEST_ID: Final = len("abc--00000000-0000-0000-0000-000000000000")
_INSTANT_LENGTH: Final = len("2026-01-01T00:00:00.000Z")
_STAND_INS: Final = {
    "id": "indicator--00000000-0000-4000-8000-000000000000",
    "name": "name.example",
    "pattern": "[domain-name:value = 'name.example']",
    "created": "2026-01-01T00:00:00.000Z",
    "modified": "2026-01-01T00:00:00.000Z",
    "valid_from": "2026-01-01T00:00:00.000Z",
}
_VALID_UNTIL: Final = "2026-01-02T00:00:00.000Z"
_OF_ITS_NAME: Final = ("registrable_domain", "tld")
"""What ``dns-threat`` derives from the name."""
_EXACT: Final = (
    orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


def mould_of(value: dict[str, Any]) -> bytes | None:
    """Write the mould of a simple indicator; None for all that has to be judged by itself."""
    if value.get("type") != "indicator" or "granular_markings" in value:
        return None
    try:
        named = _PATTERN.fullmatch(value["pattern"])
        if not (
            named
            and _is_plain(named[1])
            and (value["name"] == named[1] or _is_plain(value["name"]))
            and _ID.fullmatch(value["id"])
            and _are_in_order(value["created"], value["modified"])
        ):
            return None
        mould = {**value, **_STAND_INS}
        if not _fill_validity(mould, value) or not _fill_extension(mould, named[1]):
            return None
        written = orjson.dumps(mould, option=_EXACT)
    except (KeyError, TypeError):
        return None  # not even the members that an indicator has; who checks it names them
    return written if len(written) <= LONGEST_MOULD else None


def _fill_validity(mould: dict[str, Any], value: dict[str, Any]) -> bool:
    """Put stand-ins for the dates of its validity; tell whether they stand for these."""
    begin = value["valid_from"]
    if "valid_until" not in value:
        return _is_instant(begin)
    mould["valid_until"] = _VALID_UNTIL
    end = value["valid_until"]
    return bool(begin != end and _are_in_order(begin, end))


def _fill_extension(mould: dict[str, Any], plain: str) -> bool:
    """Put stand-ins into the extension that tells of the name; tell whether they stand for it.

    Args:
        plain: a text that was found to be plain.
    """
    extensions = mould.get("extensions")
    if extensions.__class__ is not dict:
        return True  # a part of the mould like any other
    threat = extensions.get(DNS_THREAT)
    if threat.__class__ is not dict:
        return True
    filled = dict(threat)
    for name in _OF_ITS_NAME:
        if name in filled:
            if filled[name] != plain and not _is_plain(filled[name]):
                return False
            filled[name] = "example"
    mould["extensions"] = {**extensions, DNS_THREAT: filled}
    return True


def _is_plain(text: object) -> bool:
    """Tell whether it is text that can hold no STIX id, as any name."""
    return (
        type(text) is str
        and 0 < len(text) <= _LONGEST_NAME
        and text.isascii()
        and (len(text) < _SHORTEST_ID or "--" not in text)
    )


def _are_in_order(first: str, last: str) -> bool:
    # Of one form and length, so that their order is that of their text.
    return first <= last and _is_instant(first) and (first == last or _is_instant(last))


@lru_cache(maxsize=4096)
def _is_instant(text: str) -> bool:
    """Tell whether it is a date that exists, to the millisecond and no finer."""
    if len(text) != _INSTANT_LENGTH:
        return False
    try:
        read_stix_time(text)
    except WireFormatError:
        return False
    return True
