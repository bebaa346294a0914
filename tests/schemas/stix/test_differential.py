"""Three validators side by side: ours, stix2 and OASIS' stix2-validator 3.2.0 (LIBRARIES).

They differ on purpose and the table says where, so that an upgrade of one shows as a failure.
"""

from __future__ import annotations

from typing import Any

import pytest
import stix2
import stix2.exceptions
from stix2validator import ValidationOptions, validate_instance

from schemas.errors import WireFormatError
from schemas.stix.validation import check_object
from tests.schemas.stix.examples import domain_name, indicator, sdo


def ours(value: dict[str, Any]) -> bool:
    try:
        check_object(value)
    except WireFormatError:
        return False
    return True


def by_stix2(value: dict[str, Any]) -> bool:
    try:
        stix2.parse(value, version="2.1")
    except (stix2.exceptions.STIXError, ValueError):
        return False
    return True


def by_validator(value: dict[str, Any]) -> bool:
    return bool(validate_instance(value, ValidationOptions(version="2.1")).is_valid)


ALL, NONE, WE_ALONE_REFUSE = (True, True, True), (False, False, False), (False, True, True)
CASES = {
    "right": (indicator(), ALL),
    "right observable": (domain_name(), ALL),
    "no pattern": (
        {key: value for key, value in indicator().items() if key != "pattern"},
        NONE,
    ),
    "confidence out of range": (indicator(confidence=101), (False, True, False)),
    "valid_until not after valid_from": (indicator(valid_until=indicator()["valid_from"]), NONE),
    "any string as a pattern": (indicator(pattern="anything"), NONE),
    "any word in capitals as pattern_type": (indicator(pattern_type="STIX"), WE_ALONE_REFUSE),
    "modified before created": (
        indicator(modified="2025-01-01T00:00:00.000Z"),
        (False, True, False),
    ),
    "empty labels": (indicator(labels=[]), (False, True, False)),
    "31 February": (indicator(valid_from="2026-02-31T00:00:00.000Z"), NONE),
    "a family of malware without a name": (sdo("malware", is_family=True), NONE),
    "stop before start": (
        sdo(
            "relationship",
            relationship_type="uses",
            source_ref="malware--b23a303b-2d58-59b9-af74-02f586881b74",
            target_ref="tool--b23a303b-2d58-59b9-af74-02f586881b74",
            start_time="2026-02-01T00:00:00Z",
            stop_time="2026-01-01T00:00:00Z",
        ),
        NONE,
    ),
    "a sighting of an observable": (
        sdo("sighting", sighting_of_ref=domain_name()["id"]),
        (False, False, True),
    ),
    "a custom property": (indicator(x_own="value"), (True, False, True)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_three_validators_judge_as_the_table_says(name):
    value, expected = CASES[name]
    assert (ours(value), by_stix2(value), by_validator(value)) == expected


def test_canary_a_bad_object_fails_stix2_validator():
    # Version 3.3.1 ships no schemas and calls everything valid.
    assert not by_validator({"type": "indicator", "id": "no id"})
