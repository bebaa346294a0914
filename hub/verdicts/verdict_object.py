"""Write a verdict as the indicator that every importer understands (DNS 4).

Decides its form and its id. Invariants:
* the id follows from the node, the label and the subject alone, so that it says nothing of origins;
  after a revocation, which is for ever in STIX, the next one has an id of its own;
* what it matches on is said, where that is not a name in a query (DNS 1);
* no origin is named in it, whatever its policy on attribution says (PROTOCOL 3.6);
* it always ends, at most seven days ahead and never after the last claim: if this hub dies, what
  it said ages out (PROTOCOL 4.8).

What it does not do: decide when it is issued (``publish_verdicts``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from hub.storage.queries.verdicts import VerdictRow
from schemas.dns.extensions import DNS_THREAT
from schemas.dns.names import read_name, registrable_domain
from schemas.dns.subjects import OF_NAMES, QNAME, Subject, read_subject_key
from schemas.identifiers import NodeId, StixId, node_namespace, uuid5_text
from schemas.markings import Tlp
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import write_wire_time

_INDICATOR_TYPES = {"sinkhole": "compromised", "dangling-delegation": "anomalous-activity"}


def verdict_id(node_id: NodeId, name: str, label: int, generation: int = 1) -> StixId:
    """Derive the id of the verdict on a name at a label.

    Args:
        name: the key of the subject, so that a name server and its name have two.
    """
    key = f"verdict:{Tlp(label).wire}:{name}"
    if generation > 1:
        key += f":{generation}"
    return StixId(f"indicator--{uuid5_text(node_namespace(node_id), key)}")


def write_verdict(row: VerdictRow, stix_id: StixId, identity: StixId) -> bytes:
    """Write the indicator of a verdict that is published.

    Args:
        stix_id: of ``verdict_id``.
        identity: this node's.
    """
    shared = _shared(
        identity, row.label, row.created_at, row.issued_at, row.valid_until or row.issued_at,
        row.confidence, row.lineages, row.threat_type, row.threat_types,
    )  # fmt: skip
    subject = read_subject_key(row.name)
    value: dict[str, Any] = {
        **shared,
        "id": stix_id,
        "name": _value(subject),
        "pattern": _pattern(subject),
    }
    # Without a threat type there is no extension (DNS 1), and so nothing but names in queries:
    # no claim on another subject lacks one.
    if row.threat_type is not None:
        value["extensions"] = {DNS_THREAT: _facts(row, subject)}
    return write_json(value)


@lru_cache(maxsize=64)
def _shared(
    identity: StixId,
    label: int,
    created_at: datetime,
    issued_at: datetime,
    valid_until: datetime,
    confidence: int,
    lineages: int,
    threat_type: str | None,
    threat_types: tuple[str, ...],
) -> Mapping[str, Any]:
    """Write what verdicts that are issued together mostly have in common."""
    created = write_wire_time(created_at)
    what = ", ".join(threat_types) or "malicious"
    count = f"{lineages} independent " + ("source" if lineages == 1 else "sources")
    value: dict[str, Any] = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": "",
        "created_by_ref": identity,
        "created": created,
        "modified": write_wire_time(issued_at),
        "name": "",
        "description": f"Verdict of this hub: listed as {what} by {count}.",
        "indicator_types": [_INDICATOR_TYPES.get(threat_type or "", "malicious-activity")],
        "pattern": "",
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": created,
        # What is published ends; a row without an end is none.
        "valid_until": write_wire_time(valid_until),
        "confidence": confidence,
        "object_marking_refs": [Tlp(label).marking_id],
    }
    if threat_types:
        value["labels"] = list(threat_types)
    return value


def _pattern(subject: Subject) -> str:
    """Write the pattern that every importer understands.

    Claims are on subjects that were read: no quote and no backslash, nothing to escape.
    """
    if subject.match_on in OF_NAMES:
        return f"[domain-name:value = '{subject.value}']"
    version = ipaddress.ip_network(subject.value).version
    return f"[ipv{version}-addr:value = '{_value(subject)}']"


def _value(subject: Subject) -> str:
    """Write a name, or an address; with its prefix length where it is more than one."""
    if subject.match_on in OF_NAMES:
        return subject.value
    network = ipaddress.ip_network(subject.value)
    one = network.prefixlen == network.max_prefixlen
    return str(network.network_address if one else network)


def write_revoked(content: bytes, at: datetime) -> bytes:
    """Write the last version of a verdict: the same, and revoked."""
    value: Mapping[str, Any] = strict_loads(content)
    return write_json({**value, "modified": write_wire_time(at), "revoked": True})


def _facts(row: VerdictRow, subject: Subject) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "extension_type": "property-extension",
        "threat_type": row.threat_type,
        "match_scope": row.match_scope,
    }
    if subject.match_on != QNAME:
        facts["match_on"] = subject.match_on
    if subject.match_on not in OF_NAMES:
        return facts
    name = subject.value
    facts["tld"] = name.rpartition(".")[2]
    registrable = registrable_domain(name)
    if registrable is not None:
        facts["registrable_domain"] = registrable
    if "xn--" in name:
        shown = read_name(name).u_label
        if shown != name:
            facts["u_label"] = shown
    return facts
