"""The MUSTs of STIX 2.1 that the OASIS JSON schemas let through (LIBRARIES, last paragraphs).

Decides: id and type agree; dates exist and are in order; references point at what they may;
lists are not empty; integers are integers; patterns parse; our own extensions are well-formed.

Does not: repeat what the schemas check. ``validation.check_object`` runs both, in the order
identity, schema, musts; ``check_musts`` relies on the types that the schema has established,
except for objects of unknown types, of which it reads the common properties alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import orjson

from schemas.dns.extensions import EXTENSION_IDS, check_extension
from schemas.errors import WireFormatError
from schemas.identifiers import is_stix_id
from schemas.stix.objects import KNOWN_TYPES, SCO_TYPES, SRO_TYPES
from schemas.stix.patterns import check_pattern
from schemas.stix.references import fault_in_observed, fault_in_references
from schemas.timestamps import read_stix_time

_INSTANTS = frozenset(
    {
        "account_created", "account_expires", "account_first_login", "account_last_login",
        "analysis_ended", "analysis_started", "atime", "created", "created_time",
        "credential_last_changed", "ctime", "date", "end", "first_observed", "first_seen",
        "last_observed", "last_seen", "modified", "modified_time", "mtime", "object_modified",
        "published", "start", "start_time", "stop_time", "submitted", "valid_from",
        "valid_until", "validity_not_after", "validity_not_before",
    }
)  # fmt: skip
"""Every property that the specification types as a timestamp."""
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_INTEGERS = ("confidence", "count", "number_observed")


def check_identity(value: Mapping[str, Any]) -> str:
    """Check ``type``, ``id`` and ``spec_version`` and return the type.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    stix_type = value.get("type")
    stix_id = value.get("id")
    if not isinstance(stix_type, str):
        _reject("$.type", "missing or not a string")
    # Upper-case digits in a UUID would be a second spelling of one id, so a second owner of it.
    if not isinstance(stix_id, str) or not is_stix_id(stix_id):
        _reject("$.id", "not type--uuid in lower case (STIX 2.1 §2.9)")
    if not stix_id.startswith(f"{stix_type}--"):
        _reject("$.id", "its type is not the object's type")
    if stix_type == "bundle":
        _reject("$.type", "a bundle carries objects and is none itself")
    version = value.get("spec_version")
    # Absent for a cyber-observable means 2.1 (STIX 2.1 §3.2); `created` marks all others.
    may_be_absent = stix_type in SCO_TYPES or (
        stix_type not in KNOWN_TYPES and "created" not in value
    )
    if version != "2.1" and not (version is None and "spec_version" not in value and may_be_absent):
        _reject("$.spec_version", "is not 2.1")
    return stix_type


def check_musts(value: Mapping[str, Any]) -> None:
    """Check what the schemas let through.

    Args:
        value: passed ``check_identity`` and its schema.

    Raises:
        WireFormatError: ``E_SCHEMA``; the detail names the JSON path.
    """
    stix_type = value["type"]
    # (1) Dates that exist.
    holders = _check_instants(value, known=stix_type in KNOWN_TYPES)
    # (2) `modified` not before `created` (STIX 2.1 §3.2).
    if "modified" in value and value["modified"] != value.get("created"):
        _in_order(value, "created", "modified")
    # (3) Integers: 85.0 passes JSON Schema, and a fraction's spelling differs between readers.
    for name in _INTEGERS:
        if value.get(name).__class__ is float:
            _reject(f"$.{name}", "an integer written with a fraction")
    # (4) References to what they may point at.
    _check_common_references(value)
    fault = fault_in_references(value)
    if fault is not None:
        _reject(*fault)
    # (5) No empty list at any depth (STIX 2.1 §2.10), extensions included (DNS 1). Of a type that
    # we do not know, only the common properties are ours to judge.
    for name, item in holders if _may_hold_empty_list(value) else ():
        if _holds_empty_list(item):
            _reject(f"$.{name}", "an empty list; leave the property out")
    # (6) Rules of single types.
    rule = _RULES.get(stix_type)
    if rule is not None:
        rule(value)
    # (7) A language that is one in form (STIX 2.1 §3.2, RFC 5646 §2.1).
    lang = value.get("lang")
    if lang is not None and not _LANGUAGE.fullmatch(str(lang)):
        _reject("$.lang", "is no language tag")
    # (8) The extensions that are ours.
    extensions = value.get("extensions")
    if extensions:
        for name in EXTENSION_IDS.intersection(extensions):
            check_extension(name, extensions[name])


def _reject(path: str, what: str) -> NoReturn:
    raise WireFormatError("E_SCHEMA", f"{path}: {what}")


def _check_instants(value: Mapping[str, Any], *, known: bool) -> list[tuple[str, Any]]:
    """Check dates, and name on the same way the properties that could hold an empty list."""
    if not known:
        # Only the two common ones are surely timestamps there.
        for name in ("created", "modified"):
            if isinstance(value.get(name), str):
                _check_instant(name, value[name])
        return []
    holders = []
    for name, item in value.items():
        kind = item.__class__
        if kind is str:
            if name in _INSTANTS:
                _check_instant(name, item)
        elif kind is list or kind is dict:
            holders.append((name, item))
    return holders


