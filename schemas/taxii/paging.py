"""Filters and cursors of TAXII 2.1's paged resources (TAXII 2.1 §3.4, §3.5).

Decides: what a reader asks for, and whether a ``next`` is one of ours for this very question.

Invariants:
* a cursor is opaque and authenticated: it opens only in the context that it was sealed in (the
  collection, the view, the resource and the reader), else it is refused, never answered with
  other data;
* a cursor carries its filters, because importers drop them after page 1 (DNS 4); filters that
  come with it must be the same. ``limit`` may change, and ``added_after`` beside a cursor is not
  looked at: the cursor stands at or after it, and importers send one that has moved;
* a cursor can be used again, so a lost answer loses no page;
* unknown parameters are ignored (TAXII 2.1 §3.4); known ones that cannot be read, or stand there
  twice, are an error, for a filter that is not applied is a page that nobody asked for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from schemas.errors import WireFormatError
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import read_stix_time

DEFAULT_LIMIT: Final = 5_000
MAX_LIMIT: Final = 10_000
_MAX_VALUES: Final = 500
_LONGEST_VALUE: Final = 512
_LONGEST_CURSOR: Final = 65_536
_MAC_BYTES: Final = 16
_LIMIT: Final = re.compile(r"[0-9]{1,18}")
_VALUE: Final = re.compile(r"[!-+\--~]+")  # visible ASCII without the comma
_LISTS: Final = ("id", "type", "version", "spec_version")


@dataclass(frozen=True, slots=True)
class Matches:
    """The ``match[…]`` filters; an empty tuple where one was not given.

    Args:
        ids: STIX ids.
        types: STIX types.
        versions: ``first``, ``last``, ``all`` or timestamps, as written.
        spec_versions: such as ``2.1``.
    """

    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    spec_versions: tuple[str, ...] = ()

    def to_json(self) -> list[list[str]]:
        """Write what a cursor carries."""
        every = (self.ids, self.types, self.versions, self.spec_versions)
        return [list(values) for values in every]

    def version_instants(self) -> tuple[datetime, ...]:
        """Return the versions that are timestamps."""
        words = {"first", "last", "all"}
        return tuple(read_stix_time(text) for text in self.versions if text not in words)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What one request for a page asks for.

    Args:
        added_after: exclusive; None from the start.
        matches: the filters.
        limit: how many at most, capped already.
        following: the ``next`` that came with it, unopened.
    """

    added_after: datetime | None
    matches: Matches
    limit: int
    following: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the date of its last object in the view, in microseconds since 1970."""

    date_added: int
    matches: Matches


def read_page_request(
    parameters: Iterable[tuple[str, str]], allowed: Sequence[str] = _LISTS
) -> PageRequest:
    """Read the query of a paged resource (TAXII 2.1 §3.4).

    Args:
        parameters: the query's names and values, decoded, in their order.
        allowed: the ``match`` filters that this resource knows; others are ignored.

    Raises:
        WireFormatError: ``E_SCHEMA`` that names the parameter.
    """
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        given.setdefault(name, []).append(value)
    added_after = _single(given, "added_after")
    return PageRequest(
        added_after=None if added_after is None else _read_instant(added_after),
        matches=_read_matches(given, allowed),
        limit=_read_limit(_single(given, "limit")),
        following=_single(given, "next"),
    )


def read_matches_alone(parameters: Iterable[tuple[str, str]], allowed: Sequence[str]) -> Matches:
    """Read the query of a deletion, which has filters and no pages (TAXII 2.1 §5.7).

    Raises:
        WireFormatError: ``E_SCHEMA`` also for what pages have: whoever sends ``added_after`` does
            not mean to delete what was added before.
    """
    given = list(parameters)
    for name, _ in given:
        if name in {"added_after", "limit", "next"}:
            raise WireFormatError("E_SCHEMA", f"{name} means nothing in a deletion")
    return read_page_request(given, allowed).matches


def _single(given: dict[str, list[str]], name: str) -> str | None:
    values = given.get(name, [])
    if len(values) > 1:
        raise WireFormatError("E_SCHEMA", f"{name} is given twice")
    return values[0] if values else None


def _read_instant(text: str) -> datetime:
    try:
        return read_stix_time(text)
    except WireFormatError:
        raise WireFormatError(
            "E_SCHEMA", "added_after is no timestamp", "Write it as 2026-03-01T10:00:00.000000Z."
        ) from None


def _read_limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not _LIMIT.fullmatch(text) or int(text) == 0:
        raise WireFormatError("E_SCHEMA", "limit is no positive number")
    return min(int(text), MAX_LIMIT)


def _read_matches(given: dict[str, list[str]], allowed: Sequence[str]) -> Matches:
    lists = {name: _read_list(_single(given, f"match[{name}]"), name) for name in allowed}
    matches = Matches(
        ids=lists.get("id", ()),
        types=lists.get("type", ()),
        versions=lists.get("version", ()),
        spec_versions=lists.get("spec_version", ()),
    )
    try:
        matches.version_instants()
    except WireFormatError:
        raise WireFormatError(
            "E_SCHEMA",
            "match[version] holds something else than first, last, all and timestamps",
        ) from None
    if "all" in matches.versions and len(matches.versions) > 1:
        raise WireFormatError("E_SCHEMA", "match[version]=all stands alone (TAXII 2.1 §3.4.1)")
    return matches


def _read_list(field: str | None, name: str) -> tuple[str, ...]:
    """Read a comma-separated list; sorted and each once, so that equal questions are equal."""
    if field is None:
        return ()
    values = {value.strip() for value in field.split(",")}
    if any(len(value) > _LONGEST_VALUE or not _VALUE.fullmatch(value) for value in values):
        raise WireFormatError("E_SCHEMA", f"match[{name}] holds an empty or unreadable value")
    if len(values) > _MAX_VALUES:
        raise WireFormatError("E_SCHEMA", f"match[{name}] holds over {_MAX_VALUES} values")
    return tuple(sorted(values))


def seal_cursor(cursor: Cursor, *, key: bytes, context: str) -> str:
    """Write a cursor that opens only under this key and in this context."""
    payload = write_json([cursor.date_added, *cursor.matches.to_json()])
    return base64.urlsafe_b64encode(_mac(key, context, payload) + payload).decode().rstrip("=")


def open_cursor(text: str, *, key: bytes, context: str) -> Cursor:
    """Open a cursor.

    Raises:
        WireFormatError: ``E_CURSOR`` for everything that this node did not write for this very
            collection, view, resource and reader; why is not told.
    """
    refused = WireFormatError(
        "E_CURSOR", "next is not of this collection and reader", "Begin again without next."
    )
    if len(text) > _LONGEST_CURSOR:
        raise refused
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise refused from None
    mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, context, payload)):
        raise refused
    # What follows was written by seal_cursor, or the code above would not have matched.
    date_added, *lists = strict_loads(payload)
    return Cursor(int(date_added), Matches(*(tuple(values) for values in lists)))


def resume(request: PageRequest, cursor: Cursor) -> PageRequest:
    """Join a request with the cursor that came with it; the cursor's filters are the page's.

    Raises:
        WireFormatError: ``E_CURSOR`` when the request has other filters than the cursor.
    """
    if request.matches not in {Matches(), cursor.matches}:
        raise WireFormatError(
            "E_CURSOR", "next belongs to other filters", "Begin again without next."
        )
    return replace(request, matches=cursor.matches)


def _mac(key: bytes, context: str, payload: bytes) -> bytes:
    bound = len(context).to_bytes(4, "big") + context.encode() + payload
    return hmac.new(key, bound, hashlib.sha256).digest()[:_MAC_BYTES]
