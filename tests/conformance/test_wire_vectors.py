"""What federation brought to the wire, read by the product (PROTOCOL 2.4 to 2.6, 2.10, 4.2).

The vectors were built from the text by ``tests.support.wire``, which imports nothing of the
product; where one and the code differ, one of the two is wrong: find out which.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from federation.errors import ContentRejected
from federation.feeds.chain import ChainState, advance, decide_next
from federation.feeds.entry import open_entry
from federation.identity.node_document import PinnedNode, pin_chain
from hub.exchange.received_content import judge_content
from schemas.identifiers import FeedName
from tests.support.vector_reader import VectorReader
from tests.support.wire_vectors import SUBJECTS, file_of, text_of

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FILES: dict[str, Any] = {
    name: json.loads(file_of(name).read_bytes()) for name in SUBJECTS if file_of(name).exists()
}

ORGANISATIONS = {
    name: organisation
    for subject in FILES.values()
    for name, organisation in subject["organisations"].items()
}


def vectors(reads: str) -> list[Any]:
    return [
        pytest.param(vector, id=f"{name}: {vector['what']}")
        for name, subject in FILES.items()
        for vector in subject["vectors"]
        if vector["reads"] == reads
    ]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorReader]:
    made = VectorReader.make(tmp_path_factory.mktemp("vectors"))
    yield made
    made.node.database.close()


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_committed_vectors_are_what_the_generator_builds(name: str) -> None:
    assert file_of(name).read_text(encoding="utf-8") == text_of(name)


def test_the_generator_imports_nothing_of_the_product() -> None:
    for file in (Path(__file__).parents[1] / "support" / "wire").glob("*.py"):
        lines = [line.split() for line in file.read_text().splitlines() if "import " in line]
        names = {words[1].split(".")[0] for words in lines if words[0] in ("import", "from")}
        assert not names & {"federation", "hub", "schemas"}, file


def named_in(given: Any) -> dict[str, Any]:
    """The organisations that a vector's steps name, by their names."""
    values = [value for step in given["steps"] for value in step.values() if "clock" not in step]
    names = {value[member] for value in values for member in ("of", "sender") if member in value}
    origins = {value["feed"].split("/")[0] for value in values if "feed" in value}
    return {
        name: organisation
        for name, organisation in ORGANISATIONS.items()
        if name in names or organisation["node_id"] in origins
    }


def pinned(name: str) -> PinnedNode:
    documents = ORGANISATIONS[name]["documents"]
    return pin_chain(documents, expected=ORGANISATIONS[name]["node_id"], allow_demo=False)


@pytest.mark.parametrize("vector", vectors("entries"))
def test_what_the_content_of_entries_comes_to(vector: Any) -> None:
    given = vector["input"]
    origin, feed = pinned(given["of"]), FeedName.read(given["feed"])
    state, found = ChainState(feed), []
    for dsse in given["entries"]:
        entry = open_entry(dsse, pinned=origin, feed=feed)
        decide_next(state, entry, now=NOON, known_hash=None, via_relay=False)
        state = advance(state, entry)
        try:
            judge_content(entry, origin)
        except ContentRejected as rejected:
            found.append(f"rejected {rejected.code}")
        else:
            found.append("stored")
    assert found == vector["expect"]


@pytest.mark.parametrize("vector", vectors("steps"))
def test_what_steps_come_to(vector: Any, reader: VectorReader) -> None:
    given, expect = vector["input"], vector["expect"]
    named = named_in(given)
    origins = frozenset(organisation["node_id"] for organisation in named.values())
    reader.meet(named)
    assert reader.read(given) == expect["steps"]
    feeds = {step["pull"]["feed"] for step in given["steps"] if "pull" in step}
    if "holds" in expect:
        held = {feed: reader.holds(feed) for feed in feeds | expect["holds"].keys()}
        assert {feed: found for feed, found in held.items() if found} == expect["holds"]
    if "closed" in expect:
        assert [feed for feed in feeds if reader.is_closed(feed)] == expect["closed"]
    for label, ids in expect.get("shows", {}).items():
        assert sorted(reader.shows(label, origins)) == sorted(ids), label
    if "revoked" in expect:
        shown = reader.shows("amber+strict", origins)
        assert [stix_id for stix_id, revoked in shown.items() if revoked] == expect["revoked"]
    if "vouches" in expect:
        assert reader.vouches(origins) == sorted(expect["vouches"])
