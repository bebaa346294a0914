"""The objects that every server of the comparison gets: the same, and made from a number."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from schemas.strict_json import write_json
from tests.benchmarks.load import BATCH

_NAMESPACE = uuid.UUID("9f2c6c1c-3a3b-4d0e-9d0a-0d8a3b0c7f11")
_CLEAR = "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
"""CLEAR: no label stands in more views, so none costs more to add."""


def stix_id_of(number: int) -> str:
    """Name the indicator of a number."""
    return f"indicator--{_uuid(number)}"


def make_object(number: int) -> bytes:
    """Make the indicator of a number: a domain name, as most of what members share."""
    name = f"{number:07d}.{_uuid(number).hex[:12]}.example"
    at = f"2026-10-{number % 28 + 1:02d}T08:{number % 60:02d}:00.{number % 1000:03d}Z"
    return write_json(
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": stix_id_of(number),
            "created": at,
            "modified": at,
            "name": name,
            "description": "Domain name listed as phishing.",
            "indicator_types": ["malicious-activity"],
            "pattern": f"[domain-name:value = '{name}']",
            "pattern_type": "stix",
            "pattern_version": "2.1",
            "valid_from": at,
            "confidence": 80,
            "object_marking_refs": [_CLEAR],
        }
    )


def envelopes(first: int, count: int, batch: int = BATCH) -> Iterator[bytes]:
    """Make the bodies of Add Objects for ``count`` objects from number ``first`` on."""
    end = first + count
    for start in range(first, end, batch):
        made = [make_object(number) for number in range(start, min(start + batch, end))]
        yield b'{"objects":[' + b",".join(made) + b"]}"


def _uuid(number: int) -> uuid.UUID:
    # Version 4 by its looks, which some servers insist on for indicators.
    return uuid.UUID(bytes=uuid.uuid5(_NAMESPACE, str(number)).bytes, version=4)
