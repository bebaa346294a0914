"""Read STIX 2.0 bundles and write their content down as STIX 2.1 (docs/imports.md has the rules).

Decides, for each object, its 2.1 form or why it has none. What was converted is this node's own
object: its id is new, under this node's namespace and the same each time, and the old one stands in
``external_references`` without its type, so that it is no reference to what nobody here has.

Invariants:
* nothing is lost: total = taken + skipped; every taken object counts as changed;
* a label only tightens: TLP 1 marks become those of TLP 2.0, and a mark on a part of an object
  becomes one of the whole, since its selectors may name what has another name now;
* an observable's id is the one that STIX derives from its value (STIX 2.1 §2.9);
* who created an object then does not speak for it now: ``created_by_ref`` is this node's identity.

Does not: read a clock or draw randomness; the old UUIDs are the random names behind the new ids.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from hub.imports.drafts import ChangedLine, Draft, ImportReport, SkippedLine
from hub.imports.stix_bundles import MAX_BUNDLE_BYTES, objects_in
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId, StixId, own_stix_id
from schemas.markings import TLP_BY_MARKING_ID
from schemas.stix.sco_ids import deterministic_sco_id
from schemas.stix.validation import check_object
from schemas.strict_json import strict_loads

_ID: Final = re.compile(
    r"([a-z][a-z0-9-]{1,249})--([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.ASCII
)
_RENAMED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "indicator": "indicator_types", "malware": "malware_types", "report": "report_types",
        "threat-actor": "threat_actor_types", "tool": "tool_types", "identity": "roles",
    }
)  # fmt: skip
"""What ``labels`` said in STIX 2.0 has a property of its own in 2.1."""
_TLP_1: Final[Mapping[str, str]] = MappingProxyType(
    {
        "white": "613f2e26-407d-48c7-9eca-b8e91df99dc9",
        "green": "34098fce-860f-48ae-8e50-ebd3cc5e41da",
        "amber": "f88d31f6-486f-44da-b317-01333bde0b82",
        "red": "5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
    }
)
_LONGEST: Final = 300
_MOST_OBSERVED: Final = 1_000


def read_stix20(
    data: bytes, *, node_id: NodeId, identity: StixId, max_bytes: int = MAX_BUNDLE_BYTES
) -> tuple[list[Draft], ImportReport]:
    """Read a STIX 2.0 bundle into drafts of STIX 2.1.

    Returns:
        the drafts, what they refer to before them, and a report whose "lines" are positions.

    Raises:
        WireFormatError: when the file as a whole cannot be read: ``E_JSON_*``, ``E_TOO_BIG`` or
            ``E_SCHEMA``.
    """
    found = objects_in(strict_loads(data, max_bytes=max_bytes), old=True)
    converter = _Converter(node_id, identity)
    converter.learn_markings(found)
    skipped: list[SkippedLine] = []
    changed: list[ChangedLine] = []
    for position, value in enumerate(found, 1):
        old_id = _id_of(value)
        try:
            taken = converter.convert(value, position)
        except WireFormatError as error:
            skipped.append(SkippedLine(position, old_id, error.code, error.detail))
        else:
            changed.append(ChangedLine(position, old_id, taken))
    report = ImportReport(len(changed), tuple(changed), tuple(skipped), len(found))
    return list(converter.drafts.values()), report


class _Converter:
    """One bundle's conversion; a part of an observed-data object is a draft without a position."""

    def __init__(self, node_id: NodeId, identity: StixId) -> None:
        self.drafts: dict[str, Draft] = {}
        self._node_id = node_id
        self._identity = identity
        self._seen: dict[str, int] = {}
        self._tlp_of: dict[str, str] = {}

    def learn_markings(self, found: list[Any]) -> None:
        """Note which marking-definitions of the bundle are TLP, whatever their ids are."""
        for value in found:
            if isinstance(value, dict) and value.get("definition_type") == "tlp":
                definition = value.get("definition")
                word = definition.get("tlp") if isinstance(definition, dict) else None
                mark = _TLP_1.get(word.lower()) if isinstance(word, str) else None
                if mark is not None and isinstance(value.get("id"), str):
                    self._tlp_of[value["id"]] = f"marking-definition--{mark}"

    def convert(self, value: object, position: int) -> str:
        """Convert one object; return its new id."""
        if not isinstance(value, dict) or not _ID.fullmatch(str(value.get("id"))):
            raise WireFormatError("E_SCHEMA", "$: not an object with an id")
        old_id = str(value["id"])
        if old_id in self._tlp_of or old_id in TLP_BY_MARKING_ID:
            raise WireFormatError("E_STIX_DUPLICATE", "a TLP definition, which every node has")
        first = self._seen.setdefault(old_id, position)
        if first != position:
            raise WireFormatError("E_STIX_DUPLICATE", f"the same id as at position {first}")
        stix_type, new_id, idn = self._own_id(old_id)
        converted = self._members(value, stix_type)
        converted |= {"type": stix_type, "spec_version": "2.1", "id": new_id}
        parts: list[Draft] = []
        if stix_type == "observed-data":
            parts = self._observed(converted)
        check_object(converted)
        for part in parts:
            self.drafts.setdefault(str(part.value["id"]), part)
        self.drafts[new_id] = Draft(converted, idn, position)
        return new_id

    def _own_id(self, old_id: str) -> tuple[str, str, str]:
        match = _ID.fullmatch(old_id)
        if match is None:
            raise WireFormatError("E_SCHEMA", "no STIX id")
        return match[1], own_stix_id(self._node_id, match[1], match[2]), match[2]

    def _members(self, value: Mapping[str, Any], stix_type: str) -> dict[str, Any]:
        converted = {name: self._refs(name, member) for name, member in value.items()}
        marks = self._marks(value)
        converted.pop("granular_markings", None)
        converted.pop("object_marking_refs", None)
        if marks:
            converted["object_marking_refs"] = marks
        if stix_type != "marking-definition":
            converted["created_by_ref"] = self._identity
            uuid = str(value["id"]).partition("--")[2]
            known = converted.get("external_references", [])
            old = {"source_name": "stix-2.0", "external_id": uuid, "description": stix_type}
            converted["external_references"] = [*(known if isinstance(known, list) else []), old]
        renamed = _RENAMED.get(stix_type)
        labels = converted.get("labels")
        if renamed is not None and isinstance(labels, list) and labels:
            converted[renamed] = list(labels)
        if stix_type == "indicator":
            converted |= {"pattern_type": "stix", "pattern_version": "2.1"}
        if stix_type == "malware":
            converted.setdefault("is_family", False)
        return converted

    def _marks(self, value: Mapping[str, Any]) -> list[str]:
        """Collect the marks of an object and of its parts, those of TLP under TLP's own ids."""
        marks = value.get("object_marking_refs")
        found = list(marks) if isinstance(marks, list) else []
        granular = value.get("granular_markings")
        for part in granular if isinstance(granular, list) else ():
            found.append(part.get("marking_ref") if isinstance(part, dict) else None)
        # What is no id stays as it is, and the check of the object names it.
        return list(dict.fromkeys(self._mark(str(mark)) for mark in found))

    def _mark(self, old_id: str) -> str:
        if old_id in TLP_BY_MARKING_ID or not _ID.fullmatch(old_id):
            return old_id
        return self._tlp_of.get(old_id) or self._own_id(old_id)[1]

    def _refs(self, name: str, member: Any) -> Any:
        if name.endswith("_ref") and isinstance(member, str):
            return self._own_id(member)[1]
        if name.endswith("_refs") and isinstance(member, list):
            return [self._own_id(str(ref))[1] for ref in member]
        return member

    def _observed(self, converted: dict[str, Any]) -> list[Draft]:
        """Make objects of their own out of what STIX 2.0 keeps inside observed-data."""
        inside = converted.pop("objects", None)
        if not isinstance(inside, dict) or not 1 <= len(inside) <= _MOST_OBSERVED:
            raise WireFormatError("E_SCHEMA", f"$.objects: not 1 to {_MOST_OBSERVED} observables")
        ids: dict[str, str] = {}
        parts: list[Draft] = []
        waiting = dict(inside)
        while waiting:
            # An id may rest on another one (file on its directory): those without come first.
            ready = [key for key, item in waiting.items() if _mentions(item) <= ids.keys()]
            if not ready:
                raise WireFormatError("E_SCHEMA", "$.objects: they refer to what is not there")
            for key in ready:
                observable = _observable(waiting.pop(key), ids, converted)
                ids[key] = str(observable["id"])
                parts.append(Draft(observable))
        converted["object_refs"] = list(dict.fromkeys(ids.values()))
        return parts