def _check_instant(name: str, text: str) -> None:
    try:
        read_stix_time(text)
    except WireFormatError as error:
        _reject(f"$.{name}", error.detail)


def _in_order(value: Mapping[str, Any], first: str, last: str, *, strictly: bool = False) -> None:
    if first not in value or last not in value:
        return
    # A cyber-observable may carry any custom value under these names.
    if not isinstance(value[first], str) or not isinstance(value[last], str):
        _reject(f"$.{last}", "is not a timestamp")
    begin, end = read_stix_time(value[first]), read_stix_time(value[last])
    if end < begin or (strictly and end == begin):
        _reject(f"$.{last}", f"{'not after' if strictly else 'before'} {first}")


def _check_common_references(value: Mapping[str, Any]) -> None:
    author = value.get("created_by_ref")
    if author is not None and not str(author).startswith("identity--"):
        _reject("$.created_by_ref", "does not name an identity")
    for position, marking in enumerate(value.get("object_marking_refs", ())):
        if not marking.startswith("marking-definition--"):
            _reject(f"$.object_marking_refs[{position}]", "does not name a marking-definition")
        if marking == value["id"]:  # STIX 2.1 §3.2: no marking marks itself
            _reject(f"$.object_marking_refs[{position}]", "names the object itself")
    for position, granular in enumerate(value.get("granular_markings", ())):
        if granular.get("marking_ref") == value["id"]:
            _reject(f"$.granular_markings[{position}].marking_ref", "names the object itself")
        for selector in granular["selectors"]:
            if not _selects(value, selector):
                _reject(f"$.granular_markings[{position}].selectors", "selects nothing")


def _selects(value: Mapping[str, Any], selector: str) -> bool:
    """Tell whether a selector names something in this object (STIX 2.1 §7.2.3.1).

    A label on nothing protects nothing, although its author believed that it does.
    """
    found: Any = value
    for step in selector.split("."):
        if step.startswith("["):
            index = int(step[1:-1])
            if not isinstance(found, list) or index >= len(found):
                return False
            found = found[index]
        elif isinstance(found, Mapping) and step in found:
            found = found[step]
        else:
            return False
    return True


def _may_hold_empty_list(value: Mapping[str, Any]) -> bool:
    """Tell whether it is worth looking: the writer is ten times as fast as the walk."""
    try:
        return b"[]" in orjson.dumps(value)
    except orjson.JSONEncodeError:
        return True


def _holds_empty_list(value: Any) -> bool:
    """Find an empty list at any depth, which ``strict_loads`` has bounded."""
    if value.__class__ is list and not value:
        return True
    for item in value if value.__class__ is list else value.values():
        kind = item.__class__
        if (kind is list or kind is dict) and _holds_empty_list(item):
            return True
    return False


def _check_indicator(value: Mapping[str, Any]) -> None:
    _in_order(value, "valid_from", "valid_until", strictly=True)  # STIX 2.1 §4.7.1
    try:
        check_pattern(value["pattern"], value["pattern_type"])
    except WireFormatError as error:
        _reject("$.pattern", error.detail)


def _check_relationship(value: Mapping[str, Any]) -> None:
    _in_order(value, "start_time", "stop_time", strictly=True)  # STIX 2.1 §5.1.1
    for end in ("source_ref", "target_ref"):
        if value[end].startswith("extension-definition--"):
            _reject(f"$.{end}", "names a meta object")


def _check_sighting(value: Mapping[str, Any]) -> None:
    _in_order(value, "first_seen", "last_seen")
    # "This property MUST reference only an SDO" (STIX 2.1 §5.2.1).
    sighted = value["sighting_of_ref"].split("--", 1)[0]
    if sighted in SCO_TYPES or sighted in SRO_TYPES or sighted == "extension-definition":
        _reject("$.sighting_of_ref", "does not name a domain object")


def _check_seen(value: Mapping[str, Any]) -> None:
    _in_order(value, "first_seen", "last_seen")


def _check_observed_data(value: Mapping[str, Any]) -> None:
    _in_order(value, "first_observed", "last_observed")
    fault = fault_in_observed(value.get("object_refs", []))
    if fault is not None and "object_refs" in value:
        _reject(*fault)


def _check_network_traffic(value: Mapping[str, Any]) -> None:
    _in_order(value, "start", "end")


_RULES: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "campaign": _check_seen,
    "indicator": _check_indicator,
    "infrastructure": _check_seen,
    "intrusion-set": _check_seen,
    "malware": _check_seen,
    "network-traffic": _check_network_traffic,
    "observed-data": _check_observed_data,
    "relationship": _check_relationship,
    "sighting": _check_sighting,
    "threat-actor": _check_seen,
}
