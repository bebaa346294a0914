"""The objects of a hijack claim: incident, rogue name servers, what was seen, and their ties.

They stand together in one entry, in a grouping (DNS 1), as ``stix/cctld_hijack.json`` does.

Invariants:
* an indicator stands on a rogue name server alone, never on the victim's zone or below it;
* every indicator has ``name``, ``pattern`` in the one form that every importer reads, and an end;
* a removed DS is said by ``change_kinds``: an empty list is invalid in STIX;
* observables have the ids of their values, and what is known of them is an extension beside.

What it does not do: decide which name servers may be named (``report``), or publish.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hub.imports.drafts import Draft
from schemas.dns.delegations import DelegationChange
from schemas.dns.extensions import DNS_DELEGATION_CHANGE, DNS_RECORDS, DNS_THREAT, dns_threat
from schemas.identifiers import NodeId, StixId, own_stix_id
from schemas.stix.sco_ids import deterministic_sco_id
from schemas.timestamps import write_wire_time

HIJACK: Final = "delegation-hijack"
VALID_FOR: Final = timedelta(days=90)
REQUESTED: Final = ("check-own-zones", "block-nsdname")


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes the objects, and when.

    Args:
        new_idn: gives a name of at least 12 random characters at each call (PROTOCOL 2.4).
    """

    node_id: NodeId
    identity: StixId
    now: datetime
    new_idn: Callable[[], str]

    def draft(self, stix_type: str, members: Mapping[str, Any]) -> Draft:
        """Make an object of this author's own."""
        at, idn = write_wire_time(self.now), self.new_idn()
        value = {
            "type": stix_type,
            "spec_version": "2.1",
            "id": own_stix_id(self.node_id, stix_type, idn),
            "created_by_ref": self.identity,
            "created": at,
            "modified": at,
            **members,
        }
        return Draft(value, idn)


def write_change(change: DelegationChange) -> dict[str, Any]:
    """Write the extension of an incident; what is empty is left out."""
    labels = change.zone.split(".")
    registrar = {"name": change.registrar, "iana_id": change.registrar_id}
    members: dict[str, Any] = {
        "extension_type": "property-extension",
        "zone": change.zone,
        "change_kinds": list(change.change_kinds),
        "registry_tld": labels[-1] if len(labels) > 1 else None,
        "old_ns": [f"{name}." for name in change.old_ns],
        "new_ns": [f"{name}." for name in change.new_ns],
        "old_ds": list(change.old_ds),
        "new_ds": list(change.new_ds),
        "vector": change.vector,
        "registrar": {key: value for key, value in registrar.items() if value},
        **{
            name: None if (at := getattr(change, name)) is None else write_wire_time(at)
            for name in ("changed_at", "detected_at", "reverted_at")
        },
    }
    known = {name: value for name, value in members.items() if value not in (None, [], {})}
    return known | {"authorised": change.authorised}


def hijack_drafts(
    author: Author,
    change: DelegationChange,
    *,
    rogue: Sequence[str],
    addresses: Sequence[str],
    confidence: int,
) -> list[Draft]:
    """Make the objects of a claim, the incident first.

    Args:
        change: what was changed; ``detected_at`` is when it was seen.
        rogue: the name servers that become indicators.
        addresses: of the rogue name servers, IPv4 or IPv6.
        confidence: 0 to 100.
    """
    incident = author.draft(
        "incident",
        {
            "name": f"Unauthorised redelegation of {change.zone}",
            "description": _described(change),
            "confidence": confidence,
            "labels": [HIJACK],
            "extensions": {DNS_DELEGATION_CHANGE: write_change(change)},
        },
    )
    begins = change.changed_at or author.now
    hosts = [_observable(_address_type(text), text) for text in addresses]
    refs = [host.value["id"] for host in hosts]
    servers = [
        _observable("domain-name", name, **({"resolves_to_refs": refs} if refs else {}))
        for name in change.rogue_ns
    ]
    seen = [_observable("domain-name", change.zone, **_records(change)), *servers, *hosts]
    observed = author.draft(
        "observed-data",
        {
            "first_observed": write_wire_time(min(begins, author.now)),
            "last_observed": write_wire_time(author.now),
            "number_observed": 1,
            "object_refs": [draft.value["id"] for draft in seen],
        },
    )
    drafts = [incident, *seen, observed]
    if not servers:
        return drafts  # keys alone were changed: there is no name server to tie to it
    indicators = [rogue_indicator(author, change, name, begins, confidence) for name in rogue]
    infrastructure = author.draft(
        "infrastructure",
        {
            "name": "Rogue name servers",
            "description": f"Name servers that the delegation of {change.zone} was moved to",
            "infrastructure_types": ["unknown"],
            "first_seen": write_wire_time(begins),
        },
    )
    ties = [
        *((each, "indicates", infrastructure) for each in indicators),
        (incident, "related-to", infrastructure),
        *((infrastructure, "consists-of", each) for each in servers),
    ]
    return [*drafts, infrastructure, *indicators, *(_tie(author, *each) for each in ties)]


