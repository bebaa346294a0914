"""Writes ``docs/stix-validation.md`` from the table of differences.

python -m tests.schemas.stix.validation_document
"""

from __future__ import annotations

from pathlib import Path

from tests.schemas.stix.corpora import FOUND
from tests.schemas.stix.differences import DIFFERENCES, OURS, STIX2, VALIDATOR

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "stix-validation.md"

_HEAD = """\
# How STIX objects are checked, and where others differ

Every object that comes in, from a producer or from a peer, is checked by `schemas/stix`: the JSON
schemas of OASIS (vendored, compiled once, nothing is fetched), then the MUSTs of the specification
that the schemas let through (`musts.py`, `references.py`), then the pattern: a strict expression
for simple comparisons, the grammar of OASIS for the rest, under a cap of 4 KiB and 16 levels.
TLP 1.0 and TLP 2.0 marks are both understood, by their ids alone; an object is kept byte for byte.
One that fails is named in the status of its request with its place, its code and the JSON path,
and the others of its batch are stored.

Two libraries are the second and third opinion in the tests: `stix2` 3.0 and `stix2-validator`
3.2.0. The three were asked about the examples of OASIS, about ATT&CK for ICS, about the four cases
that this product exists for, and about generated objects with faults. This is every class of
objects that they do not judge alike; one that is not listed fails the tests
(`tests/schemas/stix/test_differential.py`; everything in `make test-long`).

This page is written by `python -m tests.schemas.stix.validation_document`. Sections (§) are those
of STIX 2.1; ✓ accepts, ✗ refuses.

## Classes of differences

| class | ours | stix2 | stix2-validator | right | why |
|---|---|---|---|---|---|
"""
_REAL = """
## In real objects

| objects of | number | classes of differences |
|---|---|---|
"""


def write_document() -> str:
    """Write the page."""
    lines = [_HEAD]
    for found in DIFFERENCES:
        marks = " | ".join("✗" if who in found.refuse else "✓" for who in (OURS, STIX2, VALIDATOR))
        lines.append(f"| {found.what} | {marks} | {found.right} | {found.why} |\n")
    lines.append(_REAL)
    for corpus, (number, classes) in FOUND.items():
        told = "; ".join(f"{what}: {count}" for what, count in classes.items()) or "none"
        lines.append(f"| {corpus} | {number} | {told} |\n")
    return "".join(lines)


if __name__ == "__main__":
    DOCUMENT.write_text(write_document(), encoding="utf-8")
