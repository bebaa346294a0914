"""Which blocks are in force: the hourly cap, guards looked at again, views apart."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub.errors import NotFound
from hub.node import Node
from hub.operators.tokens import add_token, revoke_token
from hub.verdicts.blocklist import (
    admit_blocks,
    audience_blocks,
    blocked_names,
    blocks_for,
    release_waiting,
)
from hub.verdicts.guard_names import add_guard
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from tests.support.asked_blocks import ask_for_blocks, withdraw_verdicts
from tests.support.nodes import FixedClock, make_node


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def node(tmp_path: Path, clock: FixedClock) -> Node:
    return make_node(tmp_path, "cert", clock, blocks_per_hour=3)


def admitted(
    node: Node, audience: str = "organisation", constituent: str | None = None
) -> list[str]:
    """What is blocked for an audience after its views were brought up to now."""
    with node.database.write() as tx:
        admit_blocks(tx, node, audience, constituent=constituent)
        return [each.name for each in blocked_names(tx, node, audience, constituent=constituent)]


def waiting(node: Node, audience: str = "organisation") -> list[str]:
    return [each.name for each in blocks_for(node, audience).waiting]


def test_no_more_than_the_cap_comes_into_force_in_an_hour(node: Node, clock: FixedClock) -> None:
    ask_for_blocks(node, [f"n{number}.example" for number in range(5)])
    ask_for_blocks(node, ["strongest.example"], result=0.97)
    assert admitted(node) == ["n0.example", "n1.example", "strongest.example"]
    assert waiting(node) == ["n2.example", "n3.example", "n4.example"]
    clock.advance(minutes=59)
    assert len(admitted(node)) == 3
    clock.advance(minutes=1)
    assert len(admitted(node)) == 6
    assert waiting(node) == []


def test_what_waited_longest_comes_first(node: Node, clock: FixedClock) -> None:
    ask_for_blocks(node, [f"old{number}.example" for number in range(4)])
    assert len(admitted(node)) == 3
    clock.advance(hours=1)
    ask_for_blocks(node, ["a-new.example"], result=0.98)
    assert "old3.example" in admitted(node)


def test_who_says_and_takes_back_brings_no_more_into_force_than_the_cap(
    node: Node, clock: FixedClock
) -> None:
    first = [f"n{number}.example" for number in range(3)]
    ask_for_blocks(node, first)
    assert admitted(node) == first
    withdraw_verdicts(node, first)
    ask_for_blocks(node, ["another.example"])
    assert admitted(node) == []
    clock.advance(hours=1)
    assert admitted(node) == ["another.example"]


def test_a_person_lets_pass_what_waits(node: Node) -> None:
    ask_for_blocks(node, [f"n{number}.example" for number in range(5)])
    admitted(node)
    with pytest.raises(WireFormatError):
        release_waiting(node, "organisation", reason=" ")
    assert release_waiting(node, "organisation", reason="An outbreak.") == 2
    assert waiting(node) == []


def test_no_cap_is_no_cap(tmp_path: Path) -> None:
    node = make_node(tmp_path, "free", blocks_per_hour=0)
    ask_for_blocks(node, [f"n{number}.example" for number in range(5)])
    assert len(admitted(node)) == 5


def test_what_is_no_longer_asked_for_ends_at_once(node: Node, clock: FixedClock) -> None:
    ask_for_blocks(node, ["stays.example", "goes.example"])
    ask_for_blocks(node, ["ages.example"], valid_until=clock.now() + timedelta(hours=1))
    assert len(admitted(node)) == 3
    withdraw_verdicts(node, ["goes.example"])
    clock.advance(hours=1)
    with node.database.read() as tx:
        assert [each.name for each in blocked_names(tx, node, "organisation")] == ["stays.example"]


@pytest.mark.parametrize("grade", ["refuse", "hold"])
def test_a_guard_stops_a_block_whatever_the_verdict_still_says(node: Node, grade: str) -> None:
    ask_for_blocks(node, ["www.bank.example"])
    ask_for_blocks(node, ["example"], match_scope="subtree")
    assert admitted(node) == ["www.bank.example"]
    add_guard(node, "bank.example", grade=grade)  # type: ignore[arg-type]
    assert admitted(node) == []
    stopped = blocks_for(node, "organisation").stopped
    assert [each.name for each in stopped] == ["example", "www.bank.example"]
    assert stopped[1].codes == (f"NOT_BLOCKED_GUARD_{grade.upper()}S",)


def test_each_audience_has_the_labels_that_it_may_observe(node: Node) -> None:
    for label in Tlp:
        ask_for_blocks(node, [f"{label.name.lower().replace('_', '-')}.example"], label)
    release = {who: release_waiting(node, who, reason="All.") for who in ("organisation", "public")}
    assert release == {"organisation": 4, "public": 1}
    assert admitted(node, "organisation") == [
        "amber-strict.example", "amber.example", "clear.example", "green.example",
    ]  # fmt: skip
    assert admitted(node, "constituents") == ["clear.example", "green.example"]
    assert admitted(node, "public") == ["clear.example"]


def test_a_view_is_the_same_whatever_stands_above_it(tmp_path: Path, clock: FixedClock) -> None:
    """Caps and queues too, or a full hour would tell that something stricter came in."""
    low, both = (make_node(tmp_path, name, clock, blocks_per_hour=3) for name in ("low", "both"))
    ask_for_blocks(both, [f"secret{number}.example" for number in range(9)], Tlp.AMBER_STRICT)
    for node in (low, both):
        ask_for_blocks(node, [f"open{number}.example" for number in range(5)], Tlp.CLEAR)
    assert admitted(both, "organisation")
    for _ in range(2):
        clock.advance(minutes=40)
        assert admitted(both, "public") == admitted(low, "public")
        assert waiting(both, "public") == waiting(low, "public")


def test_a_constituent_that_may_not_see_amber_gets_none_that_touches_it(node: Node) -> None:
    add_token(node, "bank", "constituent", zones=["bank.example"], max_tlp=Tlp.GREEN)
    ask_for_blocks(node, ["www.bank.example"], Tlp.AMBER)
    with node.database.read() as tx:
        view = audience_blocks(tx, node, "constituents", constituent="bank")
        assert (view.in_force, view.waiting, view.stopped) == ((), (), ())


def test_amber_goes_to_the_constituent_that_it_touches(node: Node) -> None:
    add_token(node, "bank", "constituent", zones=["bank.example"])
    add_token(node, "shop", "constituent", zones=["shop.example"])
    # Guards hold a constituent's own zone, so its AMBER is listed for it, as stopped.
    ask_for_blocks(node, ["phish.bank.example", "other.example"], Tlp.AMBER)
    assert admitted(node, "constituents", "bank") == []
    with node.database.read() as tx:
        view = audience_blocks(tx, node, "constituents", constituent="bank")
        others = audience_blocks(tx, node, "constituents", constituent="shop")
    assert [each.name for each in view.stopped] == ["phish.bank.example"]
    assert others.stopped == ()
    revoke_token(node, "bank")
    with pytest.raises(NotFound):
        admitted(node, "constituents", "bank")


def test_an_audience_is_one_of_three(node: Node) -> None:
    with pytest.raises(WireFormatError, match="no audience"):
        blocks_for(node, "everybody")
    with node.database.read() as tx, pytest.raises(WireFormatError):
        blocked_names(tx, node, "public", constituent="bank")
