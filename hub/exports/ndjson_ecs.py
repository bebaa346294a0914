"""Write the list as NDJSON in the Elastic Common Schema, version 8.17.

Invariants:
* a line is one document with ``event.kind: enrichment``, ``event.category: threat`` and
  ``event.type: indicator``, as indicator match rules of Elastic Security ask for;
* ECS has one word for the confidence, the scale of STIX 2.1 appendix A; the number, how many
  independent sources there are, what is matched, and when it ends are under ``tocsin``, since ECS
  has no fields for them and forbids inventing any;
* a prefix with more than one address is no ``threat.indicator.ip``, whose type holds one address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from hub.exports.line_chunks import LINES
from hub.exports.listed_name import ExportContext, ListedName
from hub.exports.written_instants import write_instant
from schemas.dns.names import u_label_of
from schemas.dns.subjects import OF_NAMES
from schemas.strict_json import write_json

ECS_VERSION: Final = "8.17.0"
_EVENT: Final = {
    "kind": "enrichment",
    "category": ["threat"],
    "type": ["indicator"],
    "module": "tocsin",
    "dataset": "tocsin.verdicts",
}


def write_ndjson(listed: Sequence[ListedName], context: ExportContext) -> Iterator[bytes]:
    """Write a document a line."""
    waiting = iter(listed)
    while taken := list(islice(waiting, LINES)):
        yield b"\n".join(write_json(_document(each, context)) for each in taken) + b"\n"


def word_of_confidence(confidence: int) -> str:
    """Say a confidence in the words None, Low, Medium and High (STIX 2.1 appendix A).

    >>> [word_of_confidence(number) for number in (0, 1, 29, 30, 69, 70, 100)]
    ['None', 'Low', 'Low', 'Medium', 'Medium', 'High', 'High']
    """
    if confidence == 0:
        return "None"
    if confidence < 30:  # noqa: PLR2004 - the scale's own numbers
        return "Low"
    return "Medium" if confidence < 70 else "High"  # noqa: PLR2004 - as above


def _document(each: ListedName, context: ExportContext) -> dict[str, Any]:
    indicator: dict[str, Any] = {
        "id": [each.stix_id],
        "name": each.value,
        "confidence": word_of_confidence(each.confidence),
        "first_seen": write_instant(each.since),
        "marking": {"tlp": each.label.wire.upper(), "tlp_version": "2.0"},
        "provider": context.node_name,
    } | _observable(each)
    return {
        "@timestamp": write_instant(each.since),
        "ecs": {"version": ECS_VERSION},
        "event": _EVENT,
        "tags": list(each.threat_types),
        "threat": {"feed": {"name": f"Tocsin {context.node_name}"}, "indicator": indicator},
        "tocsin": {
            "match_on": each.match_on,
            "match_scope": each.match_scope,
            "confidence": each.confidence,
            "lineages": each.lineages,
            "blocked": each.blocked,
            "valid_until": write_instant(each.ends_at),
        }
        | ({"u_label": u_label_of(each.value)} if "xn--" in each.value else {}),
    }


def _observable(each: ListedName) -> dict[str, Any]:
    if each.match_on in OF_NAMES:
        return {"type": "domain-name", "url": {"domain": each.value}}
    network = ipaddress.ip_network(each.value)
    found: dict[str, Any] = {"type": f"ipv{network.version}-addr"}
    if network.num_addresses == 1:
        found |= {"ip": str(network.network_address), "name": str(network.network_address)}
    return found
