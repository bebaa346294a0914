"""Read STIX objects out of a local file: a bundle, a list of objects or one object.

Decides, for each object, kept or broken with the reason. One broken object does not spoil the
others: an operator who imports 1,800 objects wants 1,799 of them and the name of the last.

Invariants:
* nothing is lost: total = taken + skipped;
* an object is never repaired and never changed.

Does not: label anything (unmarked local STIX is AMBER+STRICT until a person labels it, PROTOCOL
3.1), decide ownership, or convert STIX 2.0 (``stix20_bundles``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from federation.policy.labels import markings_of
from hub.imports.drafts import ImportReport, SkippedLine
from schemas.errors import WireFormatError
from schemas.stix.objects import version_of
from schemas.stix.validation import check_object
from schemas.strict_json import strict_loads

MAX_BUNDLE_BYTES = 64 * 1024 * 1024
"""For a local file that an operator chose; what peers send is bounded by PROTOCOL 2.1."""
_LONGEST_ID = 300
_RED: Final = re.compile(r"tlp(?:_2_0)?'?: ?'?red\b", re.IGNORECASE)
"""In ``name`` (``TLP:RED``), ``definition`` (``{'tlp': 'red'}``) or TLP 2.0's extension."""


def read_bundle(
    data: bytes, *, max_bytes: int = MAX_BUNDLE_BYTES, refuses_red: bool = False
) -> tuple[list[dict[str, Any]], ImportReport]:
    """Read STIX 2.1 objects.

    Args:
        data: the bytes of the file.
        max_bytes: the limit for the whole file.
        refuses_red: as in ``keep_sound``.

    Returns:
        the good objects in their order, and a report whose "lines" are positions from 1 and
        whose texts are ids. A second object with the same id and version is
        ``E_STIX_DUPLICATE``; two versions of one object are both kept.

    Raises:
        WireFormatError: when the file as a whole cannot be read: ``E_JSON_*``, ``E_TOO_BIG``,
            ``E_SCHEMA`` (not STIX), ``E_STIX_VERSION`` (STIX 2.0).
    """
    found = objects_in(strict_loads(data, max_bytes=max_bytes))
    return keep_sound(found, refuses_red=refuses_red)


def keep_sound(
    found: Sequence[object], *, refuses_red: bool = False
) -> tuple[list[dict[str, Any]], ImportReport]:
    """Choose the sound objects of many, as ``read_bundle`` does; their positions count from 1.

    Args:
        refuses_red: what bears a mark that calls itself TLP:RED, under an id that is not TLP's, is
            ``E_RED_UNSUPPORTED``: as a mark that nobody understands it would be AMBER+STRICT.
    """
    red = _calling_themselves_red(found) if refuses_red else frozenset()
    taken: list[dict[str, Any]] = []
    skipped: list[SkippedLine] = []
    seen: dict[tuple[str, str], int] = {}
    for position, value in enumerate(found, 1):
        try:
            _check_kept(value, position, seen, red)
        except WireFormatError as error:
            skipped.append(SkippedLine(position, _id_of(value), error.code, error.detail))
        else:
            assert isinstance(value, dict)  # noqa: S101 - narrowed for mypy; it was checked
            taken.append(value)
    report = ImportReport(
        taken=len(taken), changed=(), skipped=tuple(skipped), total_lines=len(found)
    )
    return taken, report


def _calling_themselves_red(found: Sequence[object]) -> frozenset[str]:
    """Find the marking-definitions that say TLP:RED, sound or not, by what producers write."""
    return frozenset(
        value["id"]
        for value in found
        if isinstance(value, dict)
        and value.get("type") == "marking-definition"
        and isinstance(value.get("id"), str)
        and _RED.search(str([value.get("name"), value.get("definition"), value.get("extensions")]))
    )


def _check_kept(
    value: object, position: int, seen: dict[tuple[str, str], int], red: frozenset[str]
) -> None:
    if not isinstance(value, dict):
        raise WireFormatError("E_SCHEMA", "$: not an object")
    check_object(value)
    if red and not red.isdisjoint(markings_of(value)):
        raise WireFormatError("E_RED_UNSUPPORTED", "it prints TLP:RED")
    first = seen.setdefault((value["id"], version_of(value)), position)
    if first != position:
        raise WireFormatError("E_STIX_DUPLICATE", f"the same id and version as at position {first}")


def objects_in(value: object, *, old: bool = False) -> list[Any]:
    """Find the objects of a bundle, of a list, or one alone.

    Args:
        old: STIX 2.0 is what is wanted.

    Raises:
        WireFormatError: ``E_SCHEMA``, or ``E_STIX_VERSION`` for STIX 2.0 that is not wanted.
    """
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise WireFormatError(
            "E_SCHEMA", "neither a bundle, a list nor an object", "Give a STIX 2.1 bundle."
        )
    if value["type"] != "bundle":
        return [value]
    # A bundle names its version in STIX 2.0 alone; in 2.1 each object does (STIX 2.1 §8).
    if value.get("spec_version") == "2.0" and not old:
        raise WireFormatError(
            "E_STIX_VERSION",
            "the bundle is STIX 2.0",
            "Use `tocsin import` with --format stix20, which converts it to STIX 2.1.",
        )
    objects = value.get("objects", [])
    if not isinstance(objects, list):
        raise WireFormatError("E_SCHEMA", "$.objects: not a list", "Give a STIX 2.1 bundle.")
    return objects


def _id_of(value: object) -> str:
    stix_id = value.get("id") if isinstance(value, dict) else None
    return stix_id[:_LONGEST_ID] if isinstance(stix_id, str) else ""