def _observable(item: object, ids: Mapping[str, str], around: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise WireFormatError("E_SCHEMA", "$.objects: not an object")
    value = {name: _inside_refs(name, member, ids) for name, member in item.items()}
    value["spec_version"] = "2.1"
    if "object_marking_refs" in around:
        value["object_marking_refs"] = list(around["object_marking_refs"])
    found = deterministic_sco_id(value)
    if found is None:
        raise WireFormatError(
            "E_STIX_OBSERVABLE", f"no id follows from the {str(item.get('type'))[:40]} inside"
        )
    value["id"] = found
    check_object(value)
    return value


def _inside_refs(name: str, member: Any, ids: Mapping[str, str]) -> Any:
    if name.endswith("_ref") and isinstance(member, str):
        return ids[member]
    if name.endswith("_refs") and isinstance(member, list):
        return [ids[str(ref)] for ref in member]
    return member


def _mentions(item: object) -> set[str]:
    found: set[str] = set()
    for name, member in item.items() if isinstance(item, dict) else ():
        if name.endswith("_ref") and isinstance(member, str):
            found.add(member)
        elif name.endswith("_refs") and isinstance(member, list):
            found.update(str(ref) for ref in member)
    return found


def _id_of(value: object) -> str:
    stix_id = value.get("id") if isinstance(value, dict) else None
    return stix_id[:_LONGEST] if isinstance(stix_id, str) else ""
