"""Objects that are right, of many types, and what can be wrong with them; for generated tests.

A fault changes an object in place and returns whether it could. What it does is right by some
validators' opinion and wrong by others'; ``differences.py`` says by whose.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from schemas.markings import TLP2_EXTENSION, TLP_BY_MARKING_ID, Tlp, tlp2_marking_definition
from tests.schemas.stix.examples import CREATED, GREEN, IDENTITY, domain_name, indicator, sdo

StixObject = dict[str, Any]
Fault = Callable[[StixObject], bool]

EARLY, LATE = "2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"
UUID = "b23a303b-2d58-59b9-af74-02f586881b74"
MALWARE, TOOL, INDICATOR = f"malware--{UUID}", f"tool--{UUID}", f"indicator--{UUID}"
OWN_EXTENSION = "extension-definition--a932fcc6-e032-476c-826f-cb970a5a1ade"
TLP1_AMBER = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
DNS_THREAT = "extension-definition--1cac9197-2746-5cc7-98e0-6262a0d35142"


def sco(stix_type: str, **members: Any) -> StixObject:
    return {"type": stix_type, "spec_version": "2.1", "id": f"{stix_type}--{UUID}", **members}


BASES: dict[str, StixObject] = {
    "indicator": indicator(object_marking_refs=[GREEN]),
    "relationship": sdo(
        "relationship",
        relationship_type="indicates",
        source_ref=INDICATOR,
        target_ref=MALWARE,
        start_time=EARLY,
        stop_time=LATE,
    ),
    "sighting": sdo(
        "sighting", sighting_of_ref=INDICATOR, first_seen=EARLY, last_seen=LATE, count=3
    ),
    "observed-data": sdo(
        "observed-data",
        first_observed=EARLY,
        last_observed=LATE,
        number_observed=1,
        object_refs=[domain_name()["id"]],
    ),
    "identity": sdo("identity", name="A registry", identity_class="organization"),
    "malware": sdo("malware", is_family=True, name="Conficker", malware_types=["worm"]),
    "campaign": sdo("campaign", name="Avalanche", first_seen=EARLY, last_seen=LATE),
    "report": sdo("report", name="Weekly", published=CREATED, object_refs=[INDICATOR]),
    "grouping": sdo("grouping", context="suspicious-activity", object_refs=[INDICATOR]),
    "note": sdo("note", content="Seen by two.", object_refs=[INDICATOR]),
    "opinion": sdo("opinion", opinion="agree", object_refs=[INDICATOR]),
    "location": sdo("location", country="ch"),
    "domain-name": domain_name(spec_version="2.1"),
    "ipv4-addr": sco("ipv4-addr", value="192.0.2.1"),
    "url": sco("url", value="https://evil.example/"),
    "file": sco("file", name="a.exe", hashes={"MD5": "d41d8cd98f00b204e9800998ecf8427e"}),
    "network-traffic": sco(
        "network-traffic",
        src_ref=f"ipv4-addr--{UUID}",
        protocols=["udp", "dns"],
        start=EARLY,
        end=LATE,
        is_active=False,
    ),
    "statement": {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{UUID}",
        "created": CREATED,
        "definition_type": "statement",
        "definition": {"statement": "Not for the press."},
    },
    "tlp 1.0": {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": TLP1_AMBER,
        "created": "2017-01-20T00:00:00.000Z",
        "definition_type": "tlp",
        "name": "TLP:AMBER",
        "definition": {"tlp": "amber"},
    },
    "tlp 2.0": tlp2_marking_definition(Tlp.AMBER_STRICT),
    "extension-definition": sdo(
        "extension-definition",
        created_by_ref=IDENTITY,
        name="x",
        schema="https://x.example/",
        version="1.0.0",
        extension_types=["property-extension"],
    ),
    "language-content": sdo(
        "language-content", object_ref=INDICATOR, contents={"de": {"name": "böse"}}
    ),
    "x-own-type": sdo("x-own-type", name="x"),
}


def sets(*only: str, unless: str = "", **members: Any) -> Fault:
    """A fault that sets properties, of these types only where any are named."""

    def apply(value: StixObject) -> bool:
        if (only and value["type"] not in only) or value["type"] == unless:
            return False
        value.update(copy.deepcopy(members))
        return True

    return apply


def drops(name: str) -> Fault:
    def apply(value: StixObject) -> bool:
        return value.pop(name, None) is not None

    return apply


def changes(name: str, text: Callable[[str], str]) -> Fault:
    def apply(value: StixObject) -> bool:
        if not isinstance(value.get(name), str):
            return False
        value[name] = text(value[name])
        return True

    return apply


def extends(extension: str, **members: Any) -> Fault:
    def apply(value: StixObject) -> bool:
        value.setdefault("extensions", {})[extension] = copy.deepcopy(members)
        return True

    return apply


def of_versioned(**members: Any) -> Fault:
    """A fault of what has ``modified``."""

    def apply(value: StixObject) -> bool:
        if "modified" not in value:
            return False
        value.update(copy.deepcopy(members))
        return True

    return apply


SEEN = ("sighting", "campaign")
FAULTS: dict[str, Fault] = {
    # Common properties
    "modified before created": of_versioned(modified="2025-01-01T00:00:00.000Z"),
    "modified a millisecond before created": of_versioned(modified="2026-03-01T09:59:59.999Z"),
    "modified later": of_versioned(modified="2026-03-02T00:00:00.000Z"),
    "created on 31 February": of_versioned(created="2026-02-31T00:00:00.000Z"),
    "created without a fraction": of_versioned(created="2026-03-01T10:00:00Z"),
    "created with six digits": of_versioned(created="2026-03-01T10:00:00.000000Z"),
    "created with an offset": of_versioned(created="2026-03-01T10:00:00.000+00:00"),
    "created with a space": of_versioned(created="2026-03-01 10:00:00.000Z"),
    "created with a leap second": of_versioned(
        created="2016-12-31T23:59:60.000Z", modified="2017-01-01T00:00:00.000Z"
    ),
    "created at 24:00": of_versioned(created="2026-02-28T24:00:00.000Z"),
    "created as a number": of_versioned(created=5),
    "created null": of_versioned(created=None),
    "no created": drops("created"),
    "no modified": drops("modified"),
    "no type": drops("type"),
    "no id": drops("id"),
    "no spec_version": drops("spec_version"),
    "spec_version 2.0": sets(spec_version="2.0"),
    "spec_version a number": sets(spec_version=2.1),
    "id of another type": sets(id=f"tool--{UUID}"),
    "id in capitals": changes(
        "id", lambda text: text.partition("--")[0] + "--" + text.partition("--")[2].upper()
    ),
    "id a number": sets(id=5),
    "id without a uuid": changes("id", lambda text: text.partition("--")[0] + "--1"),
    "id of version 1": changes(
        "id", lambda text: text.partition("--")[0] + "--6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    ),
    "empty labels": sets(labels=[]),
    "labels a text": sets(labels="phishing"),
    "labels with a number": sets(labels=[5]),
    "labels twice the same": sets(labels=["a", "a"]),
    "an empty label": sets(labels=[""]),
    "revoked a text": sets(revoked="true"),
    "revoked 1": sets(revoked=1),
    "confidence 101": sets(confidence=101),
    "confidence -1": sets(confidence=-1),
    "confidence true": sets(confidence=True),
    "confidence a text": sets(confidence="80"),
    "confidence 80.0": sets(confidence=80.0),
    "confidence 80.5": sets(confidence=80.5),
    "confidence null": sets(confidence=None),
    "lang": sets(lang="de"),
    "lang no language": sets(lang="no such"),
    "author no identity": sets(created_by_ref=MALWARE),
    "author no id": sets(created_by_ref="somebody"),
    "an external reference": sets(external_references=[{"source_name": "x", "url": "https://x/"}]),
    "an external reference alone": sets(external_references=[{"source_name": "x"}]),
    "an external reference without a name": sets(external_references=[{"url": "https://x/"}]),
    "an external reference to no URL": sets(
        external_references=[{"source_name": "x", "url": "not a url"}]
    ),
    "no external references": sets(external_references=[]),
    # Markings
    "TLP 1.0 mark": sets(object_marking_refs=[TLP1_AMBER]),
    "TLP 2.0 mark": sets(object_marking_refs=[Tlp.RED.marking_id]),
    "two TLP marks": sets(object_marking_refs=[TLP1_AMBER, Tlp.RED.marking_id]),
    "a mark that is no marking": sets(object_marking_refs=[IDENTITY]),
    "no marks": sets(object_marking_refs=[]),
    "the same mark twice": sets(object_marking_refs=[GREEN, GREEN]),
    "marks a text": sets(object_marking_refs=GREEN),
    "granular mark": sets(granular_markings=[{"marking_ref": GREEN, "selectors": ["type"]}]),
    "granular mark on nothing": sets(
        granular_markings=[{"marking_ref": GREEN, "selectors": ["description.[3]"]}]
    ),
    "granular mark without selectors": sets(
        granular_markings=[{"marking_ref": GREEN, "selectors": []}]
    ),
    "granular mark without a marking": sets(granular_markings=[{"selectors": ["type"]}]),
    "granular mark of a language": sets(
        granular_markings=[{"lang": "de", "selectors": ["type"]}]
    ),
    "marked by itself": lambda value: _mark_itself(value, "object_marking_refs"),
    "granular mark of itself": lambda value: _mark_itself(value, "granular_markings"),
    "granular mark with both": sets(
        granular_markings=[{"marking_ref": GREEN, "lang": "de", "selectors": ["type"]}]
    ),
    "unknown TLP word": sets("marking-definition", definition={"tlp": "purple"},
                             definition_type="tlp"),
    "RED's id that says clear": sets("marking-definition", id=Tlp.RED.marking_id),
    "TLP 2.0 with an unknown word": extends(
        TLP2_EXTENSION, extension_type="property-extension", tlp_2_0="purple"
    ),
    # Custom properties and extensions
    "custom property": sets(x_own="value"),
    "custom property without a prefix": sets(own_thing="value"),
    "custom property of one letter": sets(xx="value"),
    "custom property in capitals": sets(x_Own="value"),
    "custom property with a hyphen": sets(**{"x-own": "value"}),
    "custom property null": sets(x_own=None),
    "custom property an empty list": sets(x_own=[]),
    "custom property with an empty list deep inside": sets(x_own=[{"rank": []}]),
    "custom property an empty object": sets(x_own={}),
    "custom property with null inside": sets(x_own={"a": None}),
    "property extension": extends(OWN_EXTENSION, extension_type="property-extension", rank=1),
    "top-level extension": extends(OWN_EXTENSION, extension_type="toplevel-property-extension"),
    "extension without a type": extends(OWN_EXTENSION, rank=1),
    "extension of an unknown kind": extends(OWN_EXTENSION, extension_type="other"),
    "extension under a word": extends("my-ext", rank=1),
    "extension with an empty list": extends(
        OWN_EXTENSION, extension_type="property-extension", ranks=[]
    ),
    "top-level extension with a bad name": lambda value: (
        FAULTS["top-level extension"](value) and FAULTS["custom property in capitals"](value)
    ),
    "no extensions": sets(extensions={}),
    "extensions a list": sets(extensions=[]),
    "dns-threat without its scope": extends(
        DNS_THREAT, extension_type="property-extension", threat_type="dga"
    ),
    "an empty description": sets(description=""),
    "description a number": sets(description=5),
    "name a list": sets(name=["x"]),
    "defanged": sets(defanged=True),
    # Indicators
    "no pattern": drops("pattern"),
    "any string as a pattern": sets("indicator", pattern="anything"),
    "an empty pattern": sets("indicator", pattern=""),
    "an empty pattern of yara": sets("indicator", pattern_type="yara", pattern=""),
    "an unclosed pattern": sets("indicator", pattern="[domain-name:value = 'a"),
    "a pattern over two types by AND": sets(
        "indicator", pattern="[domain-name:value = 'a' AND url:value = 'b']"
    ),
    "a pattern of an unknown type": sets("indicator", pattern="[x-own:value = 'a']"),
    "a pattern with a capital in its type": sets("indicator", pattern="[Domain:value = 'a']"),
    "a pattern with START of STIX 2.0": sets(
        "indicator", pattern="[a:b = 1] START '2026-01-01T00:00:00Z' STOP '2026-01-02T00:00:00Z'"
    ),
    "a pattern with START of STIX 2.1": sets(
        "indicator",
        pattern="[url:value = 'a'] START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00Z'",
    ),
    "a pattern of 5 KiB": sets("indicator", pattern="[url:value = '" + "a" * 5000 + "']"),
    "a deep pattern": sets(
        "indicator", pattern="[" + "(" * 17 + "url:value = 'a'" + ")" * 17 + "]"
    ),
    "a wrong hash in a pattern": sets("indicator", pattern="[file:hashes.MD5 = 'x']"),
    "pattern_type in capitals": sets("indicator", pattern_type="STIX"),
    "pattern_type unknown": sets("indicator", pattern_type="own-words"),
    "pattern_type yara": sets("indicator", pattern_type="yara", pattern="rule a {condition: true}"),
    "no pattern_type": drops("pattern_type"),
    "pattern_version 2.0": sets("indicator", pattern_version="2.0"),
    "indicator_types unknown": sets("indicator", indicator_types=["own-words"]),
    "indicator_types empty": sets("indicator", indicator_types=[]),
    "valid_until equal": sets("indicator", valid_until=CREATED),
    "valid_until before": sets("indicator", valid_until="2025-01-01T00:00:00Z"),
    "valid_from on 31 February": sets("indicator", valid_from="2026-02-31T00:00:00.000Z"),
    "no valid_from": drops("valid_from"),
    "no valid_until": drops("valid_until"),
    # Others
    "stop equal to start": sets("relationship", stop_time=EARLY),
    "stop before start": sets("relationship", stop_time="2025-01-01T00:00:00Z"),
    "relationship to a marking": sets("relationship", target_ref=GREEN),
    "relationship to a relationship": sets("relationship", target_ref=f"relationship--{UUID}"),
    "relationship from a bundle": sets("relationship", source_ref=f"bundle--{UUID}"),
    "relationship to an own type": sets("relationship", target_ref=f"x-own--{UUID}"),
    "relationship_type in capitals": sets("relationship", relationship_type="Indicates"),
    "relationship_type with an underscore": sets("relationship", relationship_type="x_y"),
    "relationship of types that do not suit": sets("relationship", source_ref=TOOL),
    "last_seen before first_seen": sets(*SEEN, last_seen="2025-01-01T00:00:00Z"),
    "last_seen equal": sets(*SEEN, last_seen=EARLY),
    "count -1": sets("sighting", count=-1),
    "count true": sets("sighting", count=True),
    "count 10 digits": sets("sighting", count=9_999_999_999),
    "sighting of an observable": sets("sighting", sighting_of_ref=domain_name()["id"]),
    "sighting of a relationship": sets("sighting", sighting_of_ref=f"relationship--{UUID}"),
    "sighting of an own type": sets("sighting", sighting_of_ref=f"x-own--{UUID}"),
    "sighted where it is no identity": sets("sighting", where_sighted_refs=[MALWARE]),
    "number_observed 0": sets("observed-data", number_observed=0),
    "last_observed before": sets("observed-data", last_observed="2025-01-01T00:00:00Z"),
    "object_refs empty": sets("observed-data", "report", "note", object_refs=[]),
    "observed an indicator": sets("observed-data", object_refs=[INDICATOR]),
    "identity_class unknown": sets("identity", identity_class="own words"),
    "sectors unknown": sets("identity", sectors=["own-words"]),
    "malware_types unknown": sets("malware", malware_types=["own-words"]),
    "is_family a text": sets("malware", is_family="false"),
    "no is_family": drops("is_family"),
    "a family without a name": lambda value: value["type"] == "malware" and drops("name")(value),
    "kill chain in capitals": sets(
        "malware", "indicator", kill_chain_phases=[{"kill_chain_name": "X Y", "phase_name": "Z"}]
    ),
    "opinion unknown": sets("opinion", opinion="perhaps"),
    "country unknown": sets("location", country="nowhere"),
    "latitude 91": sets("location", latitude=91.0, longitude=0.0),
    "latitude alone": sets("location", latitude=1.0),
    "context unknown": sets("grouping", context="own-words"),
    # Observables
    "an address that is none": sets("ipv4-addr", value="no address"),
    "a prefix with host bits": sets("ipv4-addr", value="192.0.2.1/24"),
    "a URL that is none": sets("url", value="no url"),
    "a name with an underscore": sets("domain-name", value="_dmarc.evil.example"),
    "a name that is none": sets("domain-name", value="no name!"),
    "a name in Unicode": sets("domain-name", value="böse.example"),
    "value a number": sets("domain-name", "ipv4-addr", "url", value=5),
    "an id that does not follow": sets("domain-name", value="other.example"),
    "an unknown hash": sets("file", hashes={"FOO": "x"}),
    "a hash of the wrong length": sets("file", hashes={"MD5": "x"}),
    "a hash under a custom name": sets("file", hashes={"x_foo": "abc"}),
    "no hashes": sets("file", hashes={}),
    "size negative": sets("file", size=-1),
    "end before start": sets("network-traffic", end="2025-01-01T00:00:00Z"),
    "active with an end": sets("network-traffic", is_active=True),
    "traffic that ended": drops("is_active"),
    "port 70000": sets("network-traffic", dst_port=70000),
    "port true": sets("network-traffic", dst_port=True),
    "protocols empty": sets("network-traffic", protocols=[]),
    "protocol unknown": sets("network-traffic", protocols=["own-words"]),
    "protocol in capitals": sets("network-traffic", protocols=["TCP"]),
    "traffic from nowhere": drops("src_ref"),
    "traffic from a file": sets("network-traffic", src_ref=f"file--{UUID}"),
    "resolves to a file": sets("domain-name", resolves_to_refs=[f"file--{UUID}"]),
    # What is of no known kind
    "an unknown type": lambda value: _retype(value, "x-unknown"),
    "an unknown type without x-": lambda value: _retype(value, "unknown-thing"),
    "an unknown type with an underscore": lambda value: _retype(value, "x_unknown"),
    "an unknown type in capitals": lambda value: _retype(value, "X-Unknown"),
    "an unknown type of two letters": lambda value: _retype(value, "ab"),
    "a bundle": lambda value: _retype(value, "bundle"),
    "a bundle with a top-level extension": lambda value: (
        FAULTS["top-level extension"](value) and _retype(value, "bundle")
    ),
}  # fmt: skip


def _mark_itself(value: StixObject, name: str) -> bool:
    if value["type"] != "marking-definition":
        return False
    part = {"marking_ref": value["id"], "selectors": ["type"]}
    value[name] = [value["id"]] if name == "object_marking_refs" else [part]
    return True


def _retype(value: StixObject, stix_type: str) -> bool:
    value["type"] = stix_type
    value["id"] = f"{stix_type}--{UUID}"
    return True


def spoiled(base: str, *faults: str) -> StixObject:
    """Make a copy of a right object with these faults, those that apply to it."""
    value = copy.deepcopy(BASES[base])
    for fault in faults:
        try:
            FAULTS[fault](value)
        except (KeyError, TypeError, AttributeError):  # an earlier one took away what it needs
            continue
    return value


texts = st.text(st.characters(codec="utf-8", exclude_characters="'\\\r\n"), min_size=1, max_size=12)
marks = st.lists(st.sampled_from(sorted(TLP_BY_MARKING_ID)), min_size=1, max_size=2, unique=True)


@st.composite
def stix_objects(draw: Any, most_faults: int = 2) -> StixObject:
    """Objects of all bases with up to some faults, and with texts and marks of their own."""
    chosen = draw(st.lists(st.sampled_from(sorted(FAULTS)), max_size=most_faults, unique=True))
    base = draw(st.sampled_from(sorted(BASES)))
    value = spoiled(base, *chosen)
    if value.get("type") == "bundle":
        # It is refused for being one; what else is wrong with it is no fault of an object.
        return spoiled(base, "a bundle")
    if draw(st.booleans()) and "name" in value and isinstance(value["name"], str):
        value["name"] = draw(texts)
    if draw(st.booleans()) and value.get("pattern") == BASES["indicator"]["pattern"]:
        value["pattern"] = f"[domain-name:value = '{draw(texts)}']"
    if draw(st.booleans()) and "object_marking_refs" not in value:
        value["object_marking_refs"] = draw(marks)
    return value
