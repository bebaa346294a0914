"""A domain names its node by a record that DNSSEC proves; BIND signs it, Unbound validates it.

The zones, the trust anchor and both servers are the test's own, on loopback (PROTOCOL 4.5).
"""

from __future__ import annotations

import dataclasses

import pytest

from federation.identity.dns_name import NameAnswer, write_statement
from hub.peers.names import check_names, find_names
from tests.support.nodes import FixedClock, make_node, pair, peer_of, serving
from tests.support.signed_zone import signed_dns
from tests.support.stored_state import events_of


@pytest.fixture(scope="module")
def dns(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dns")
    with signed_dns(folder, signed=["signed.example"], unsigned=["plain.example"]) as served:
        yield served


@pytest.fixture
def clock():
    return FixedClock()


def a_peer_of(tmp_path, clock, dns, domain):
    us = make_node(tmp_path, "us", clock, resolver=dns.resolver)
    other = make_node(tmp_path, "other", clock, profile={"domain": domain})
    with serving(other):
        pair(other, us)
    return us, other, peer_of(us, other)


def look(us, peer):
    [found] = check_names(us, peer)
    assert find_names(us, peer) == (found,)
    return found


def test_a_signed_record_verifies_the_name(tmp_path, clock, dns):
    us, other, peer = a_peer_of(tmp_path, clock, dns, "signed.example")
    dns.publish("signed.example", {"_tocsin": write_statement(other.node_id)})
    found = look(us, peer)
    assert (found.standing, found.named) == ("verified", (other.node_id,))


def test_the_same_record_in_an_unsigned_zone_verifies_nothing(tmp_path, clock, dns):
    us, other, peer = a_peer_of(tmp_path, clock, dns, "plain.example")
    dns.publish("plain.example", {"_tocsin": write_statement(other.node_id)})
    assert look(us, peer).standing == "unverified"


def test_a_signed_zone_without_the_record_is_proven_to_have_none(tmp_path, clock, dns):
    us, _, peer = a_peer_of(tmp_path, clock, dns, "signed.example")
    dns.publish("signed.example", {})
    assert look(us, peer).standing == "absent"


def test_a_record_that_was_changed_on_the_way_is_bogus(tmp_path, clock, dns):
    us, other, peer = a_peer_of(tmp_path, clock, dns, "signed.example")
    dns.publish("signed.example", {"_tocsin": write_statement(other.node_id)}, damage=True)
    found = look(us, peer)
    assert (found.standing, found.named) == ("bogus", ())


def test_t53_a_hijacked_zone_raises_an_alert_and_changes_no_key_and_no_trust(tmp_path, clock, dns):
    us, other, peer = a_peer_of(tmp_path, clock, dns, "signed.example")
    dns.publish("signed.example", {"_tocsin": write_statement(other.node_id)})
    since = look(us, peer).changed_at
    trusted = peer_of(us, other)

    clock.advance(days=1)
    dns.publish("signed.example", {"_tocsin": write_statement(us.node_id)})
    found = look(us, peer)

    assert (found.standing, found.named) == ("other", (us.node_id,))
    assert found.changed_at > since
    [event] = events_of(us, "NAME_CHANGED")
    assert (event["before"], event["found"]) == ("verified", "other")
    assert peer_of(us, other) == trusted
    look(us, peer)
    assert len(events_of(us, "NAME_CHANGED")) == 1, "told once"


def test_a_resolver_that_does_not_answer_changes_nothing(tmp_path, clock, dns):
    us, other, peer = a_peer_of(tmp_path, clock, dns, "signed.example")
    dns.publish("signed.example", {"_tocsin": write_statement(other.node_id)})
    before = look(us, peer)
    clock.advance(days=1)
    [after] = check_names(us, peer, ask=lambda _domain: NameAnswer(answered=False))
    assert after == dataclasses.replace(before, checked_at=clock.at)
    assert events_of(us, "NAME_CHANGED") == []
