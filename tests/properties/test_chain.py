"""Chains and convergence: what is held depends on what was said, not on how it arrived.

Invariants 4 and 6 of THREATS: accepted seqs are 1…n without a gap and with one hash each; any
order of feeds, any cut of pages, any repetition comes to the same state.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identifiers import direct_audience
from schemas.markings import Tlp
from tests.support.joined_nodes import make_twin, view_rows
from tests.support.publications import Author, domain, indicator, marked, stix_id
from tests.support.stored_state import check_invariants, rows_of

FEW = settings.default.max_examples // 4
"""Each example makes a node or two."""
IDS = st.integers(0, 2)
AUDIENCES = st.sampled_from(["clear", "green", "direct"])
SAYING = st.one_of(
    st.tuples(st.just("put"), AUDIENCES, IDS),
    st.tuples(st.just("fact"), AUDIENCES, IDS),
    st.tuples(st.just("withdraw"), AUDIENCES, IDS),
    st.tuples(st.just("restrict"), AUDIENCES, IDS),
)
DELIVERY = st.tuples(AUDIENCES, st.integers(1, 4))


@contextmanager
def receiver(*authors: Author):
    with tempfile.TemporaryDirectory() as home:
        node = make_twin(Path(home) / "twin")
        for author in authors:
            author.meets(node, "trusted")
        yield node
        node.database.close()


class Story:
    """What one author says, as an origin would: a version is new, a withdrawal goes everywhere."""

    def __init__(self, author: Author, direct: str) -> None:
        self.author = author
        self.audiences = {"clear": "clear", "green": "green", "direct": direct}
        self.carried: dict[str, set[str]] = {}
        self.gone: set[str] = set()
        self.moment = 0

    def say(self, what: str, audience: str, number: int) -> None:
        name = self.audiences[audience]
        tlp = {"clear": Tlp.CLEAR, "green": Tlp.GREEN, "direct": Tlp.AMBER}[audience]
        policy: dict[str, Any] = {"policy": {"tlp": tlp.wire}} if audience == "direct" else {}
        self.moment += 1
        at = f"2026-03-01T09:{self.moment:02d}:00.000Z"
        identifier = stix_id("indicator", number)
        if what == "put":
            self.author.put(name, indicator(number, modified=at, name=at), **policy)
            self.carried.setdefault(identifier, set()).add(name)
        elif what == "fact":
            self.author.put("clear", domain(f"fact-{number}.example"))
        elif what == "restrict" and name in self.carried.get(identifier, ()):
            self.author.write(name, kind="restrict", ids=[identifier], tlp="amber+strict")
        elif what == "withdraw" and self.carried.get(identifier) and identifier not in self.gone:
            self.gone.add(identifier)
            for carrier in sorted(self.carried[identifier]):
                self.author.write(carrier, kind="retract", ids=[identifier])


def state_of(node: Any) -> Any:
    """What readers find, the order of arrival left out."""
    return {
        ceiling: sorted(
            (row["stix_id"], row["version"], bool(row["latest"]), row["content"])
            for row in view_rows(node, ceiling)
            if row["origin"] != node.node_id
        )
        for ceiling in Tlp
    }


@settings(max_examples=FEW)
@given(st.lists(SAYING, min_size=1, max_size=9), st.lists(DELIVERY, max_size=8))
def test_any_delivery_of_what_was_said_comes_to_the_same_views(story, deliveries):
    author = Author(1)
    results = []
    with receiver(author) as node:
        told = Story(author, direct_audience(node.node_id))
        for saying in story:
            told.say(*saying)
        order = list(deliveries) + [(name, None) for name in ("direct", "green", "clear")]
        for audience, length in order:
            name = told.audiences[audience]
            held = rows_of(
                node, f"SELECT last_seq FROM feeds WHERE feed = '{author.feed(name).name}'"
            )
            begin = max(0, (held[0]["last_seq"] if held else 0) - 1)
            author.deliver(node, name, after=begin, until=length and begin + length)
        results.append(state_of(node))
        check_invariants(node)
    with receiver(author) as other:
        for audience in ("clear", "green", "direct"):
            author.deliver(other, told.audiences[audience], after=0)
        results.append(state_of(other))
    assert results[0] == results[1]


@settings(max_examples=FEW)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6), st.booleans()), max_size=10))
def test_seqs_have_no_gap_and_one_hash_each(pages):
    """Pages from anywhere, repeated, with gaps, and some of a second history of the same author."""
    author, twin = Author(1), Author(1)
    for number in range(6):
        author.put("clear", indicator(number))
        twin.put("clear", indicator(number if number < 3 else number + 100))
    with receiver(author) as node:
        taken = None
        for begin, length, is_twin in pages:
            teller = twin if is_twin else author
            teller.deliver(node, "clear", after=begin, until=begin + length, sender=author)
            rows = rows_of(
                node, "SELECT seq, hash FROM entries WHERE sender IS NOT NULL ORDER BY seq"
            )
            held = [row["hash"] for row in rows]
            assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
            assert held in (
                author.feed("clear").hashes[: len(held)],
                twin.feed("clear").hashes[: len(held)],
            )
            assert taken is None or held[: len(taken)] == taken, "a held entry was exchanged"
            taken = held
        check_invariants(node)
        assert marked(indicator(1), Tlp.CLEAR)["id"] == stix_id("indicator", 1)
