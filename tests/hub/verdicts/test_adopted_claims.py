"""What a person who stands for a list adds: a lineage, at once, and never below its label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hub.node import Node
from hub.verdicts.adopted_claims import announced_names
from hub.verdicts.blocklist import admit_blocks, blocked_names, release_waiting
from hub.verdicts.explain_verdict import explain_name
from tests.support.nodes import FixedClock, make_node
from tests.support.stored_state import rows_of
from tests.support.told_claims import (
    authors,
    claim,
    clock_of,
    make_verdicts,
    tell,
)
from tests.support.told_sets import adopt, listed, names, release, tell_set

ONE, TWO, THREE = "one.cc", "three.cc", "two.cc"


@pytest.fixture
def node(tmp_path) -> Iterator[Node]:
    made = make_node(tmp_path, "hub", FixedClock())
    yield made
    made.database.close()


def blocked(node: Node) -> set[str]:
    with node.database.read() as tx:
        return {block.name for block in blocked_names(tx, node, "constituents")}


def states(node: Node) -> list[str]:
    return [
        row["state"] for row in rows_of(node, "SELECT state FROM domain_sets ORDER BY object_row")
    ]


def test_three_lineages_and_an_adoption_block_as_they_should(node):
    cert_a, cert_b = authors(node, 2)
    today = node.now().date()
    sealed = listed("both.cc", *names(2), days=(today, today))
    tell_set(node, cert_a, "green", sealed)
    tell(node, cert_b, "green", claim("both.cc", 9, threat="dga"), policy={"pap": "green"})
    make_verdicts(node)
    release_waiting(node, "constituents", reason="a test")
    assert blocked(node) == {"both.cc"}, "one lineage is not two"
    adopt(node, sealed)
    make_verdicts(node)
    with node.database.write() as tx:
        admit_blocks(tx, node, "constituents")
    assert blocked(node) == {"both.cc", *names(2)}
    with node.database.read() as tx:
        assert announced_names(tx) == {"both.cc", *names(2)}
    release(node, sealed)
    make_verdicts(node)
    assert blocked(node) == {"both.cc"}
    adopt(node, sealed)
    make_verdicts(node)
    clock_of(node).advance(hours=24)
    make_verdicts(node)
    assert blocked(node) == set(), "their day has passed"


def test_a_newer_list_keeps_the_word_for_the_names_that_it_still_has(node):
    """What it adds waits for a person, what it takes back is released, and both are said so."""
    (one,) = authors(node, 1)
    first, second = listed(*names(3)), listed(*list(names(4))[1:])
    tell_set(node, one, "green", first)
    adopt(node, first)
    make_verdicts(node)
    with node.database.write() as tx:
        admit_blocks(tx, node, "constituents")
    assert blocked(node) == set(names(3))
    clock_of(node).advance(minutes=1)
    tell_set(node, one, "green", second)
    taken_back, *kept, added = names(4)
    for _ in range(2):
        make_verdicts(node)
        with node.database.write() as tx:
            admit_blocks(tx, node, "constituents")
        assert blocked(node) == set(kept)
        for name in kept:
            evidence = explain_name(node, name).views["green"].evidence
            assert {line.origin for line in evidence} == {one.node_id, node.node_id}
        clock_of(node).advance(hours=12)  # and when they are looked at again
    views = explain_name(node, taken_back).views
    assert not any(view.evidence for view in views.values())
    assert [e.origin for e in explain_name(node, added).views["green"].evidence] == [one.node_id]


def test_a_newer_list_that_is_adopted_too_takes_the_place_of_the_old(node):
    (one,) = authors(node, 1)
    first, second = listed(*names(3)), listed(*names(4))
    tell_set(node, one, "green", first)
    adopt(node, first)
    make_verdicts(node)
    clock_of(node).advance(minutes=1)
    tell_set(node, one, "green", second)
    make_verdicts(node)
    assert states(node) == ["expanded", "expanded"]
    adopt(node, second)
    make_verdicts(node)
    with node.database.write() as tx:
        admit_blocks(tx, node, "constituents")
    assert blocked(node) == set(names(4))
    assert states(node) == ["dropped", "expanded"]


def test_released_the_old_list_is_let_go(node):
    (one,) = authors(node, 1)
    first, second = listed(*names(3)), listed(*names(4))
    tell_set(node, one, "green", first)
    adopt(node, first)
    make_verdicts(node)
    clock_of(node).advance(minutes=1)
    tell_set(node, one, "green", second)
    make_verdicts(node)
    release(node, first)
    make_verdicts(node)
    assert (blocked(node), states(node)) == (set(), ["dropped", "expanded"])


def test_the_names_of_an_adopted_list_wait_for_no_hour_and_take_nobodys_place(node):
    node = replace(node, settings=node.settings.model_copy(update={"blocks_per_hour": 1}))
    one, two = authors(node, 2)
    sealed = listed(*names(5))
    tell_set(node, one, "green", sealed)
    adopt(node, sealed)
    for author, number in ((one, 7), (two, 8)):
        tell(node, author, "green", claim("other.cc", number), policy={"pap": "green"})
    make_verdicts(node)
    with node.database.write() as tx:
        admit_blocks(tx, node, "constituents")
    assert blocked(node) == {"other.cc", *names(5)}


def test_an_adoption_at_a_stricter_label_does_not_show_at_a_laxer_one(node):
    one, two = authors(node, 2)
    sealed = listed(ONE)
    tell_set(node, one, "amber", sealed, 1)
    adopt(node, sealed)
    clock_of(node).advance(minutes=1)
    tell_set(node, two, "green", sealed, 2)
    make_verdicts(node)
    green = explain_name(node, ONE).views["green"]
    assert [line.origin for line in green.evidence] == [two.node_id]
    amber = explain_name(node, ONE).views["amber"]
    assert node.node_id in {line.origin for line in amber.evidence}
