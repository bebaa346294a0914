"""What is blocked of a name: never more than what those mean who suffice for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.node import Node
from hub.verdicts.explain_verdict import explain_name
from hub.verdicts.reach import common_reach
from tests.support.exported import exported_lines
from tests.support.nodes import make_node
from tests.support.told_claims import EVIL, authors, claim, make_verdicts, tell


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "cert")


def exported(node: Node) -> tuple[str, ...]:
    make_verdicts(node)
    return exported_lines(node, "organisation")


@pytest.mark.parametrize(
    ("scopes", "common"),
    [
        (["exact"], "exact"),
        (["subtree", "subtree"], "subtree"),
        (["wildcard-only"], "wildcard-only"),
        (["subtree", "exact"], "exact"),
        (["subtree", "wildcard-only"], "wildcard-only"),
        (["exact", "wildcard-only"], None),
        (["exact", "wildcard-only", "subtree"], None),
    ],
)
def test_a_reach_is_never_wider_than_what_every_claim_means(
    scopes: list[str], common: str | None
) -> None:
    assert common_reach(scopes) == common


def test_t38_who_means_what_is_below_a_name_lends_nothing_to_a_block_of_the_name(
    node: Node,
) -> None:
    """One trusted peer says a hardly believed word on the name, where two mean its subdomains."""
    for number, who in enumerate(authors(node, 2, "partner"), 1):
        tell(node, who, "clear", claim(EVIL, number, scope="wildcard-only", confidence=100))
    (lone,) = authors(node, 1, "trusted", first=5)
    tell(node, lone, "clear", claim(EVIL, 5, scope="exact", confidence=8))
    assert exported(node) == (f"*.{EVIL}",)


def test_where_neither_side_suffices_nothing_is_blocked(node: Node) -> None:
    one, two = authors(node, 2, "partner")
    tell(node, one, "clear", claim(EVIL, 1, scope="wildcard-only", confidence=100))
    tell(node, two, "clear", claim(EVIL, 2, scope="exact", confidence=100))
    assert exported(node) == ()
    assert explain_name(node, EVIL).views["clear"].codes == ("NOT_BLOCKED_REACH",)
