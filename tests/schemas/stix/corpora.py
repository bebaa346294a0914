"""The three opinions, and the bodies of real objects that they are asked about."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import stix2

from schemas.errors import WireFormatError
from schemas.stix.validation import check_object
from tests.schemas.stix.differences import OURS, STIX2, VALIDATOR, differences_of
from tests.support.shared_data import shared_path

CORPORA = {
    "examples of OASIS": ("data/oasis-examples", "*.json"),
    "ATT&CK for ICS": ("data/attack", "*.json"),
    "the four cases of the product": ("stix", "*.json"),
}
FOUND: dict[str, tuple[int, dict[str, int]]] = {
    "examples of OASIS": (322, {"upper-case digits in the id's UUID": 1}),
    "ATT&CK for ICS": (
        1818,
        {
            "a custom property, or a common one that is not for this type": 1575,
            "a relationship or sighting of an object of an unknown type": 768,
            "an object of a type that nobody here knows": 242,
        },
    ),
    "the four cases of the product": (64, {}),
}
"""How many objects each body has and how many are in each class; the long test counts them."""


def refusers(value: dict[str, Any]) -> frozenset[str]:
    """Ask all three; return who refuses the object."""
    return frozenset(
        name
        for name, accepts in (
            (OURS, accepted_by_ours),
            (STIX2, accepted_by_stix2),
            (VALIDATOR, accepted_by_validator),
        )
        if not accepts(value)
    )


def accepted_by_ours(value: dict[str, Any]) -> bool:
    try:
        check_object(value)
    except WireFormatError:
        return False
    return True


def accepted_by_stix2(value: dict[str, Any]) -> bool:
    try:
        stix2.parse(value, version="2.1")
    except Exception:  # noqa: BLE001 - it stumbles over much of what it refuses
        return False
    return True


def accepted_by_validator(value: dict[str, Any]) -> bool:
    judge = _validator()
    try:
        return bool(judge(value).is_valid)
    except Exception:  # noqa: BLE001 - it stumbles with many kinds of error, and raises its own
        return False


@functools.cache
def _validator() -> Callable[[dict[str, Any]], Any]:
    # Its import takes seconds, and every process of a parallel run collects this module.
    from stix2validator import ValidationOptions, validate_instance  # noqa: PLC0415

    return functools.partial(validate_instance, options=ValidationOptions(version="2.1"))


def objects_of(corpus: str) -> list[dict[str, Any]]:
    """Read a body of real objects; the test is skipped where it is not there."""
    folder, names = CORPORA[corpus]
    found: list[dict[str, Any]] = []
    for path in sorted(shared_path(folder).glob(names)):
        value = json.loads(path.read_bytes())
        if isinstance(value, dict):
            value = value["objects"] if value["type"] == "bundle" else [value]
        found += value
    return found


def unexplained(value: dict[str, Any]) -> str:
    """Tell in what the table of differences is wrong about an object; nothing where it is right.

    Every class that an object is in names some who refuse it, and they have to. Where the three
    differ, the classes together have to name exactly those who refuse.
    """
    said = differences_of(value)
    expected = frozenset[str]().union(*(difference.refuse for difference in said))
    actual = refusers(value)
    if expected <= actual and (expected == actual or len(actual) == 3):
        return ""
    classes = [difference.what for difference in said]
    return (
        f"{sorted(actual)} refuse, by the table {sorted(expected)} ({classes}): {json.dumps(value)}"
    )


def count_classes(values: list[dict[str, Any]]) -> dict[str, int]:
    """Count the classes of differences in a body of objects, the most frequent first."""
    counted = Counter(found.what for value in values for found in differences_of(value))
    return dict(counted.most_common())
