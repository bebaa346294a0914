"""Objects that are right, for tests that then make one thing wrong."""

from __future__ import annotations

from typing import Any

IDENTITY = "identity--acf66caf-e4c1-56cc-9654-41163ae6420c"
GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
CREATED = "2026-03-01T10:00:00.000Z"


def sdo(stix_type: str, **members: Any) -> dict[str, Any]:
    return {
        "type": stix_type,
        "spec_version": "2.1",
        "id": f"{stix_type}--b23a303b-2d58-59b9-af74-02f586881b74",
        "created": CREATED,
        "modified": CREATED,
        **members,
    }


def indicator(**members: Any) -> dict[str, Any]:
    return sdo(
        "indicator",
        **{
            "created_by_ref": IDENTITY,
            "name": "evil.example",
            "pattern": "[domain-name:value = 'evil.example']",
            "pattern_type": "stix",
            "valid_from": CREATED,
            "valid_until": "2026-06-01T10:00:00.000Z",
            "confidence": 80,
            "labels": ["phishing"],
            **members,
        },
    )


def domain_name(**members: Any) -> dict[str, Any]:
    return {
        "type": "domain-name",
        "id": "domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7",
        "value": "example.com",
        **members,
    }
