"""One indicator a label, each with words that occur nowhere else, to search leaks by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LABELS = ("clear", "green", "amber", "amber+strict")
MARKING_IDS = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
}


@dataclass(frozen=True)
class Needle:
    """An indicator that is published at one label."""

    label: str
    number: int

    @property
    def name(self) -> str:
        return f"needle-{self.number}-{self.label.replace('+', '-')}.example"

    @property
    def stix_id(self) -> str:
        return f"indicator--3b1f0c5a-{self.number:04}-4000-8000-{LABELS.index(self.label):012}"

    @property
    def traces(self) -> tuple[bytes, ...]:
        """What must not be found where it may not be."""
        return (self.name.encode(), self.stix_id.encode())

    def value(self, **changes: Any) -> dict[str, Any]:
        return {
            "type": "indicator",
            "spec_version": "2.1",
            "id": self.stix_id,
            "created": "2026-03-01T09:00:00.000Z",
            "modified": "2026-03-01T09:00:00.000Z",
            "name": self.name,
            "pattern": f"[domain-name:value = '{self.name}']",
            "pattern_type": "stix",
            "valid_from": "2026-03-01T09:00:00Z",
        } | changes

    def file(self, folder: Path) -> Path:
        """Write it as a bundle and return the file."""
        return write_bundle(folder / f"{self.name}.json", self.value())


def needles(number: int = 1) -> dict[str, Needle]:
    """One needle of every label."""
    return {label: Needle(label, number) for label in LABELS}


def write_bundle(path: Path, *objects: dict[str, Any]) -> Path:
    """Write objects as a STIX bundle."""
    bundle = {"type": "bundle", "id": "bundle--5d6e2f5c-4f3c-4c7e-9a43-0d1f4e2b7a10"}
    path.write_text(json.dumps(bundle | {"objects": list(objects)}))
    return path
