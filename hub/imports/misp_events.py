"""Read events in MISP's core format: the names in them that are meant for detection.

Decides, for each attribute, those of objects included, taken or skipped with a code. A name that
MISP's user did not mark ``to_ids``, deleted, or that a warning list knows, is not a claim.

Invariants:
* nothing is lost: total = taken + skipped, and what has another type is counted by type;
* the strictest TLP of the event's, the object's and the attribute's tags is what is printed; a tag
  ``tlp:`` that is none of the five is AMBER+STRICT (PROTOCOL 3.1);
* only members that are read here are read: galaxies, sightings and links are never followed.

Does not: go through misp-stix. Of an attribute on a name that converter makes a pattern and an id
which this node would take apart again, for the indicators here are its own (DNS 4); and its parser,
stix2, is never on the path of what comes from outside. Tests compare the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.imports.csv_columns import read_comment, read_when
from hub.imports.csv_tables import read_printed
from hub.imports.list_reading import ListReading, NamedLine, Said
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from schemas.strict_json import strict_loads

MAX_EVENT_BYTES: Final = 64 * 1024 * 1024
_NAMES: Final = frozenset({"domain", "hostname"})
_WITH_MORE: Final = frozenset({"domain|ip", "hostname|port"})
"""The name is taken and the address or port is not: it is a fact about the name, no claim on it."""
_URLS: Final = frozenset({"url", "uri", "link"})
_DISTRIBUTION: Final = frozenset({"Payload delivery", "Payload installation"})
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LONGEST_TYPE: Final = 60


@dataclass(frozen=True, slots=True)
class _Around:
    """What an event or object says of all attributes in it."""

    printed: Tlp | None = None
    info: str | None = None
    is_phishing: bool = False


def names_in_misp(data: bytes, reading: ListReading) -> Iterator[NamedLine]:
    """Read the names of one or several events; "lines" are positions of attributes from 1.

    Raises:
        WireFormatError: ``E_JSON_*``, ``E_TOO_BIG``, or ``E_SCHEMA`` when it is no event.
    """
    position = 0
    for event in _events_in(strict_loads(data, max_bytes=MAX_EVENT_BYTES)):
        around = _around(event, _Around(info=_text(event, "info")))
        for holder, told in _holders(event, around):
            for attribute in _listed(holder, "Attribute"):
                position += 1
                if not isinstance(attribute, dict):
                    reading.skip(position, str(attribute), "E_SCHEMA", "no attribute")
                    continue
                taken = _read_attribute(position, attribute, told, reading)
                if taken is not None:
                    yield taken


def _events_in(value: object) -> list[Mapping[str, Any]]:
    """Find the events in what MISP's export, its feed and its search answer look like."""
    if isinstance(value, dict) and isinstance(value.get("response"), list):
        value = value["response"]
    found = value if isinstance(value, list) else [value]
    events = [item.get("Event") if isinstance(item, dict) else None for item in found]
    if not events or not all(isinstance(event, dict) for event in events):
        raise WireFormatError(
            "E_SCHEMA", "no MISP event", 'Give a JSON document with "Event" as MISP exports it.'
        )
    return [event for event in events if isinstance(event, dict)]


def _holders(
    event: Mapping[str, Any], around: _Around
) -> Iterator[tuple[Mapping[str, Any], _Around]]:
    yield event, around
    for holder in _tables(event, "Object"):
        yield holder, _around(holder, around)


def _around(holder: Mapping[str, Any], outer: _Around) -> _Around:
    printed, is_phishing = outer.printed, outer.is_phishing
    for tag in _tables(holder, "Tag"):
        name = (_text(tag, "name") or "").strip().lower()
        if name.startswith("tlp:"):
            printed = max(printed or Tlp.CLEAR, read_printed(name))
        is_phishing = is_phishing or "phishing" in name
    return _Around(printed, outer.info, is_phishing)


def _read_attribute(
    position: int, attribute: Mapping[str, Any], outer: _Around, reading: ListReading
) -> NamedLine | None:
    kind, value = _text(attribute, "type") or "", _text(attribute, "value") or ""
    refused = _why_not(kind, attribute)
    if refused is not None:
        if refused[0] == "E_MISP_TYPE":
            reading.types[kind[:_LONGEST_TYPE] or "none"] += 1
        reading.skip(position, value, *refused)
        return None
    written = value.partition("|")[0].strip() if kind in _WITH_MORE else value.strip()
    name = reading.read(position, value, written)
    if name is None:
        return None
    said = _said(attribute, _around(attribute, outer))
    taken = reading.take(position, value, written, name, said)
    if taken is not None and kind in _WITH_MORE:
        reading.change(position, value, name.a_label)
    return taken


def _why_not(kind: str, attribute: Mapping[str, Any]) -> tuple[str, str] | None:
    if kind in _URLS:
        return "E_NAME_URL", "a URL, not a name"
    if kind not in _NAMES and kind not in _WITH_MORE:
        return "E_MISP_TYPE", f"an attribute of type {kind[:_LONGEST_TYPE]!r} holds no name"
    if attribute.get("deleted") in (True, "1", 1):
        return "E_MISP_DELETED", "deleted in MISP"
    if attribute.get("to_ids") not in (True, "1", 1):
        return "E_MISP_NO_IDS", "MISP's user did not mark it for detection (to_ids)"
    if attribute.get("warnings"):
        return "E_MISP_WARNING", "MISP's warning lists know it"
    return None


def _said(attribute: Mapping[str, Any], told: _Around) -> Said:
    category = _text(attribute, "category")
    threat = "malware-distribution" if category in _DISTRIBUTION else None
    uuid = _text(attribute, "uuid") or ""
    comment = _text(attribute, "comment") or told.info
    return Said(
        threat_type="phishing" if told.is_phishing else threat,
        first_seen=_when(attribute.get("first_seen")) or _when(attribute.get("timestamp")),
        comment=read_comment(comment) if comment else None,
        printed=told.printed,
        # A bare UUID: with its type it would be a reference to what nobody here has.
        reference=("misp", uuid.lower()) if _UUID.fullmatch(uuid) else None,
    )


def _when(value: object) -> datetime | None:
    try:
        return read_when(str(value)) if isinstance(value, str | int) else None
    except WireFormatError:
        return None  # a date that cannot be read says nothing of the name


def _text(holder: Mapping[str, Any], member: str) -> str | None:
    value = holder.get(member)
    return value if isinstance(value, str) else None


def _listed(holder: Mapping[str, Any], member: str) -> list[Any]:
    value = holder.get(member)
    return value if isinstance(value, list) else []


def _tables(holder: Mapping[str, Any], member: str) -> list[Mapping[str, Any]]:
    return [item for item in _listed(holder, member) if isinstance(item, dict)]