def without(drafts: Sequence[Draft], left_out: frozenset[str]) -> list[Draft]:
    """Leave objects out, with what only says something of them."""
    kept = []
    for draft in drafts:
        value = draft.value
        if value["id"] in left_out:
            continue
        if not left_out.isdisjoint((value.get("source_ref"), value.get("target_ref"))):
            continue
        for member in ("object_refs", "resolves_to_refs"):
            if left_out.intersection(value.get(member, ())):
                value = value | {member: [r for r in value[member] if r not in left_out]}
                if not value[member]:
                    value = {name: each for name, each in value.items() if name != member}
        if value["type"] == "observed-data" and "object_refs" not in value:
            continue
        kept.append(Draft(value, draft.idn_name))
    return kept


def _described(change: DelegationChange) -> str:
    words = {
        "ns-replaced": "the name servers were replaced",
        "ns-added": "name servers were added",
        "ds-removed": "the DS records were removed",
        "ds-replaced": "the DS records were replaced",
    }
    said = [words.get(kind, kind) for kind in change.change_kinds]
    return f"{change.zone}: {', '.join(said)}."


def rogue_indicator(
    author: Author, change: DelegationChange, name: str, begins: datetime, confidence: int
) -> Draft:
    """Make the indicator of one rogue name server."""
    return author.draft(
        "indicator",
        {
            "name": name,
            "description": f"Rogue name server of the hijacked delegation of {change.zone}.",
            "indicator_types": ["malicious-activity"],
            # A read name holds neither quotes nor backslashes: nothing to escape.
            "pattern": f"[domain-name:value = '{name}']",
            "pattern_type": "stix",
            "pattern_version": "2.1",
            "valid_from": write_wire_time(begins),
            "valid_until": write_wire_time(author.now + VALID_FOR),
            "confidence": confidence,
            "labels": [HIJACK],
            "extensions": {
                DNS_THREAT: dns_threat(
                    HIJACK, "exact", match_on="nsdname", requested_actions=REQUESTED
                )
            },
        },
    )


def _records(change: DelegationChange) -> dict[str, Any]:
    """Write what the parent says now and said before, as far as it was given."""
    records = [
        {"rrtype": rrtype, "rdata": rdata, "vantage": "parent"}
        for rrtype, rdata in (
            ("NS", [f"{name}." for name in change.new_ns]),
            ("DS", list(change.new_ds)),
        )
        if rdata
    ]
    if not records:
        return {}
    extension = {"extension_type": "property-extension", "records": records}
    return {"extensions": {DNS_RECORDS: extension}}


def _observable(stix_type: str, text: str, **members: Any) -> Draft:
    value = {"type": stix_type, "spec_version": "2.1", "value": text, **members}
    return Draft({"id": deterministic_sco_id(value), **value})


def _address_type(text: str) -> str:
    return f"ipv{ipaddress.ip_address(text).version}-addr"


def _tie(author: Author, begins: Draft, word: str, ends: Draft) -> Draft:
    return author.draft(
        "relationship",
        {
            "relationship_type": word,
            "source_ref": begins.value["id"],
            "target_ref": ends.value["id"],
        },
    )
