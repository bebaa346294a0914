"""A release: a widening that its origin signed in advance (PROTOCOL 2.4 ``policy.release``)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from federation.errors import SharingRefused
from federation.feeds.sharing_policy import Release
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.releases import RELEASE_DELAY, honour_releases
from hub.exchange.restrict import append_restrict, restrict_object
from hub.exchange.withdraw import withdraw_object
from hub.storage.queries.peers import find_peer
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.joined_nodes import direct, states, sync, view, view_ids, views
from tests.support.nodes import NOW, FixedClock, make_node
from tests.support.publications import drafts, indicator, join, stix_id
from tests.support.stored_state import check_invariants, rows_of

ONE = stix_id("indicator", 1)
AT = NOW + timedelta(hours=1)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def a(tmp_path, clock):
    made = make_node(tmp_path, "a", clock)
    yield made
    check_invariants(made)
    made.database.close()


@pytest.fixture
def b(tmp_path, clock, a):
    made = make_node(tmp_path, "b", clock)
    join(made, a)
    to = (join(a, made),)
    publish_objects(
        a, PublishRequest(drafts(indicator(1)), Tlp.AMBER, to=to, release=Release(AT, Tlp.CLEAR))
    )
    sync(a, made, direct(made))
    yield made
    check_invariants(made)
    made.database.close()


def test_it_is_honoured_ten_minutes_after_its_time_and_not_before(a, b, clock):
    clock.at = AT + RELEASE_DELAY - timedelta(seconds=1)
    before = views(b)
    assert honour_releases(b) == 0
    assert views(b) == before
    clock.advance(seconds=1)
    for node in (a, b):
        assert honour_releases(node) >= 1
        assert ONE in view_ids(node, Tlp.CLEAR) & view_ids(node, Tlp.AMBER)
    assert honour_releases(b) == 0


def test_the_bytes_stay_as_they_were_signed_and_no_feed_opens(b, clock):
    clock.at = AT + RELEASE_DELAY
    honour_releases(b)
    (row,) = rows_of(b, f"SELECT tlp, released_tlp FROM objects WHERE stix_id = '{ONE}'")
    assert (row["tlp"], row["released_tlp"]) == (int(Tlp.AMBER), int(Tlp.CLEAR))
    feeds = rows_of(b, "SELECT highest_tlp FROM feeds WHERE NOT own")
    assert [feed["highest_tlp"] for feed in feeds] == [int(Tlp.AMBER)]


def test_the_origins_later_word_counts(a, b, clock):
    restrict_object(a, ONE, Tlp.AMBER_STRICT)
    sync(a, b, direct(b))
    clock.at = AT + RELEASE_DELAY
    for node in (a, b):
        honour_releases(node)
        assert ONE not in view_ids(node, Tlp.RED)


def test_a_restriction_after_it_takes_it_back_everywhere(a, b, clock):
    clock.at = AT + RELEASE_DELAY
    honour_releases(b)
    restrict_object(a, ONE, Tlp.AMBER_STRICT)
    sync(a, b, direct(b))
    assert ONE not in view_ids(b, Tlp.RED)
    assert states(b, ONE) == [("withheld", "RESTRICTED")]


def test_what_was_withdrawn_is_not_released(a, b, clock):
    withdraw_object(a, ONE, "false positive")
    sync(a, b, direct(b))
    clock.at = AT + RELEASE_DELAY
    honour_releases(b)
    assert ONE not in view_ids(b, Tlp.GREEN)


def test_one_that_does_not_widen_is_refused(a):
    release = Release(AT, Tlp.GREEN)
    with pytest.raises(SharingRefused, match="E_NOT_WIDER"):
        publish_objects(a, PublishRequest(drafts(indicator(1)), Tlp.GREEN, release=release))


def later(a, b):
    """The origin's next version, with the label of the first and without a release."""
    value = indicator(1, modified="2026-03-01T09:30:00.000Z")
    with a.database.read() as tx:
        to = (find_peer(tx, b.node_id),)
    publish_objects(a, PublishRequest(drafts(value), Tlp.AMBER, to=to))
    sync(a, b, direct(b))


def test_a_later_version_without_one_is_the_origins_later_word(a, b, clock):
    later(a, b)
    clock.at = AT + RELEASE_DELAY
    for node in (a, b):
        honour_releases(node)
        assert ONE not in {stix_id for stix_id, _ in view(node, Tlp.CLEAR)}
        assert ONE in view_ids(node, Tlp.AMBER)


def test_a_later_version_after_it_takes_the_released_one_back(a, b, clock):
    clock.at = AT + RELEASE_DELAY
    for node in (a, b):
        honour_releases(node)
    later(a, b)
    for node in (a, b):
        assert ONE not in {stix_id for stix_id, _ in view(node, Tlp.CLEAR)}
        assert ONE in view_ids(node, Tlp.AMBER)


def test_it_can_be_restricted_to_the_label_that_it_prints(a, b, clock):
    clock.at = AT + RELEASE_DELAY
    for node in (a, b):
        honour_releases(node)
    restrict_object(a, ONE, Tlp.AMBER)
    sync(a, b, direct(b))
    for node in (a, b):
        assert ONE not in view_ids(node, Tlp.CLEAR)


def test_a_restriction_to_the_label_that_it_prints_stops_a_release_to_come(a, b, clock):
    feed = FeedName(a.node_id, direct(b))
    with a.database.write() as tx:
        append_restrict(tx, a, feed, [ONE], Tlp.AMBER, [], a.now())
    sync(a, b, direct(b))
    clock.at = AT + RELEASE_DELAY
    honour_releases(b)
    assert ONE in view_ids(b, Tlp.AMBER) - view_ids(b, Tlp.CLEAR)
