"""THREATS 18: who writes others' claims anew under its own name is told to a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.monitoring.alarm_words import words_of
from hub.monitoring.alarms import close_alarm, list_alarms
from hub.node import Node
from hub.storage.queries.feeds import find_feed, list_feeds
from hub.storage.queries.positions import note_position
from schemas.identifiers import direct_audience
from schemas.markings import Tlp
from tests.support.nodes import make_node, publish_names
from tests.support.publications import Author
from tests.support.told_claims import (
    EVIL,
    authors,
    claim,
    clock_of,
    make_verdicts,
    tell,
    verdicts_seen,
)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "cert")


def holds(node: Node, who: Author, of: Author, label: str, seq: int = 1) -> None:
    """Let the node know that somebody holds another's feed up to a number."""
    audience = label if label in {"clear", "green"} else direct_audience(node.node_id)
    with node.database.write() as tx:
        feed = find_feed(tx, of.feed(audience).name)
        assert feed is not None
        note_position(tx, feed.feed_row, who.node_id, seq, "push", node.now())


def copied(node: Node, first: str, copy: str, *, trust: str = "trusted", **later: Any) -> Author:
    """One claims a name, another holds that and claims it too; returns the other."""
    one, two = authors(node, 2, trust)
    tell(node, one, first, claim(EVIL, 1))
    holds(node, two, one, first)
    make_verdicts(node)
    clock_of(node).advance(days=later.pop("days", 2))
    tell(node, two, copy, claim(EVIL, 2), **later)
    make_verdicts(node)
    return two


def alarms(node: Node) -> list[str]:
    return sorted(alarm.code for alarm in list_alarms(node))


def test_t18_a_copy_within_seven_days_is_shown_to_a_person(node: Node) -> None:
    copier = copied(node, "green", "green")
    (alarm,) = list_alarms(node)
    assert (alarm.code, alarm.subject) == ("ECHO", copier.node_id)
    sentence, remedy = words_of(alarm)
    assert EVIL in sentence
    assert "count as one voice" in sentence
    assert remedy


def test_t18_a_copy_at_a_laxer_label_may_break_the_tlp(node: Node) -> None:
    copied(node, "amber", "clear", src=["own-sensor"])
    (alarm,) = list_alarms(node)
    assert alarm.code == "ECHO_LAXER"
    assert "TLP:AMBER there and TLP:CLEAR here" in words_of(alarm)[0]


def test_t18_a_copy_that_waits_in_quarantine_is_told_too(node: Node) -> None:
    copied(node, "amber", "clear", trust="known")
    assert alarms(node) == ["ECHO_LAXER"]


@pytest.mark.parametrize(
    "later", [{"days": 8}, {"src": ["own-sensor"]}], ids=["eight days after", "own sighting"]
)
def test_who_came_late_or_saw_it_itself_is_not_told_of(node: Node, later: dict[str, Any]) -> None:
    copied(node, "green", "green", **later)
    assert alarms(node) == []


def test_nobody_who_is_not_known_to_have_held_it_is_told_of(node: Node) -> None:
    one, two = authors(node, 2)
    tell(node, one, "amber", claim(EVIL, 1))
    clock_of(node).advance(days=1)
    tell(node, two, "clear", claim(EVIL, 2))
    make_verdicts(node)
    assert alarms(node) == []


def test_who_held_it_at_the_laxer_label_too_broke_nothing(node: Node) -> None:
    one, two, three = authors(node, 3)
    tell(node, one, "amber", claim(EVIL, 1))
    tell(node, three, "green", claim(EVIL, 3))
    holds(node, two, one, "amber")
    holds(node, two, three, "green")
    clock_of(node).advance(days=1)
    tell(node, two, "green", claim(EVIL, 2))
    make_verdicts(node)
    assert alarms(node) == ["ECHO"]


def test_what_was_told_is_told_once_and_grows_by_what_is_new(node: Node) -> None:
    copier = copied(node, "green", "green")
    (alarm,) = list_alarms(node)
    clock_of(node).advance(hours=1)
    make_verdicts(node)
    (author,) = authors(node, 1, first=7)
    tell(node, author, "green", claim("other.example", 7))
    holds(node, copier, author, "green")
    tell(node, copier, "green", claim("other.example", 8))
    make_verdicts(node)
    (grown,) = list_alarms(node)
    assert (grown.alarm_id, grown.params["copies"]) == (alarm.alarm_id, 2)
    close_alarm(node, alarm.alarm_id)
    tell(node, author, "green", claim("third.example", 9))
    make_verdicts(node)
    assert alarms(node) == []


def test_the_alarm_of_a_hidden_claim_moves_nothing_in_a_lower_view(tmp_path: Path) -> None:
    seen = []
    for hidden in (False, True):
        node = make_node(tmp_path / str(hidden), "cert")
        one, two = authors(node, 2)
        if hidden:
            tell(node, one, "amber", claim(EVIL, 1))
            holds(node, two, one, "amber")
            make_verdicts(node)
        clock_of(node).advance(days=1)
        tell(node, two, "clear", claim(EVIL, 2))
        make_verdicts(node)
        assert alarms(node) == (["ECHO_LAXER"] if hidden else [])
        shown = verdicts_seen(node, Tlp.GREEN)
        seen.append([{**each, "id": "", "created_by_ref": ""} for each in shown])
    assert seen[0] == seen[1]


def test_t18_a_copy_of_what_this_node_published_is_told(node: Node) -> None:
    (copier,) = authors(node, 1)
    publish_names(node, [EVIL], "green")
    with node.database.write() as tx:
        feed = next(f for f in list_feeds(tx) if f.own and f.audience == "green")
        note_position(tx, feed.feed_row, copier.node_id, feed.last_seq, "ack", node.now())
    make_verdicts(node)
    clock_of(node).advance(hours=1)
    tell(node, copier, "clear", claim(EVIL, 2))
    make_verdicts(node)
    (alarm,) = list_alarms(node)
    assert (alarm.code, alarm.params["by"]) == ("ECHO_LAXER", ["this node"])
