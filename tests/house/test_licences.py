"""What others wrote stands beside its licence, and says where it came from."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import PurePath

import pytest

from tests.house.sources import ROOT, project_files, read_text

VENDORED = {"schemas/stix/oasis": "BSD-3-Clause"}
"""Directory with files of others: the licence's short name."""
DATA_SUFFIXES = {".json", ".js", ".css", ".txt", ".woff2", ".gz"}
OWN_DATA: dict[str, str] = {}
"""Directory inside a package with data files that are the project's own: what they are."""


def test_the_project_carries_its_own_licence():
    assert "Apache License" in read_text("LICENSE")
    project = tomllib.loads(read_text("pyproject.toml"))["project"]
    assert project["license"] == "Apache-2.0"
    missing = [name for name in project["license-files"] if not (ROOT / name).is_file()]
    assert not missing


@pytest.mark.parametrize("directory", VENDORED)
def test_vendored_files_stand_beside_their_licence(directory):
    licences = list((ROOT / directory).glob("LICENSE*"))
    assert licences
    project = tomllib.loads(read_text("pyproject.toml"))["project"]
    assert str(licences[0].relative_to(ROOT)) in project["license-files"]


@pytest.mark.parametrize("directory", VENDORED)
def test_vendored_files_are_those_that_their_readme_names(directory):
    """The digest is that of ``sha256sum`` over the files in the order of their names."""
    place = ROOT / directory
    files = sorted(path.relative_to(place).as_posix() for path in place.rglob("*.json"))
    listed = "".join(f"{_sha256((place / name).read_bytes())}  {name}\n" for name in files)
    assert _sha256(listed.encode()) in (place / "README.md").read_text(encoding="utf-8")


def test_no_data_file_in_a_package_is_of_unknown_origin():
    known = (*VENDORED, *OWN_DATA)
    unknown = [
        name
        for name in project_files()
        if name.split("/", 1)[0] in {"schemas", "federation", "hub"}
        and PurePath(name).suffix in DATA_SUFFIXES
        and not any(name.startswith(directory + "/") for directory in known)
    ]
    assert not unknown, f"vendored or our own? {unknown}"


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
