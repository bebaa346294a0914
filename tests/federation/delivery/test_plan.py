"""The order in which feeds are pulled from one peer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.delivery.plan import FeedWanted, Turn, pull_order, read_urgency, turn_of
from schemas.identifiers import FeedName, NodeId

A, B, C = (NodeId(letter * 52) for letter in "abc")
GROUP, DIRECT, SEALED = "g-" + "q" * 26, "d-" + "b" * 26, "s-" + "q" * 26


def wanted(node: NodeId, audience: str, epoch: int = 1, urgency: str = "routine") -> FeedWanted:
    return FeedWanted(FeedName(node, audience, epoch), urgency)


def test_wide_feeds_come_before_narrow_ones_that_refer_to_them() -> None:
    feeds = [wanted(A, audience) for audience in (SEALED, DIRECT, GROUP, "green", "clear")]
    assert [one.feed.kind for one in pull_order(feeds, sender=A)] == [
        "clear",
        "green",
        "group",
        "direct",
        "sealed",
    ]


def test_epochs_in_their_order() -> None:
    feeds = [wanted(A, "green", epoch) for epoch in (10, 2, 1)]
    assert [one.feed.epoch for one in pull_order(feeds, sender=A)] == [1, 2, 10]


def test_the_senders_own_feeds_before_those_that_it_relays() -> None:
    feeds = [wanted(A, "clear"), wanted(B, "clear"), wanted(B, "green")]
    assert [one.feed.node_id for one in pull_order(feeds, sender=B)] == [B, B, A]


def test_an_urgent_feed_takes_its_origins_wider_feeds_along() -> None:
    feeds = [wanted(B, "clear"), wanted(A, "green", urgency="immediate"), wanted(A, "clear")]
    assert pull_order(feeds, sender=B) == (feeds[2], feeds[1], feeds[0])


def test_immediate_before_priority_before_routine_and_unknown() -> None:
    feeds = [
        wanted(A, "clear", urgency="unheard-of"),
        wanted(B, "clear", urgency="priority"),
        wanted(C, "clear", urgency="immediate"),
    ]
    assert [one.feed.node_id for one in pull_order(feeds, sender=A)] == [C, B, A]


@given(
    st.permutations(
        [wanted(node, audience) for node in (A, B) for audience in ("clear", "green", GROUP)]
    )
)
def test_the_plan_does_not_depend_on_the_order_of_arrival(feeds: list[FeedWanted]) -> None:
    plan = pull_order(feeds, sender=A)
    assert plan == pull_order(reversed(feeds), sender=A)
    assert sorted(plan, key=str) == sorted(feeds, key=str)


def test_a_thin_line_serves_what_is_urgent_then_the_narrow_then_the_relayed_and_blobs_last() -> (
    None
):
    feeds = [
        wanted(A, "clear", urgency="immediate"),
        wanted(A, "clear", urgency="priority"),
        wanted(A, DIRECT),
        wanted(A, GROUP),
        wanted(A, "green"),
        wanted(A, "clear"),
        wanted(B, "green"),
    ]
    turns = [turn_of(one, sender=A) for one in feeds]
    assert turns == sorted(turns)
    assert len(set(turns)) == len(feeds)
    assert max(turns) < Turn.BLOB


def test_an_urgent_feed_is_urgent_whoever_relays_it() -> None:
    assert turn_of(wanted(B, "green", urgency="priority"), sender=A) is Turn.PRIORITY


@pytest.mark.parametrize(
    ("stated", "held", "urgency"),
    [
        ({"immediate": 5, "priority": 9}, 4, "immediate"),
        ({"immediate": 5, "priority": 9}, 5, "priority"),
        ({"immediate": 5, "priority": 9}, 9, "routine"),
        ({"immediate": True}, 0, "routine"),
        ({"immediate": "5", "unheard-of": 9}, 0, "routine"),
        ("immediate", 0, "routine"),
        (None, 0, "routine"),
        ([], 0, "routine"),
    ],
)
def test_a_listing_hints_at_urgency_only_beyond_what_is_held(
    stated: object, held: int, urgency: str
) -> None:
    assert read_urgency(stated, held) == urgency
