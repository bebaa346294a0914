"""Write a verdict as the indicator that every importer understands (DNS 4).

Decides its form and its id. Invariants:
* the id follows from the node, the label and the name alone, so that it says nothing of origins;
  after a revocation, which is for ever in STIX, the next one has an id of its own;
* no origin is named in it, whatever its policy on attribution says (PROTOCOL 3.6);
* it always ends, at most seven days ahead and never after the last claim: if this hub dies, what
  it said ages out (PROTOCOL 4.8).

What it does not do: decide when it is issued (``publish_verdicts``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.storage.queries.verdicts import VerdictRow
from schemas.dns.extensions import DNS_THREAT
from schemas.dns.names import read_name, registrable_domain
from schemas.identifiers import NodeId, StixId, node_namespace, uuid5_text
from schemas.markings import Tlp
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import write_wire_time

_INDICATOR_TYPES = {"sinkhole": "compromised", "dangling-delegation": "anomalous-activity"}


def verdict_id(node_id: NodeId, name: str, label: int, generation: int = 1) -> StixId:
    """Derive the id of the verdict on a name at a label."""
    key = f"verdict:{Tlp(label).wire}:{name}"
    if generation > 1:
        key += f":{generation}"
    return StixId(f"indicator--{uuid5_text(node_namespace(node_id), key)}")


def write_verdict(row: VerdictRow, node_id: NodeId, identity: StixId) -> bytes:
    """Write the indicator of a verdict that is published."""
    tlp = Tlp(row.label)
    created, modified = write_wire_time(row.created_at), write_wire_time(row.issued_at)
    value: dict[str, Any] = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": verdict_id(node_id, row.name, row.label, row.generation),
        "created_by_ref": identity,
        "created": created,
        "modified": modified,
        "name": row.name,
        "description": _description(row),
        "indicator_types": [_INDICATOR_TYPES.get(row.threat_type or "", "malicious-activity")],
        # Claims are on names that were read: neither quotes nor backslashes, nothing to escape.
        "pattern": f"[domain-name:value = '{row.name}']",
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": created,
        # What is published ends; a row without an end is none.
        "valid_until": write_wire_time(row.valid_until or row.issued_at),
        "confidence": row.confidence,
        "object_marking_refs": [tlp.marking_id],
    }
    if row.threat_types:
        value["labels"] = list(row.threat_types)
    if row.threat_type is not None:
        value["extensions"] = {DNS_THREAT: _facts(row)}
    return write_json(value)


def write_revoked(content: bytes, at: datetime) -> bytes:
    """Write the last version of a verdict: the same, and revoked."""
    value: Mapping[str, Any] = strict_loads(content)
    return write_json({**value, "modified": write_wire_time(at), "revoked": True})


def _description(row: VerdictRow) -> str:
    what = ", ".join(row.threat_types) or "malicious"
    count = f"{row.lineages} independent " + ("source" if row.lineages == 1 else "sources")
    return f"Verdict of this hub: listed as {what} by {count}."


def _facts(row: VerdictRow) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "extension_type": "property-extension",
        "threat_type": row.threat_type,
        "match_scope": row.match_scope,
        "tld": row.name.rpartition(".")[2],
    }
    registrable = registrable_domain(row.name)
    if registrable is not None:
        facts["registrable_domain"] = registrable
    if "xn--" in row.name:
        shown = read_name(row.name).u_label
        if shown != row.name:
            facts["u_label"] = shown
    return facts
