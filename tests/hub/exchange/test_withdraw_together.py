from __future__ import annotations

import pytest

from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.restrict import restrict_object
from hub.exchange.withdraw import withdraw_object
from hub.exchange.withdraw_together import withdraw_together
from hub.peers.groups import add_member
from hub.storage.queries.objects import claims_of
from schemas.markings import Tlp
from tests.support.grouped_nodes import group_of
from tests.support.joined_nodes import sync
from tests.support.nodes import FixedClock, make_node, peer_of
from tests.support.publications import domain, drafts, indicator, join, note

COUNT = 100


@pytest.fixture
def nodes(tmp_path):
    clock = FixedClock()
    found = [make_node(tmp_path, name, clock) for name in ("one", "other", "third")]
    one, *others = found
    for other in others:
        join(one, other)
        join(other, one)
    return found


def withdraw(node, *stix_ids):
    with node.database.write() as tx:
        return withdraw_together(tx, node, stix_ids, "wrong", node.now())


def state_of(node, stix_id):
    with node.database.read() as tx:
        rows = claims_of(tx, [stix_id])[stix_id]
    return rows[-1].state, rows[-1].revoked


def test_many_share_an_entry_and_every_reader_is_told(nodes):
    one, other, _ = nodes
    values = [indicator(number) for number in range(1, COUNT + 1)]
    publish_objects(one, PublishRequest(drafts(*values, domain("evil.example")), Tlp.GREEN))
    sync(one, other, "green")
    done = withdraw(one, *(value["id"] for value in values), domain("evil.example")["id"])
    assert (len(done.stix_ids), done.apart, done.gone) == (COUNT + 1, [], 0)
    assert done.entries == 3, "one hundred versions in two, and what has no versions in one"
    assert sync(one, other, "green")[-1].error is None
    assert all(state_of(other, value["id"])[1] for value in values)
    assert state_of(one, values[0]["id"]) == ("accepted", True)
    assert state_of(other, values[0]["id"])[1]
    assert state_of(other, domain("evil.example")["id"]) == ("withdrawn", False)


def test_it_is_the_withdrawal_of_each_by_itself(nodes):
    one, other, _ = nodes
    value = indicator(1)
    for origin in (one, other):
        publish_objects(origin, PublishRequest(drafts(value), Tlp.GREEN))
    withdraw(one, value["id"])
    withdraw_object(other, value["id"], "wrong")
    assert state_of(one, value["id"]) == state_of(other, value["id"])


def test_what_is_withdrawn_or_unknown_is_counted_and_no_error(nodes):
    one, *_ = nodes
    publish_objects(one, PublishRequest(drafts(indicator(1)), Tlp.GREEN))
    withdraw(one, indicator(1)["id"])
    done = withdraw(one, indicator(1)["id"])
    assert (done.stix_ids, done.gone) == ([], 1)


def test_what_was_restricted_goes_by_itself(nodes):
    one, *_ = nodes
    publish_objects(one, PublishRequest(drafts(indicator(1), indicator(2)), Tlp.GREEN))
    restrict_object(one, indicator(1)["id"], Tlp.AMBER)
    done = withdraw(one, indicator(1)["id"], indicator(2)["id"])
    assert done.apart == [indicator(1)["id"]]
    assert done.stix_ids == [indicator(2)["id"]]


def test_where_somebody_came_since_it_goes_by_itself(nodes):
    """The group's present feed would tell a member of what he could never read."""
    one, other, third = nodes
    group_of(one, other, history="join")
    publish_objects(one, PublishRequest(drafts(indicator(1)), Tlp.AMBER, groups=("banks",)))
    add_member(one, "banks", peer_of(one, third))
    assert withdraw(one, indicator(1)["id"]).apart == [indicator(1)["id"]]


def test_what_refers_to_it_leaves_the_views(nodes):
    one, *_ = nodes
    about = indicator(1)
    publish_objects(one, PublishRequest(drafts(about, note(1, about["id"])), Tlp.GREEN))
    done = withdraw(one, about["id"], note(1, about["id"])["id"])
    assert len(done.stix_ids) == 2
