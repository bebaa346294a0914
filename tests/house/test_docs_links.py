"""Every link inside the documents leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.sources import ROOT, documents, read_text

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchor(heading: str) -> str:
    """The anchor that GitHub and others give a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("document", documents())
def test_links_resolve(document):
    broken = []
    for target in LINK.findall(FENCE.sub("", read_text(document))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        place = (ROOT / document).parent / path if path else ROOT / document
        if not place.exists() or (fragment and fragment not in _anchors(place)):
            broken.append(target)
    assert not broken, f"{document}: {broken}"


def test_every_document_can_be_reached_from_the_readme():
    seen: set[Path] = set()
    to_visit = [(ROOT / "README.md").resolve()]
    while to_visit:
        place = to_visit.pop()
        if place in seen:
            continue
        seen.add(place)
        for target in LINK.findall(FENCE.sub("", place.read_text(encoding="utf-8"))):
            linked = (place.parent / target.partition("#")[0]).resolve()
            if linked.suffix == ".md" and linked.is_file():
                to_visit.append(linked)
    lost = [name for name in documents() if _is_prose(name) and (ROOT / name).resolve() not in seen]
    assert not lost, f"link these from where a reader would look: {lost}"


def _is_prose(name: str) -> bool:
    return name.startswith("docs/") or "/" not in name


def _anchors(place: Path) -> set[str]:
    return {anchor(heading) for heading in HEADING.findall(place.read_text(encoding="utf-8"))}
