"""What an input says of one name beyond the name, written into its indicator (DNS 1, 4).

Decides the members of an indicator that follow from the input's own words: threat type, family,
confidence, dates, comment, scope, what is matched on, the printed label.

Does not: check dates against a clock; the readers of formats do, or say nothing.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from typing import Any, Final

from hub.imports.list_reading import Said
from schemas.dns.extensions import DNS_THREAT
from schemas.dns.subjects import OF_ADDRESSES
from schemas.timestamps import read_stix_time, write_wire_time

_INDICATOR_TYPES: Final = {
    "sinkhole": "compromised",
    "dangling-delegation": "anomalous-activity",
}
"""Who asks for a sinkholed name is infected already (STIX 2.1 §10.8); else malicious activity."""


def indicator_type(threat_type: str) -> str:
    """Name the indicator type of a threat type."""
    return _INDICATOR_TYPES.get(threat_type, "malicious-activity")


def say_facts(value: dict[str, Any], said: Said, *, describes: bool) -> None:
    """Write what the input says into an indicator made from its name.

    Args:
        value: the indicator as it is made where the input says nothing; changed in place.
        describes: a description may be made from the facts, for nobody gave one.
    """
    facts = value["extensions"][DNS_THREAT]
    if said.threat_type is not None and said.threat_type != facts["threat_type"]:
        value["labels"][0] = facts["threat_type"] = said.threat_type
        value["indicator_types"] = [indicator_type(said.threat_type)]
        if describes:
            value["description"] = f"Domain name listed as {said.threat_type}."
    if said.family is not None and said.family not in value["labels"]:
        value["labels"].append(said.family)
    if said.confidence is not None:
        value["confidence"] = said.confidence
    if said.comment is not None and describes:
        value["description"] = said.comment
    if said.match_scope is not None:
        facts["match_scope"] = said.match_scope
    if said.match_on is not None:
        facts["match_on"] = said.match_on
    if said.match_on in OF_ADDRESSES:
        _name_address(value, facts)
    if said.printed is not None:
        value["object_marking_refs"] = [said.printed.marking_id]
    if said.reference is not None:
        source, external_id = said.reference
        value["external_references"] = [{"source_name": source, "external_id": external_id}]
    _say_dates(value, said)


def _say_dates(value: dict[str, Any], said: Said) -> None:
    if said.valid_until is not None:
        value["valid_until"] = write_wire_time(said.valid_until)
    if said.first_seen is not None and said.first_seen < read_stix_time(value["valid_until"]):
        value["valid_from"] = write_wire_time(said.first_seen)
    elif read_stix_time(value["valid_from"]) >= read_stix_time(value["valid_until"]):
        # It ends within the millisecond in which it begins: STIX asks for an interval.
        ends = read_stix_time(value["valid_from"]) + timedelta(milliseconds=1)
        value["valid_until"] = write_wire_time(_later(ends, value["valid_until"]))


def _later(at: datetime, written: str) -> datetime:
    return max(at, read_stix_time(written))


def _name_address(value: dict[str, Any], facts: dict[str, Any]) -> None:
    network = ipaddress.ip_network(value["name"])
    is_host = network.prefixlen == network.max_prefixlen
    shown = str(network.network_address) if is_host else str(network)
    value["name"] = shown
    value["pattern"] = f"[ipv{network.version}-addr:value = '{shown}']"
    value["description"] = value["description"].replace("Domain name", "Address", 1)
    for member in ("tld", "registrable_domain", "u_label"):
        facts.pop(member, None)
