"""Blocks come into force in bounded writes, and never by what was decided on something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.node import Node
from hub.verdicts.block_turns import BlockTurn, plan_turn, take_turn
from hub.verdicts.blocklist import admit_blocks, blocked_names, blocks_for
from tests.support.asked_blocks import ask_for_blocks, withdraw_verdicts
from tests.support.nodes import FixedClock, make_node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "cert", FixedClock(), blocks_per_hour=3)


def planned(node: Node, audience: str = "organisation") -> BlockTurn:
    with node.database.read() as tx:
        return plan_turn(tx, node, audience)


def in_force(node: Node) -> list[str]:
    return [each.name for each in blocks_for(node, "organisation").in_force]


def test_what_is_shown_is_what_is_in_force_afterwards(node: Node) -> None:
    ask_for_blocks(node, [f"n{number}.example" for number in range(5)])
    turn = planned(node)
    assert in_force(node) == []  # a plan changes nothing
    assert take_turn(node, turn) is not None
    assert blocks_for(node, "organisation") == turn.shown
    assert in_force(node) == ["n0.example", "n1.example", "n2.example"]
    withdraw_verdicts(node, ["n0.example"])
    again = planned(node)
    assert take_turn(node, again) is not None
    assert in_force(node) == ["n1.example", "n2.example"]  # the hour is full


def test_a_plan_is_as_good_as_bringing_it_up_to_now_in_one_write(node: Node) -> None:
    ask_for_blocks(node, [f"n{number}.example" for number in range(5)])
    shown = planned(node).shown
    with node.database.write() as tx:
        admit_blocks(tx, node, "organisation")
        found = blocked_names(tx, node, "organisation")
    assert tuple(found) == shown.in_force


def test_where_nothing_changes_nothing_is_written(node: Node) -> None:
    ask_for_blocks(node, ["a.example"])
    take_turn(node, planned(node))
    turn = planned(node)
    assert take_turn(node, turn) == turn.mark


def test_not_more_than_the_hour_bears_though_two_admit_at_once(node: Node) -> None:
    ask_for_blocks(node, [f"n{number}.example" for number in range(3)])
    first = planned(node)
    ask_for_blocks(node, [f"a{number}.example" for number in range(3)])
    second = planned(node)
    assert take_turn(node, second) is not None
    assert take_turn(node, first) is None
    assert len(in_force(node)) == 3


def test_many_take_several_writes(node: Node) -> None:
    ask_for_blocks(node, [f"n{number}.example" for number in range(5)])
    assert take_turn(node, planned(node), at_once=2) is not None
    assert len(in_force(node)) == 3
    assert len(blocks_for(node, "organisation").waiting) == 2
