"""Write the list as a MISP feed: ``manifest.json``, ``hashes.csv`` and an event a file.

An event holds the names of one threat type at one label, so that each event has one TLP tag and
importers have one at the level where they look. Where they are many, an event is split by a hash of
the value, so that a name stays where it was.

Invariants:
* uuids follow from the node, the audience, the label, the threat type and the value alone: the next
  edition updates the same events and attributes;
* ``to_ids`` is set where this hub blocks; what is only believed is there to be looked at;
* ``timestamp`` of an event is when the list last changed, never the time of writing; MISP fetches
  an event again when that has grown.

What it does not do: delete. MISP keeps the attributes of an event that a feed no longer lists;
``last_seen`` says until when each was believed. A CSV feed with delta merge is exact
(``docs/siem/misp.md``).
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.exports.line_chunks import join_items, write_lines
from hub.exports.listed_name import ExportContext, ListedName
from hub.exports.plain_words import threat_word
from hub.exports.written_instants import write_instant
from schemas.dns.names import registrable_domain
from schemas.dns.subjects import OF_NAMES
from schemas.identifiers import NodeId, node_namespace, uuid5_text
from schemas.markings import Tlp
from schemas.strict_json import write_json

MANIFEST: Final = "manifest.json"
HASHES: Final = "hashes.csv"
NAMES_AN_EVENT: Final = 20_000
"""About 10 MB of JSON; more than that MISP takes long to read."""
_ANALYSIS_COMPLETED: Final = "2"
_THREAT_LEVEL_MEDIUM: Final = "2"
_COLOURS: Final = {
    Tlp.CLEAR: "#ffffff",
    Tlp.GREEN: "#33ff00",
    Tlp.AMBER: "#ffc000",
    Tlp.AMBER_STRICT: "#ffc000",
    Tlp.RED: "#ff2b2b",
}
_TYPE_COLOUR: Final = "#5b6770"


@dataclass(frozen=True, slots=True)
class _Event:
    """An event: what it is about, its uuid, and what it holds."""

    label: Tlp
    threat: str
    part: int
    of: int
    uuid: str
    listed: Sequence[ListedName]


def write_misp(
    listed: Sequence[ListedName], context: ExportContext
) -> Mapping[str, Iterable[bytes]]:
    """Write the whole feed; the manifest last, since it names the others."""
    events = list(_events(listed, context))
    files: dict[str, Iterable[bytes]] = {
        f"{event.uuid}.json": _event_file(event, context) for event in events
    }
    files[HASHES] = write_lines(
        f"{_md5(_value(each))},{event.uuid}" for event in events for each in event.listed
    )
    files[MANIFEST] = [
        write_json({event.uuid: _manifest_entry(event, context) for event in events})
    ]
    return files


def _events(listed: Sequence[ListedName], context: ExportContext) -> Iterator[_Event]:
    groups: dict[tuple[Tlp, str], list[ListedName]] = {}
    for each in listed:
        groups.setdefault((each.label, threat_word(each)), []).append(each)
    for label, threat in sorted(groups):
        found = groups[label, threat]
        parts = 1 << max(0, (len(found) - 1) // NAMES_AN_EVENT).bit_length()
        split: list[list[ListedName]] = [[] for _ in range(parts)]
        for each in found:
            split[_place(each.value, parts)].append(each)
        for part, members in enumerate(split):
            if members:
                key = f"misp:{context.audience}:{label.wire}:{threat}:{part}:{parts}"
                uuid = _uuid(context, key)
                yield _Event(label, threat, part + 1, parts, uuid, members)


def _place(value: str, parts: int) -> int:
    if parts == 1:
        return 0
    return int.from_bytes(hashlib.sha256(value.encode()).digest()[:4], "big") % parts


def _event_file(event: _Event, context: ExportContext) -> Iterator[bytes]:
    at = str(int(context.changed_at.timestamp()))
    head = write_json(
        _manifest_entry(event, context)
        | {
            "uuid": event.uuid,
            "timestamp": at,
            "publish_timestamp": at,
            "published": True,
            "extends_uuid": "",
        }
    )
    yield b'{"Event":' + head[:-1] + b',"Attribute":['
    yield from join_items(
        (write_json(_attribute(each, event, context)) for each in event.listed), b","
    )
    yield b"]}}\n"


def _manifest_entry(event: _Event, context: ExportContext) -> dict[str, Any]:
    part = f" ({event.part} of {event.of})" if event.of > 1 else ""
    return {
        "Orgc": {"name": context.node_name, "uuid": context.identity.partition("--")[2]},
        "Tag": [
            {"name": f"tlp:{event.label.wire}", "colour": _COLOURS[event.label]},
            {"name": f'tocsin:threat-type="{event.threat}"', "colour": _TYPE_COLOUR},
        ],
        "info": f"Tocsin verdicts of {context.node_name}: {event.threat}{part}",
        "date": min(each.since for each in event.listed).date().isoformat(),
        "analysis": _ANALYSIS_COMPLETED,
        "threat_level_id": _THREAT_LEVEL_MEDIUM,
        "timestamp": int(context.changed_at.timestamp()),
    }


def _attribute(each: ListedName, event: _Event, context: ExportContext) -> dict[str, Any]:
    key = f"misp-attribute:{context.audience}:{event.label.wire}:{each.match_on}:{each.value}"
    return {
        "uuid": _uuid(context, key),
        "type": _type(each),
        "category": "Network activity",
        "value": _value(each),
        "to_ids": each.blocked,
        "comment": _comment(each),
        "timestamp": str(int(each.since.timestamp())),
        "first_seen": write_instant(each.since),
        "last_seen": write_instant(each.ends_at),
        "disable_correlation": False,
        "deleted": False,
    }


def _type(each: ListedName) -> str:
    if each.match_on not in OF_NAMES:
        return "ip-dst"
    whole = each.match_on != "nsdname" and registrable_domain(each.value) == each.value
    return "domain" if whole else "hostname"


def _value(each: ListedName) -> str:
    if each.match_on in OF_NAMES:
        return each.value
    network = ipaddress.ip_network(each.value)
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _comment(each: ListedName) -> str:
    sources = "1 source" if each.lineages == 1 else f"{each.lineages} independent sources"
    return (
        f"confidence {each.confidence}, {sources}, match_on {each.match_on}, "
        f"match_scope {each.match_scope}"
    )


def _uuid(context: ExportContext, key: str) -> str:
    return uuid5_text(node_namespace(NodeId(context.node_id)), key)


def _md5(value: str) -> str:
    return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()
