"""What federation brought to the wire, read by the product (PROTOCOL 2.4 to 2.6, 2.10, 4.2).

The vectors were built from the text by ``tests.support.wire``, which imports nothing of the
product; where one and the code differ, one of the two is wrong: find out which.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from federation.delivery.carried_file import open_end
from federation.errors import ContentRejected
from federation.feeds.acks import open_ack
from federation.feeds.chain import ChainState, advance, decide_next
from federation.feeds.entry import open_entry
from federation.feeds.forks import read_fork_proof
from federation.feeds.relay_proofs import read_relay_proof
from federation.identity.node_document import PinnedNode, pin_chain
from federation.identity.rotation import decide_update
from federation.identity.wire_version import require_common
from federation.trust.presets import TrustLevel
from federation.trust.vouching import (
    Voucher,
    decide_introduction,
    open_vouch,
    vouchable_documents,
)
from hub.exchange.received_content import judge_content
from hub.peers.carried import open_carried
from schemas.errors import TocsinError
from schemas.identifiers import FeedName
from schemas.strict_json import write_json
from schemas.timestamps import write_wire_time
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


@contextmanager
def expected(expect: Any) -> Iterator[None]:
    """Nothing but the code that a vector expects, or nothing at all."""
    if "code" not in expect:
        yield
        return
    with pytest.raises(TocsinError) as refused:
        yield
    because = {"because": refused.value.params["because"]} if "because" in expect else {}
    assert {"code": refused.value.code} | because == expect


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


@pytest.mark.parametrize("vector", vectors("ack"))
def test_what_an_ack_says(vector: Any) -> None:
    given = vector["input"]
    with expected(vector["expect"]):
        ack = open_ack(
            given["dsse"], acker=pinned(given["by"]), origin=pinned(given["origin"]).node_id
        )
        found: dict[str, object] = {"did": ack.did}
        if ack.terms is not None:
            found["terms"] = ack.terms
        if ack.passed_on is not None:
            passed_on = ack.passed_on
            found["passed_on"] = {"readers": passed_on.readers, "confirmed": passed_on.confirmed}
        assert vector["expect"] == {"value": found}


@pytest.mark.parametrize("vector", vectors("proof"))
def test_what_a_proof_shows(vector: Any) -> None:
    given, expect = vector["input"], vector["expect"]
    accused, origin = pinned(given["accused"]), pinned(given["origin"])
    with expected(expect):
        if given["proof"]["type"] == "fork":
            fork = read_fork_proof(given["proof"], accused)
            assert (fork.to_json(), {"seq": fork.seq}) == (given["proof"], expect)
        else:
            relay = read_relay_proof(given["proof"], relay=accused, origin=origin)
            assert (relay.to_json(), {"relay": relay.relay}) == (given["proof"], expect)


@pytest.mark.parametrize("vector", vectors("vouch"))
def test_what_a_vouch_says_and_whether_it_counts(vector: Any) -> None:
    given, expect = vector["input"], vector["expect"]
    subject, by = pinned(given["subject"]), pinned(given["by"])
    with expected(expect):
        vouch = open_vouch(given["dsse"], voucher=by)
        assert {"subject": vouch.subject, "scopes": list(vouch.scopes)} == expect["value"]
        trusted = {by.node_id: Voucher(by.node_id, TrustLevel.TRUSTED, frozenset({"a.example"}))}
        now = datetime.fromisoformat(given["now"])
        heard = decide_introduction([vouch], trusted, vouchable_documents(subject), now)
        assert bool(heard.vouches) == expect["counts"]


@pytest.mark.parametrize("vector", vectors("documents"))
def test_what_becomes_of_node_documents(vector: Any) -> None:
    given = vector["input"]
    with expected(vector["expect"]):
        held = pin_chain(given["held"], expected=None, allow_demo=False)
        update = decide_update(held, given["offered"], allow_demo=False)
        newest = update.pinned.newest
        assert vector["expect"] == {
            "version": newest.version,
            "newest": newest.hash,
            "frozen": update.conflict is not None,
        }


@pytest.mark.parametrize("vector", vectors("wire"))
def test_which_version_is_spoken(vector: Any) -> None:
    newest = pinned(vector["input"]["of"]).newest
    with expected(vector["expect"]):
        assert vector["expect"] == {"version": require_common("peer", newest.wire)}


@pytest.mark.parametrize("vector", vectors("file"))
def test_what_a_carried_file_brings(vector: Any, tmp_path: Path) -> None:
    given, expect, path = vector["input"], vector["expect"], tmp_path / "carried"
    path.write_bytes(base64.b64decode(given["file"]))
    with expected(expect), open_carried(path) as file:
        sender = pinned(given["by"])
        signed = open_end(file.end, file.carriage, sender=sender)
        file.survey(signed)
        assert file.node_documents_chain() == ORGANISATIONS[given["by"]]["documents"]
        assert expect == {
            "from": file.carriage.sender,
            "to": file.carriage.recipient,
            "made_at": write_wire_time(file.carriage.made_at),
            "lines": signed.lines,
            "feeds": {str(feed): len(file.page(feed, 0).objects) for feed in file.feeds},
            "acks": len(list(file.acks())),
        }


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
    for place, record in expect.get("serves", {}).items():
        feed, seq = place.split("#")
        assert reader.record(feed, int(seq)) == write_json(record)
    if "vouches" in expect:
        assert reader.vouches(origins) == sorted(expect["vouches"])
