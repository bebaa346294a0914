"""Every export format and every page for a SIEM is in the table of consumers, with what was run."""

from __future__ import annotations

import re

import pytest

from hub.exports.formats import FORMATS
from tests.house.sources import ROOT, read_text

CONSUMERS = "docs/consumers.md"
PAGES = sorted(path.name for path in (ROOT / "docs" / "siem").glob("*.md"))
WORDS = ("real program", "behaviour", "documentation")
_HOW = re.compile(r"^\| [^|]+ \| [^|]+ \| ([^|]+) \| \[[^\]]+\]\(([^)]+)\) \|$", re.MULTILINE)
_FORMAT = re.compile(r"^\| `([a-z]+)` \| (blocks|verdicts) \|", re.MULTILINE)
_TEST = re.compile(r"`(tests/[a-z0-9_/]+\.py)`")


def test_every_format_has_its_row_and_says_what_it_lists():
    rows = dict(_FORMAT.findall(read_text(CONSUMERS)))
    assert rows == {name: "blocks" if each.blocks else "verdicts" for name, each in FORMATS.items()}


def test_every_page_is_linked_and_every_row_says_how_in_one_of_three_words():
    text = read_text(CONSUMERS)
    rows = _HOW.findall(text)
    assert rows
    assert {how for how, _ in rows} == set(WORDS)
    assert all(f"**{word}**" in text for word in WORDS)
    assert {place.removeprefix("siem/") for _, place in rows if place.startswith("siem/")} == set(
        PAGES
    )


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_was_run_and_names_tests_that_are_there(page):
    text = read_text(f"docs/siem/{page}")
    _, heading, said = text.partition("## What was run here\n")
    assert heading, "say what was run here, and what is by documentation alone"
    named = _TEST.findall(said)
    assert named
    assert all((ROOT / name).is_file() for name in named)
    words = " ".join(said.split())
    assert any(each in words for each in ("was not run", "documentation alone", "real program"))
