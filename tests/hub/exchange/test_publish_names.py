"""Lists of names: published once, found again, and never mixed with an exercise."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.publish_names import NameOptions, drafts_from_names, wrap_names
from hub.exchange.withdraw import withdraw_object
from hub.imports.name_lists import read_name_list
from schemas.markings import Tlp
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import join
from tests.support.stored_state import check_invariants, rows_of

NAMES = b"one.example\ntwo.example\nb\xc3\xbccher.example\n"


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    made = make_node(tmp_path, "a", clock)
    yield made
    check_invariants(made)
    made.database.close()


def publish(node, data=NAMES, tlp=Tlp.CLEAR, to=(), options=None, **members):
    names, _ = read_name_list(data)
    found = drafts_from_names(node, names, tlp, options or NameOptions())
    wrap = partial(wrap_names, node, "A list")
    return publish_objects(node, PublishRequest(found, tlp, to=tuple(to), wrap=wrap, **members))


def types(node):
    rows = rows_of(node, "SELECT stix_type, count(*) AS n FROM objects GROUP BY stix_type")
    return {row["stix_type"]: row["n"] for row in rows}


def test_one_indicator_a_name_and_one_grouping_an_entry(node):
    outcome = publish(node)
    assert (outcome.objects, outcome.entries) == (3, 1)
    assert types(node)["indicator"] == 3
    assert types(node)["grouping"] == 1


def test_the_same_list_again_publishes_nothing(node, clock):
    publish(node)
    clock.advance(days=1)
    again = publish(node)
    assert (again.objects, again.entries, again.unchanged) == (0, 0, 3)


def test_a_longer_list_publishes_what_is_new(node):
    publish(node)
    again = publish(node, NAMES + b"three.example\n")
    assert (again.objects, again.unchanged) == (1, 3)


def test_one_more_peer_gets_the_same_indicators(node, tmp_path):
    peers = [join(node, make_node(tmp_path, name), name=name) for name in ("b", "c")]
    first = publish(node, tlp=Tlp.AMBER, to=peers[:1])
    again = publish(node, tlp=Tlp.AMBER, to=peers)
    assert set(first.stix_ids) == set(again.stix_ids)
    assert types(node)["indicator"] == 3


def test_another_label_has_indicators_of_its_own(node, tmp_path):
    publish(node)
    peer = join(node, make_node(tmp_path, "b"), name="b")
    assert publish(node, tlp=Tlp.AMBER, to=[peer]).objects == 3


def test_another_threat_has_indicators_of_its_own(node):
    publish(node)
    assert publish(node, options=NameOptions(threat_type="phishing")).objects == 3


def test_a_name_whose_indicator_ran_out_is_published_anew(node, clock):
    publish(node, options=NameOptions(valid_days=10))
    clock.advance(timedelta(days=11))
    assert publish(node).objects == 3


def test_a_name_that_was_withdrawn_is_published_anew(node):
    outcome = publish(node)
    withdraw_object(node, outcome.stix_ids[0], "false positive")
    assert publish(node).objects == 1


def test_an_exercise_has_indicators_of_its_own_and_leaves_none_behind(node):
    publish(node)
    exercise = publish(node, options=NameOptions(exercise=True), exercise=True)
    assert (exercise.objects, exercise.refused) == (3, ())
    assert publish(node).unchanged == 3


def test_every_id_is_proven_by_a_random_name(node):
    publish(node)
    rows = rows_of(node, "SELECT idn, strength FROM objects WHERE stix_type = 'indicator'")
    assert all(len(row["idn"]) >= 12 and row["strength"] == 1 for row in rows)
    assert len({row["idn"] for row in rows}) == 3
