"""What the references of STIX 2.1 may point at, where the OASIS JSON schemas do not look.

Decides: the type of each ``*_ref`` and ``*_refs`` for which the specification names types by MUST.

Does not: look at relationships, whose ends may be of any type (STIX 2.1 §5.1); look whether what
is referenced exists (``federation/policy/closure.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.stix.objects import META_TYPES, SDO_TYPES

_END = frozenset({"ipv4-addr", "ipv6-addr", "mac-addr", "domain-name"})
_PLACE = frozenset({"identity", "location"})
_ADDRESS = {
    "resolves_to_refs": frozenset({"mac-addr"}),
    "belongs_to_refs": frozenset({"autonomous-system"}),
}

REFERENCES: Mapping[str, Mapping[str, frozenset[str]]] = {
    "directory": {"contains_refs": frozenset({"directory", "file"})},  # STIX 2.1 §6.3
    "domain-name": {  # §6.4
        "resolves_to_refs": frozenset({"domain-name", "ipv4-addr", "ipv6-addr"})
    },
    "email-addr": {"belongs_to_ref": frozenset({"user-account"})},  # §6.5
    "email-message": {  # §6.6
        "from_ref": frozenset({"email-addr"}),
        "sender_ref": frozenset({"email-addr"}),
        "to_refs": frozenset({"email-addr"}),
        "cc_refs": frozenset({"email-addr"}),
        "bcc_refs": frozenset({"email-addr"}),
        "raw_email_ref": frozenset({"artifact"}),
    },
    "file": {  # §6.7
        "parent_directory_ref": frozenset({"directory"}),
        "content_ref": frozenset({"artifact"}),
    },
    "ipv4-addr": _ADDRESS,  # §6.8
    "ipv6-addr": _ADDRESS,  # §6.9
    "network-traffic": {  # §6.12
        "src_ref": _END,
        "dst_ref": _END,
        "src_payload_ref": frozenset({"artifact"}),
        "dst_payload_ref": frozenset({"artifact"}),
        "encapsulates_refs": frozenset({"network-traffic"}),
        "encapsulated_by_ref": frozenset({"network-traffic"}),
    },
    "process": {  # §6.13
        "opened_connection_refs": frozenset({"network-traffic"}),
        "creator_user_ref": frozenset({"user-account"}),
        "image_ref": frozenset({"file"}),
        "parent_ref": frozenset({"process"}),
        "child_refs": frozenset({"process"}),
    },
    "sighting": {  # §5.2
        "observed_data_refs": frozenset({"observed-data"}),
        "where_sighted_refs": _PLACE,
    },
    "windows-registry-key": {"creator_user_ref": frozenset({"user-account"})},  # §6.17
}
"""The types that each reference may have, by the object's type and the property."""

_NEVER_OBSERVED = SDO_TYPES | META_TYPES


def fault_in_references(value: Mapping[str, Any]) -> tuple[str, str] | None:
    """Find a reference to what it may not point at.

    Returns:
        The JSON path and what is wrong there; None when every reference is as it should be.
    """
    for name, allowed in REFERENCES.get(value["type"], {}).items():
        if name not in value:
            continue
        given = value[name]
        listed = given if isinstance(given, list) else [given]
        for place, stix_id in enumerate(listed):
            if str(stix_id).partition("--")[0] not in allowed:
                path = f"$.{name}[{place}]" if isinstance(given, list) else f"$.{name}"
                return path, f"does not name one of {', '.join(sorted(allowed))}"
    return None


def fault_in_observed(refs: list[str]) -> tuple[str, str] | None:
    """Find what ``object_refs`` of observed-data may not hold (STIX 2.1 §4.14).

    They are observables and the relationships between them, with at least one observable; a type
    that we do not know may be a new observable (STIX 2.1 §7.3).
    """
    types = [stix_id.partition("--")[0] for stix_id in refs]
    for place, stix_type in enumerate(types):
        if stix_type in _NEVER_OBSERVED:
            return f"$.object_refs[{place}]", "names neither an observable nor a relationship"
    if all(stix_type in {"relationship", "sighting"} for stix_type in types):
        return "$.object_refs", "names no observable"
    return None
