"""Whether one received STIX object is well-formed: the OASIS schemas, then our own MUSTs.

Decides: an object of a known type against its vendored schema (``schemas/stix/oasis``) and
``musts.py``; an object of any other type against the common properties alone.

Invariants:
* nothing is fetched: a reference to a schema that is not vendored fails, it never goes out;
* expressions in the schemas run in an engine of linear time (``RegexOptions``): the schemas'
  nested repetitions would else let a crafted type name stall the node;
* the object is read, never changed: what was signed stays what was signed.

Does not: judge markings, ownership or references (``federation/policy``, ``federation/feeds``);
assert the schemas' ``format`` words, for real names break RFC 5890 and are still malicious.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import jsonschema_rs
import orjson

from schemas.errors import WireFormatError
from schemas.stix.moulds import MOST_MOULDS, mould_of
from schemas.stix.musts import check_identity, check_musts
from schemas.stix.objects import META_TYPES, SCO_TYPES, SDO_TYPES, SRO_TYPES
from schemas.strict_json import strict_loads

_BASE = "http://raw.githubusercontent.com/oasis-open/cti-stix2-json-schemas/stix2.1/schemas/"
"""The names that the OASIS schemas give themselves; identifiers here, never fetched."""
_FOLDERS = {
    "common": META_TYPES,
    "observables": SCO_TYPES,
    "sdos": SDO_TYPES,
    "sros": SRO_TYPES,
}
_FOLDER_OF = {stix_type: folder for folder, types in _FOLDERS.items() for stix_type in types}
_LONGEST_DETAIL = 240

_COMMON_PROPERTIES: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "created": {"$ref": f"{_BASE}common/timestamp.json"},
        "modified": {"$ref": f"{_BASE}common/timestamp.json"},
        "created_by_ref": {"$ref": f"{_BASE}common/identifier.json"},
        "revoked": {"type": "boolean"},
        "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
        "labels": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "object_marking_refs": {
            "type": "array",
            "items": {"$ref": f"{_BASE}common/identifier.json"},
            "minItems": 1,
        },
        "granular_markings": {
            "type": "array",
            "items": {"$ref": f"{_BASE}common/granular-marking.json"},
            "minItems": 1,
        },
        "lang": {"type": "string"},
        "external_references": {"$ref": f"{_BASE}common/core.json#/properties/external_references"},
        "extensions": {"$ref": f"{_BASE}common/core.json#/properties/extensions"},
    },
}
"""What every object shares (STIX 2.1 §3.1 and §3.2), for types that no schema describes.

Also for observables and meta objects, of which the schemas leave out what is "not applicable": a
``revoked`` or ``confidence`` may stand there as a custom property, but only as what its name says,
because importers and we ourselves read it by that name.
"""
_SLIM_TYPES = SCO_TYPES | META_TYPES


def check_object(value: Mapping[str, Any]) -> bytes | None:
    """Check one STIX 2.1 object.

    Args:
        value: as read by ``strict_loads``.

    Returns:
        Its mould, where it has one (``moulds``).

    Raises:
        WireFormatError: ``E_SCHEMA``; the detail names the JSON path and what is wrong there.
    """
    instance = value if isinstance(value, dict) else dict(value)
    mould = mould_of(instance)
    if mould is None or not _is_sound(mould):
        _check_by_itself(instance)
    return mould


@lru_cache(maxsize=MOST_MOULDS)
def _is_sound(mould: bytes) -> bool:
    try:
        _check_by_itself(strict_loads(mould))
    except WireFormatError:
        return False  # the object itself is checked, so that the detail speaks of it
    return True


def _check_by_itself(instance: dict[str, Any]) -> None:
    # (1) Type, id and specification version: everything after relies on them.
    stix_type = check_identity(instance)
    # (2) The schema of the type, or the common properties of an unknown one.
    try:
        if stix_type in _FOLDER_OF:
            _validator(stix_type).validate(instance)
        if stix_type not in _FOLDER_OF or stix_type in _SLIM_TYPES:
            _validator(None).validate(instance)
    except jsonschema_rs.ValidationError as error:
        raise WireFormatError("E_SCHEMA", _detail(error)) from None
    except ValueError as error:
        # Not JSON at all, such as a set: it cannot have come from strict_loads.
        raise WireFormatError("E_SCHEMA", str(error)[:_LONGEST_DETAIL]) from None
    # (3) What the schemas let through.
    check_musts(instance)


def _detail(error: jsonschema_rs.ValidationError) -> str:
    path = "$" + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path
    )
    return f"{path}: {error.message}"[:_LONGEST_DETAIL]


@cache
def _validator(stix_type: str | None) -> jsonschema_rs.Draft202012Validator:
    """Compile the validator of one type, once; None is the one for unknown types."""
    schema = (
        _COMMON_PROPERTIES
        if stix_type is None
        else _documents()[f"{_BASE}{_FOLDER_OF[stix_type]}/{stix_type}.json"]
    )
    return jsonschema_rs.Draft202012Validator(
        schema,
        registry=_registry(),
        pattern_options=jsonschema_rs.RegexOptions(),
        offline=True,
        # The detail goes to logs and to the sender: it names the place, never the content.
        mask="the value",
    )


@cache
def _registry() -> jsonschema_rs.Registry:
    return jsonschema_rs.Registry(list(_documents().items()), retriever=_refuse_retrieval)


def _refuse_retrieval(uri: str) -> Any:
    raise LookupError(f"schema {uri} is not vendored")


@cache
def _documents() -> Mapping[str, dict[str, Any]]:
    """Read the vendored schemas, by the name each gives itself."""
    root = files("schemas.stix") / "oasis"
    documents: dict[str, dict[str, Any]] = {}
    for folder in _FOLDERS:
        for path in (root / folder).iterdir():
            if path.name.endswith(".json"):
                schema = _read_schema(path)
                documents[schema["$id"]] = schema
    return documents


def _as_it_is(schema: dict[str, Any]) -> dict[str, Any]:
    return schema


def _allow_language_marks(schema: dict[str, Any]) -> dict[str, Any]:
    """Let a granular marking be a language, as the specification does and the schema does not.

    Exactly one of ``marking_ref`` and ``lang`` (STIX 2.1 §7.2.3.1).
    """
    return schema | {
        "required": ["selectors"],
        "oneOf": [{"required": ["marking_ref"]}, {"required": ["lang"]}],
    }


_CORRECTIONS = {"granular-marking.json": _allow_language_marks}
"""Where a vendored schema contradicts the specification; the files stay as they came."""


def _read_schema(path: Traversable) -> dict[str, Any]:
    # orjson and not strict_loads: these are our own files, never a peer's.
    schema = orjson.loads(path.read_bytes())
    if not isinstance(schema, dict):
        raise TypeError(f"{path.name} is not a JSON schema")
    return _CORRECTIONS.get(path.name, _as_it_is)(schema)
