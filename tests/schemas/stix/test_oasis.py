"""The vendored schemas are the ones that the README says they are."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import schemas.stix
from schemas.stix import validation
from schemas.stix.objects import KNOWN_TYPES

ROOT = Path(schemas.stix.__file__).parent / "oasis"


def test_the_digest_in_the_readme_is_that_of_the_files():
    paths = sorted(
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.json")
        if path.relative_to(ROOT).parts[0] in {"common", "observables", "sdos", "sros"}
    )
    listing = "".join(
        f"{hashlib.sha256((ROOT / path).read_bytes()).hexdigest()}  {path}\n" for path in paths
    )
    digest = hashlib.sha256(listing.encode()).hexdigest()
    assert re.findall(r"`([0-9a-f]{64})`", (ROOT / "README.md").read_text()) == [digest]


def test_the_licence_lies_beside_them():
    assert "OASIS Open" in (ROOT / "LICENSE.txt").read_text()


def test_every_known_type_has_a_schema_that_compiles_without_the_network():
    for stix_type in sorted(KNOWN_TYPES):
        validation._validator(stix_type)
