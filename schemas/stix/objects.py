"""What kinds of STIX 2.1 objects there are, and which version an object is.

>>> version_of({"type": "indicator", "created": "2026-01-01T00:00:00.000Z"})
'2026-01-01T00:00:00.000Z'
"""

from __future__ import annotations

from collections.abc import Mapping

SDO_TYPES = frozenset(
    {
        "attack-pattern",
        "campaign",
        "course-of-action",
        "grouping",
        "identity",
        "incident",
        "indicator",
        "infrastructure",
        "intrusion-set",
        "location",
        "malware",
        "malware-analysis",
        "note",
        "observed-data",
        "opinion",
        "report",
        "threat-actor",
        "tool",
        "vulnerability",
    }
)
"""STIX Domain Objects (STIX 2.1 §4)."""
SRO_TYPES = frozenset({"relationship", "sighting"})
"""STIX Relationship Objects (STIX 2.1 §5)."""
SCO_TYPES = frozenset(
    {
        "artifact",
        "autonomous-system",
        "directory",
        "domain-name",
        "email-addr",
        "email-message",
        "file",
        "ipv4-addr",
        "ipv6-addr",
        "mac-addr",
        "mutex",
        "network-traffic",
        "process",
        "software",
        "url",
        "user-account",
        "windows-registry-key",
        "x509-certificate",
    }
)
"""STIX Cyber-observable Objects (STIX 2.1 §6): unversioned, shared facts without an owner."""
META_TYPES = frozenset({"extension-definition", "language-content", "marking-definition"})
"""STIX Meta Objects (STIX 2.1 §7)."""
KNOWN_TYPES = SDO_TYPES | SRO_TYPES | SCO_TYPES | META_TYPES


def version_of(value: Mapping[str, object]) -> str:
    """Name an object's version: ``modified``, else ``created``, else nothing (TAXII 2.1 §3.4.1).

    A cyber-observable or a marking-definition has no ``modified``; TAXII then takes ``created``.
    """
    for key in ("modified", "created"):
        at = value.get(key)
        if isinstance(at, str):
            return at
    return ""
