"""What this release said on the wire, replayed (ARCHITECTURE, THREATS 3.16).

The files under ``transcripts/`` are of release 0.1. A change of them is a change of the wire.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.transcript_story import play
from tests.support.transcripts import (
    CHAPTERS,
    NOTICE,
    Chapter,
    Replaying,
    StoryClock,
    record,
)


@pytest.fixture(scope="module")
def recorded_anew() -> dict[str, str]:
    return record()


def test_the_recorded_requests_get_the_recorded_answers(tmp_path: Path) -> None:
    """Every request goes to a server as it was recorded, and the answer is the same bytes."""
    wire = Replaying(StoryClock(), ask_servers=True)

    play(tmp_path, wire)

    assert list(wire.chapters) == list(CHAPTERS)


def test_the_recorded_answers_are_read_to_the_recorded_state(tmp_path: Path) -> None:
    """Nobody answers but the files: pairing, pulls and the relay end as they did."""
    wire = Replaying(StoryClock(), ask_servers=False)

    play(tmp_path, wire)

    assert sum(len(chapter.held) for chapter in wire.chapters.values()) == 3


@pytest.mark.parametrize("name", CHAPTERS)
def test_recording_again_gives_the_same_file(name: str, recorded_anew: dict[str, str]) -> None:
    assert recorded_anew[name] == Chapter(name).path.read_text()


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_file_says_that_its_keys_protect_nothing(name: str) -> None:
    assert json.loads(Chapter(name).path.read_text())["notice"] == NOTICE


def test_the_story_shows_what_later_releases_need() -> None:
    exchanges = [e for name in CHAPTERS for e in Chapter.load(name).exchanges]
    bodies = [e.answer for e in exchanges]
    targets = {e.target.partition("?")[0] for e in exchanges}

    assert {e.status for e in exchanges} >= {200, 201, 202, 400, 401, 404}
    assert targets >= {
        "/.well-known/tocsin", "/federation/v1/node", "/federation/v1/pair", "/federation/v1/heads",
        "/federation/v1/wake", "/taxii2/fed/collections/", "/taxii2/", "/taxii2/intel/collections/",
    }  # fmt: skip
    assert any('"x_tocsin_relay_head"' in body for body in bodies)
    assert any('"kind\\":\\"retract' in body or "x-tocsin-entry" in body for body in bodies)
