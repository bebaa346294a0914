"""Where our validation, stix2 3.0 and stix2-validator 3.2.0 differ, who is right, and why.

Each difference is a class of objects, told by a predicate, with who refuses them. What is not in
this table fails ``test_differential.py``; ``docs/stix-validation.md`` is written from it by
``python -m tests.schemas.stix.validation_document``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stix2.registry import class_for_type

from schemas.stix.objects import KNOWN_TYPES, META_TYPES, SCO_TYPES, SDO_TYPES, SRO_TYPES
from schemas.stix.patterns import MAX_PATTERN_BYTES
from schemas.stix.references import REFERENCES

OURS, STIX2, VALIDATOR = "ours", "stix2", "stix2-validator"

Value = dict[str, Any]

_VERSIONED = SDO_TYPES | SRO_TYPES | {"extension-definition", "language-content"}
_CREATED = _VERSIONED | {"marking-definition"}
_EXTENSION_TYPES = {
    "new-sdo", "new-sco", "new-sro", "property-extension", "toplevel-property-extension",
}  # fmt: skip
_EXTENSION_KEY = re.compile(r"extension-definition--[0-9a-f-]{36}")
_PROPERTY = re.compile(r"[a-z][a-z0-9_]{2,249}|id")
_KINDS: dict[str, type] = {
    "name": str, "description": str, "value": str, "revoked": bool, "is_family": bool,
    "confidence": int, "count": int, "labels": list, "created": str, "modified": str,
    "object_marking_refs": list, "dst_port": int,
}  # fmt: skip
_WORD = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


@dataclass(frozen=True)
class Difference:
    """One class of objects that the three do not judge alike."""

    what: str
    holds: Callable[[Value], bool]
    refuse: frozenset[str]
    right: str
    why: str


def _type(value: Value) -> str:
    found = value.get("type")
    return found if isinstance(found, str) else ""


def _known(value: Value) -> bool:
    return _type(value) in KNOWN_TYPES


def _own(value: Value) -> bool:
    """An object of a type that no specification describes, with a right name."""
    named = re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", _type(value))
    return bool(named) and not _known(value) and len(_type(value)) > 2 and _type(value) != "bundle"


def _dicts(value: Value, name: str) -> list[Value]:
    found = value.get(name)
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []


def _extensions(value: Value) -> Value:
    found = value.get("extensions")
    return found if isinstance(found, dict) else {}


def _kinds_of_extension(value: Value) -> list[Any]:
    return [
        part.get("extension_type") if isinstance(part, dict) else None
        for key, part in _extensions(value).items()
        if _EXTENSION_KEY.fullmatch(key)
    ]


def _is_unknown_to_stix2(value: Value) -> bool:
    # Any other kind of extension makes it take the object for a new type, or for a broken one.
    plain = {"property-extension", "toplevel-property-extension"}
    return _own(value) and all(kind in plain for kind in _kinds_of_extension(value))


def _extra(value: Value) -> set[str]:
    """Properties that the specification does not give to this type."""
    if not _known(value):
        return set()
    return set(value) - set(class_for_type(_type(value), "2.1")._properties)


def _has_extra(value: Value) -> bool:
    # The one predefined TLP 1.0 object is taken by its id, whatever else it holds: see there.
    return bool(_extra(value)) and "toplevel-property-extension" not in _kinds_of_extension(value)


def _text(value: Value, name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _is_backwards(value: Value) -> bool:
    whole = re.compile(r"([0-9-]{10}T[0-9:]{8}\.[0-9]{3,6})Z")
    found = [whole.fullmatch(_text(value, name)) for name in ("created", "modified")]
    created, modified = (None if match is None else match[1].ljust(26, "0") for match in found)
    return created is not None and modified is not None and modified < created


def _is_coarse(value: Value) -> bool:
    return any(
        re.fullmatch(r"[0-9-]{10}T[0-9:]{8}Z", _text(value, name))
        for name in ("created", "modified")
    )


def _is_ill_typed(value: Value) -> bool:
    labels = value.get("labels")
    numbered = isinstance(labels, list) and not all(isinstance(label, str) for label in labels)
    if numbered and "labels" not in _extra(value) and _known(value):
        return True
    return _known(value) and any(
        name in value and name not in _extra(value) and type(value[name]) is not kind
        # 80.0 is a class of its own, and JSON Schema calls it an integer.
        and not (kind is int and isinstance(value[name], float) and value[name].is_integer())
        for name, kind in _KINDS.items()
    )  # fmt: skip


def _ill_typed_extra(value: Value) -> bool:
    if _own(value):
        # With neither, the validator takes it for an observable.
        loose = set() if {"created", "modified"} & set(value) else set(value)
    else:
        loose = _extra(value) if _type(value) in SCO_TYPES | META_TYPES else set()
    labels, confidence = value.get("labels"), value.get("confidence")
    return (
        ("labels" in loose and not (labels and _is_texts(labels)))
        or ("confidence" in loose and not _is_percentage(confidence))
        or ("revoked" in loose and not isinstance(value["revoked"], bool))
        or ("external_references" in loose and _has_poor_reference(value))
    )


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_percentage(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 100


def _has_poor_reference(value: Value) -> bool:
    found = value.get("external_references")
    needs = {"description", "url", "external_id"}
    return found == [] or any(
        "source_name" not in part or not needs & set(part)
        for part in _dicts(value, "external_references")
    )


def _empties(value: Any, *, in_lists: bool = False) -> bool:
    """Find an empty list below an object, through objects, and through lists where asked."""
    if isinstance(value, list):
        return value == [] or (in_lists and any(_empties(item, in_lists=True) for item in value))
    return isinstance(value, dict) and any(
        _empties(item, in_lists=in_lists) for item in value.values()
    )


def _has_empty_list(value: Value) -> bool:
    # A top-level extension makes stix2 take properties of one's own, and leave the empty ones out.
    extra = _extra(value) if _has_extra(value) else set()
    regular = {name: item for name, item in value.items() if name not in extra}
    return _known(value) and (
        _empties(regular) or ("extensions" in value and not value["extensions"])
    )


def _has_hidden_empty_list(value: Value) -> bool:
    # Below a list, or in a custom property of a marking, the validator does not look.
    if not _known(value):
        return False
    marks = _type(value) == "marking-definition"
    return any(
        _empties(item, in_lists=True) and (not _empties(item) or (marks and name in _extra(value)))
        for name, item in value.items()
    )


def _refs(value: Value, name: str) -> list[str]:
    found = value.get(name)
    listed = found if isinstance(found, list) else [found]
    return [ref for ref in listed if isinstance(ref, str)]


def _prefixes(value: Value, name: str) -> set[str]:
    return {ref.partition("--")[0] for ref in _refs(value, name)}


def _has_wrong_reference(value: Value) -> bool:
    return any(
        _prefixes(value, name) - allowed
        for name, allowed in REFERENCES.get(_type(value), {}).items()
    )


def _has_vendor_uri(value: Value) -> bool:
    references = [] if _is_bundle(value) else _dicts(value, "external_references")
    if _type(value) in SCO_TYPES or (_own(value) and not {"created", "modified"} <= set(value)):
        references = []  # of observables the validator does not look at them
    texts = [part.get("url") for part in references]
    if _type(value) == "url":
        texts.append(value.get("value"))
    return any(isinstance(text, str) and " " in text for text in texts)


def _is_no_hostname(value: Value) -> bool:
    return _type(value) == "domain-name" and bool(re.search("[_ !]", _text(value, "value")))


def _has_own_target(value: Value) -> bool:
    ends = {"source_ref", "target_ref"} if _type(value) == "relationship" else set()
    ends |= {"sighting_of_ref"} if _type(value) == "sighting" else set()
    return any(_prefixes(value, end) - KNOWN_TYPES - {"bundle"} for end in ends)


def _pattern(value: Value) -> str:
    return _text(value, "pattern") if _type(value) == "indicator" else ""


def _is_deep(value: Value) -> bool:
    return _pattern(value).startswith("[" + "(" * 16)


def _hashes(value: Value) -> set[str]:
    found = value.get("hashes")
    return set(found) if _type(value) == "file" and isinstance(found, dict) else set()


def _is_other_tlp1(value: Value) -> bool:
    plain = {"type", "spec_version", "id", "created", "definition_type", "name", "definition"}
    fixed = set(value) - _extra(value) <= plain and value.get("name") == "TLP:AMBER"
    word = value.get("definition_type") == "tlp" and value.get("definition") == {"tlp": "amber"}
    return _type(value) == "marking-definition" and word and not fixed


def _is_bundle(value: Value) -> bool:
    # It has no common properties: in what stands there in their names the validator does not look.
    return _type(value) == "bundle"


def _granular(value: Value, *names: str, without: str = "") -> bool:
    return any(
        all(name in part for name in names) and without not in part
        for part in _dicts(value, "granular_markings")
    )


def _needs_old_marks(value: Value) -> bool:
    found = value.get("granular_markings")
    if not isinstance(found, list) or _is_bundle(value):
        return False
    return _granular(value, "lang", without="marking_ref")


ONLY_OURS, ONLY_STIX2, ONLY_VALIDATOR = (frozenset({who}) for who in (OURS, STIX2, VALIDATOR))
NOT_STIX2 = frozenset({OURS, VALIDATOR})
NOT_VALIDATOR = frozenset({OURS, STIX2})
NOT_OURS = frozenset({STIX2, VALIDATOR})
BOTH = "ours and stix2-validator"
WITH_STIX2 = "ours and stix2"
ON_PURPOSE = "ours on purpose; stix2-validator by the letter"

DIFFERENCES = (
    Difference(
        "an object of a type that nobody here knows",
        _is_unknown_to_stix2, ONLY_STIX2, BOTH,
        "§11.2, §7.3: a consumer may meet new types; stix2 parses only types registered before. "
        "Of ours the common properties are checked and the bytes are kept.",
    ),
    Difference(
        "a custom property, or a common one that is not for this type",
        _has_extra, ONLY_STIX2, BOTH,
        "§11.1 lets producers add custom properties; stix2 wants allow_custom, which would switch "
        "off other checks as well. All of ATT&CK has them.",
    ),
    Difference(
        "`labels`, `revoked`, `confidence` or `external_references` as something else on a type "
        "that they are not for",
        _ill_typed_extra, ONLY_OURS, WITH_STIX2,
        "§3.2 types them; importers read them by their name. stix2 refuses them as custom, the "
        "validator does not look.",
    ),
    Difference(
        "`modified` before `created`",
        _is_backwards, NOT_STIX2, BOTH, "§3.2: modified MUST be later than or equal to created.",
    ),
    Difference(
        "no `id`, `created` or `modified`",
        lambda v: ("id" in v or _known(v)) and (
            (_known(v) and "id" not in v)
            or (_type(v) in _CREATED and "created" not in v)
            or (_type(v) in _VERSIONED and "modified" not in v)
        ),
        NOT_STIX2, BOTH,
        "§3.1: required. stix2 is made for building objects and fills them in with now and a new "
        "id.",
    ),
    Difference(
        "no `spec_version` on what is no cyber-observable",
        lambda v: _type(v) in _CREATED and "spec_version" not in v,
        NOT_STIX2, BOTH, "§3.1: required on all but observables. stix2 fills it in.",
    ),
    Difference(
        "only one of `created` and `modified` on an unknown type",
        lambda v: _own(v) and ("created" in v) != ("modified" in v),
        ONLY_VALIDATOR, "ours",
        "§7.3: an unknown type may be a new observable (new-sco), and then either is a property "
        "of its own; without the extension-definition nobody can tell.",
    ),
    Difference(
        "`created` or `modified` without three decimals on a known type",
        lambda v: _type(v) in _CREATED and _is_coarse(v),
        NOT_STIX2, BOTH, "§3.2: precise to the nearest millisecond at least; stix2 rewrites times.",
    ),
    Difference(
        "`created` or `modified` without three decimals on an unknown type",
        lambda v: _own(v) and _is_coarse(v),
        ONLY_VALIDATOR, "ours on purpose",
        "§3.2 asks it of domain objects; an unknown type may be an observable, and nothing of ours "
        "hangs on the decimals.",
    ),
    Difference(
        "a value of another JSON type that can be converted",
        _is_ill_typed, NOT_STIX2, BOTH,
        "§2: each property has one type. stix2 converts: \"true\" and 1 become true, 5 becomes "
        "\"5\", null is dropped, and the object is no longer the bytes that were signed.",
    ),
    Difference(
        "`spec_version` 2.0",
        lambda v: v.get("spec_version") == "2.0" and (_known(v) or _own(v)),
        NOT_VALIDATOR, WITH_STIX2, "§3.2: the value MUST be 2.1 for an object of this version.",
    ),
    Difference(
        "the id of one type on an object of an unknown one",
        lambda v: _own(v) and _text(v, "id").partition("--")[0] not in {"", _type(v)},
        ONLY_OURS, "ours", "§2.9: the id begins with the object's type. stix2 cannot read it.",
    ),
    Difference(
        "upper-case digits in the id's UUID",
        lambda v: bool(re.search("[A-F]", _text(v, "id").partition("--")[2])),
        ONLY_OURS, "ours",
        "§2.9 takes the UUID of RFC 4122, which is written in lower case; two spellings would be "
        "two owners of one object (PROTOCOL 2.4). One OASIS example has it.",
    ),
    Difference(
        "an empty list or no extension in `extensions`",
        _has_empty_list, NOT_STIX2, BOTH,
        "§2.11: empty lists are prohibited. stix2 leaves them out and says nothing.",
    ),
    Difference(
        "an empty list below a list, or in a custom property of a marking",
        _has_hidden_empty_list, ONLY_OURS, "ours",
        "§2.11 holds at every depth; the validator does not look there.",
    ),
    Difference(
        "an empty list or null in an unknown type",
        lambda v: _own(v) and (_empties(v) or v.get("x_own", 0) is None),
        ONLY_VALIDATOR, "stix2-validator by the letter; ours on purpose",
        "§2.11. Of a type that we do not know only the common properties are ours to judge: what "
        "it holds is passed on, byte for byte.",
    ),
    Difference(
        "a property of an unknown type whose name is too short or has capitals or hyphens",
        lambda v: _own(v) and any(not _PROPERTY.fullmatch(name) for name in v),
        ONLY_VALIDATOR, "stix2-validator by the letter; ours on purpose",
        "§11.1: lower case, digits and underscores, 3 to 250 long. As above.",
    ),
    Difference(
        "such a name on a known type, beside a top-level extension",
        lambda v: any(not _PROPERTY.fullmatch(name) for name in _extra(v))
        and "toplevel-property-extension" in _kinds_of_extension(v)
        and _type(v) != "marking-definition",
        NOT_STIX2, BOTH, "§11.1, §7.3: the rule for names holds for properties of extensions too.",
    ),
    Difference(
        "`confidence` outside 0 to 100",
        lambda v: _known(v) and "confidence" not in _extra(v)
        and type(v.get("confidence")) is int and not _is_percentage(v["confidence"]),
        NOT_STIX2, BOTH, "§3.2: MUST be in the range of 0-100.",
    ),
    Difference(
        "an integer written with a fraction (80.0)",
        lambda v: type(v.get("confidence")) is float and v["confidence"].is_integer(),
        ONLY_OURS, "ours",
        "§2.7: an integer is a JSON number without a fraction; JSON Schema takes 80.0 for one.",
    ),
    Difference(
        "`lang` that is no language tag",
        lambda v: " " in _text(v, "lang"),
        NOT_STIX2, BOTH, "§3.2: MUST be a language code of RFC 5646; ours looks at its form alone.",
    ),
    Difference(
        "`created_by_ref` to what is no identity",
        lambda v: "created_by_ref" in v
        and not str(v["created_by_ref"]).startswith("identity--"),
        NOT_VALIDATOR, WITH_STIX2, "§3.2: MUST be of type identity.",
    ),
    Difference(
        "`object_marking_refs` to what is no marking-definition",
        lambda v: bool(_prefixes(v, "object_marking_refs") - {"marking-definition", ""})
        and isinstance(v["object_marking_refs"], list)
        # Where an extension makes a type, stix2 looks at nothing.
        and (not _own(v) or _is_unknown_to_stix2(v)),
        NOT_VALIDATOR, WITH_STIX2, "§3.2: MUST be of type marking-definition.",
    ),
    Difference(
        "a marking-definition that is marked by itself",
        lambda v: _type(v) == "marking-definition"
        and (v.get("id") in _refs(v, "object_marking_refs") or any(
            part.get("marking_ref") == v.get("id") for part in _dicts(v, "granular_markings")
        )),
        NOT_STIX2, BOTH, "§3.2: MUST NOT be circular.",
    ),
    Difference(
        "a granular marking of a language alone",
        _needs_old_marks, ONLY_VALIDATOR, WITH_STIX2,
        "§7.2.3.1: lang MUST be there when marking_ref is not. The OASIS schema demands "
        "marking_ref; we correct it when it is read.",
    ),
    Difference(
        "a granular marking with both `lang` and `marking_ref`",
        lambda v: _granular(v, "lang", "marking_ref"),
        NOT_VALIDATOR, WITH_STIX2, "§7.2.3.1: lang MUST NOT be there when marking_ref is.",
    ),
    Difference(
        "a TLP 1.0 marking-definition that is not the fixed one",
        _is_other_tlp1, NOT_STIX2, BOTH, "§7.2.1.4: the four are fixed instances.",
    ),
    Difference(
        "an extension without `extension_type`, or with an unknown one",
        lambda v: any(kind not in _EXTENSION_TYPES for kind in _kinds_of_extension(v))
        and _type(v) not in {"", "bundle"},
        NOT_STIX2, BOTH, "§7.3: extension_type is required and of a closed vocabulary.",
    ),
    Difference(
        "an extension under a word instead of an extension-definition's id",
        lambda v: "my-ext" in _extensions(v) and _known(v),
        ONLY_STIX2, BOTH, "§7.3 keeps the older form, a name that ends in -ext, valid.",
    ),
    Difference(
        "the dns-threat extension without its `match_scope`",
        lambda v: any(
            key.endswith("1cac9197-2746-5cc7-98e0-6262a0d35142") and "match_scope" not in part
            for key, part in _extensions(v).items()
        ),
        ONLY_OURS, "ours", "DNS 1: it is ours, the others cannot know it.",
    ),
    Difference(
        "a URL that is none",
        _has_vendor_uri, ONLY_VALIDATOR, ON_PURPOSE,
        "§6.15, §2.5: RFC 3986. Malicious URLs break it and are still what was seen.",
    ),
    Difference(
        "a name that is no host name",
        _is_no_hostname, ONLY_VALIDATOR, ON_PURPOSE,
        "§6.4: RFC 1034 and RFC 5890. Of 1.34 million real names 5,477 have an underscore (DNS 2); "
        "what is published as a name is read by schemas.dns.names.",
    ),
    Difference(
        "an address that is none",
        lambda v: _type(v) == "ipv4-addr" and _text(v, "value") == "no address",
        NOT_STIX2, BOTH, "§6.8: MUST be one address or a CIDR block.",
    ),
    Difference(
        "a pattern about a type with capitals",
        lambda v: "[Domain:" in _pattern(v), ONLY_VALIDATOR, ON_PURPOSE,
        "§9.7.1: type names are lower case; the OASIS grammar itself takes it, and no rule is "
        "made from a type that we do not know.",
    ),
    Difference(
        "an empty pattern of another language than STIX",
        lambda v: _type(v) == "indicator" and v.get("pattern") == ""
        and v.get("pattern_type") == "yara",
        ONLY_OURS, "ours", "§4.7.1: the pattern is required; nothing is detected by an empty one.",
    ),
    Difference(
        "a pattern of more than 4 KiB, or nested more than 16 deep",
        lambda v: len(_pattern(v)) > MAX_PATTERN_BYTES or _is_deep(v),
        ONLY_OURS, "ours on purpose",
        "The specification has no limit; the parser recurses (THREATS 32).",
    ),
    Difference(
        "`pattern_type` that is no lower-case word",
        lambda v: _type(v) == "indicator" and "pattern_type" in v
        and not _WORD.fullmatch(_text(v, "pattern_type")),
        ONLY_OURS, "ours",
        "§10.18, §2.13: the words are lower case. As STIX, nobody would have checked the pattern.",
    ),
    Difference(
        "a relationship or sighting of an object of an unknown type",
        _has_own_target, ONLY_STIX2, BOTH, "§5.1, §5.2, §11.2: custom objects may be related.",
    ),
    Difference(
        "`relationship_type` with capitals or underscores",
        lambda v: _type(v) == "relationship"
        and bool(re.search("[A-Z_]", _text(v, "relationship_type"))),
        NOT_STIX2, BOTH, "§5.1.1: MUST be lower-case letters, digits and hyphens.",
    ),
    Difference(
        "a sighting of an observable or of a relationship",
        lambda v: _type(v) == "sighting"
        and bool(_prefixes(v, "sighting_of_ref") & (SCO_TYPES | SRO_TYPES)),
        NOT_VALIDATOR, WITH_STIX2, "§5.2.1: sighting_of_ref MUST reference only an SDO.",
    ),
    Difference(
        "observed-data of what is neither observable nor relationship",
        lambda v: _type(v) == "observed-data"
        and bool(_prefixes(v, "object_refs") & (SDO_TYPES | META_TYPES)),
        NOT_VALIDATOR, WITH_STIX2, "§4.14.1: object_refs lists SCOs and SROs.",
    ),
    Difference(
        "a typed reference to another type",
        lambda v: _has_wrong_reference(v) and _type(v) != "sighting",
        NOT_VALIDATOR, WITH_STIX2, "§6.4, §6.12 and others: MUST be of these types.",
    ),
    Difference(
        "a hash under a name of one's own",
        lambda v: bool(_hashes(v) & {"FOO", "x_foo"}), ONLY_STIX2, BOTH,
        "§2.8, §10.8: the vocabulary of hash algorithms is open.",
    ),
    Difference(
        "network traffic with an `end` and without `is_active`",
        lambda v: _type(v) == "network-traffic" and "end" in v and "is_active" not in v,
        ONLY_STIX2, BOTH, "§6.12.1: is_active is optional; where it is there it MUST be false.",
    ),
    Difference(
        "a bundle where an object belongs",
        lambda v: _is_bundle(v) and "toplevel-property-extension" not in _kinds_of_extension(v),
        NOT_VALIDATOR, WITH_STIX2,
        "§8: a bundle is a container and no STIX object; the validator takes an empty one, and "
        "does not look at what else it has: marks and references of a bundle are nothing.",
    ),
    Difference(
        "a bundle with a top-level extension where an object belongs",
        lambda v: _is_bundle(v) and "toplevel-property-extension" in _kinds_of_extension(v),
        ONLY_OURS, "ours", "§8, as above; the extension makes stix2 take whatever else is there.",
    ),
)  # fmt: skip


def differences_of(value: Value) -> tuple[Difference, ...]:
    """The classes that an object belongs to."""
    return tuple(difference for difference in DIFFERENCES if difference.holds(value))
