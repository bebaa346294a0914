"""Relay of foreign feeds in clear: never AMBER, only with the origin's signed leave."""

from __future__ import annotations

from itertools import product

import pytest

from federation.policy.redistribution import decide_relay
from federation.trust.presets import TrustLevel
from schemas.markings import Tlp
from tests.federation.policy.standings import (
    DIRECT_TO_OTHER,
    DIRECT_TO_PEER,
    GROUP,
    OTHER_NODE,
    SEALED,
    feed,
    peer,
)

KNOWN, MEMBER, PARTNER = TrustLevel.KNOWN, TrustLevel.MEMBER, TrustLevel.PARTNER


@pytest.mark.parametrize(
    ("audience", "relay", "trust", "code"),
    [
        ("clear", "public", KNOWN, "ALLOWED_RELAY"),
        ("clear", "community", KNOWN, "REFUSED_TRUST_TOO_LOW"),
        ("clear", "community", MEMBER, "ALLOWED_RELAY"),
        ("clear", "none", PARTNER, "REFUSED_RELAY_POLICY"),
        ("green", "community", KNOWN, "REFUSED_TRUST_TOO_LOW"),
        ("green", "community", MEMBER, "ALLOWED_RELAY"),
        ("green", "none", PARTNER, "REFUSED_RELAY_POLICY"),
        # `public` is for clear alone; an entry that says it of GREEN was never valid.
        ("green", "public", PARTNER, "REFUSED_RELAY_POLICY"),
        ("green", "everybody", PARTNER, "REFUSED_RELAY_POLICY"),
    ],
)
def test_the_relay_column(audience: str, relay: str, trust: TrustLevel, code: str) -> None:
    foreign = feed(audience, origin=OTHER_NODE)
    assert decide_relay(foreign, relay=relay, peer=peer(trust), relay_on=True).code == code


@pytest.mark.parametrize(
    ("audience", "relay"),
    list(
        product(
            [GROUP, DIRECT_TO_PEER, DIRECT_TO_OTHER, SEALED],
            ["public", "community", "none"],
        )
    ),
)
def test_t24_nothing_else_is_relayed_in_clear(audience: str, relay: str) -> None:
    foreign = feed(audience, origin=OTHER_NODE)
    decision = decide_relay(foreign, relay=relay, peer=peer(), relay_on=True)
    assert decision.code == "REFUSED_RELAY_NEVER"


@pytest.mark.parametrize("audience", ["clear", "green", GROUP, DIRECT_TO_PEER])
def test_an_origin_gets_back_its_own_entries_of_every_feed(audience: str) -> None:
    own = feed(audience, origin=OTHER_NODE)
    asking = peer(KNOWN, node_id=OTHER_NODE, verified=False, outbound=Tlp.CLEAR)
    assert decide_relay(own, relay="none", peer=asking, relay_on=False).code == "ALLOWED_TO_ORIGIN"


def test_a_suspended_origin_gets_nothing_back() -> None:
    own = feed("green", origin=OTHER_NODE)
    asking = peer(node_id=OTHER_NODE, state="suspended")
    assert not decide_relay(own, relay="community", peer=asking, relay_on=True).allowed


def test_the_operator_may_switch_relaying_off() -> None:
    foreign = feed("green", origin=OTHER_NODE)
    decision = decide_relay(foreign, relay="community", peer=peer(), relay_on=False)
    assert decision.code == "REFUSED_RELAY_OFF"


@pytest.mark.parametrize("trust", [MEMBER, PARTNER])
def test_an_unverified_peer_gets_no_green_from_a_relay(trust: TrustLevel) -> None:
    foreign = feed("green", origin=OTHER_NODE)
    decision = decide_relay(
        foreign, relay="community", peer=peer(trust, verified=False), relay_on=True
    )
    assert decision.code == "REFUSED_NOT_VERIFIED"


def test_the_outbound_dial_holds_for_relayed_feeds_too() -> None:
    foreign = feed("green", origin=OTHER_NODE)
    decision = decide_relay(
        foreign, relay="community", peer=peer(outbound=Tlp.CLEAR), relay_on=True
    )
    assert decision.code == "REFUSED_OUTBOUND_DIAL"
