"""What origins ask resolvers to do counts where all of them ask, and only softens (DNS 1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.node import Node
from hub.verdicts.blocklist import blocks_for
from schemas.dns.extensions import DNS_THREAT
from tests.support.exported import exported_bytes, exported_lines
from tests.support.nodes import FixedClock, make_node
from tests.support.told_claims import EVIL, authors, claim, make_verdicts, tell


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "hub", FixedClock())


def saying(*actions: str) -> dict[str, Any]:
    """What a claim asks for; without actions nothing."""
    return {"requested_actions": list(actions)} if actions else {}


def zone(node: Node, audience: str = "organisation") -> list[str]:
    """The records of names."""
    make_verdicts(node)
    return exported_bytes(node, "rpz", audience).decode().splitlines()[4:]


def said(node: Node, *asked: tuple[str, ...], label: str = "green", first: int = 1) -> None:
    """Let partners claim the name at a label, each asking for its actions."""
    for number, who in enumerate(authors(node, len(asked), "partner", first), first):
        value = claim(number=number, confidence=95)
        value["extensions"][DNS_THREAT] |= saying(*asked[number - first])
        tell(node, who, label, value, policy={"pap": "clear"})


def test_what_all_origins_ask_to_watch_is_blocked_nowhere(node: Node) -> None:
    said(node, ("monitor",), ("monitor", "patch"))
    assert zone(node) == []
    assert blocked_now(node) == [EVIL]
    assert exported_lines(node) == ()
    assert b"0.0.0.0" not in exported_bytes(node, "hosts")


def test_t40_one_voice_that_asks_to_watch_takes_no_block_away(node: Node) -> None:
    said(node, ("monitor",), ())
    assert zone(node) == [f"{EVIL} CNAME ."]
    assert exported_lines(node) == (EVIL,)


def test_of_what_is_asked_the_hardest_counts(node: Node) -> None:
    said(node, ("monitor", "block-nodata"), ("block-nodata",), ("monitor",))
    assert zone(node) == [f"{EVIL} CNAME *."]


def test_what_is_asked_above_a_view_changes_nothing_in_it(node: Node) -> None:
    said(node, ("monitor",), ("monitor",))
    said(node, (), label="amber", first=3)
    assert zone(node) == [f"{EVIL} CNAME ."]
    assert zone(node, "constituents") == []


def blocked_now(node: Node) -> list[str]:
    return [each.name for each in blocks_for(node, "organisation").in_force]
