"""A federation lives through anything, and the machine that watches it sees what is wrong."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from federation.transport.guarded_http import HttpAnswer
from federation.trust.presets import TrustLevel
from hub.errors import NotFound
from hub.exchange import serve_feeds
from hub.node import Node
from hub.storage.queries.peers import PeerRow
from schemas.markings import Tlp
from tests.properties.federation_machine.rules_groups import GroupRules
from tests.properties.federation_machine.rules_keys import KeyRules
from tests.properties.federation_machine.rules_malice import MaliceRules
from tests.properties.federation_machine.rules_network import NetworkRules
from tests.properties.federation_machine.rules_publishing import PublishingRules
from tests.properties.federation_machine.rules_recall import RecallRules
from tests.properties.federation_machine.rules_trust import TrustRules
from tests.properties.federation_machine.rules_work import WorkRules
from tests.support.signed_requests import NOT_FOUND
from tests.support.simulated_federation import PAGES, TAXII_HEADERS, Answering, Bend, Request

STEPS = 100
"""Of one run; long enough for news to cross the federation several times."""
LONGER = 200
"""Of one run of those that every test run makes: half as many federations to set up and heal."""
CALM = settings(
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
SHORT = settings(CALM, max_examples=10, stateful_step_count=LONGER, derandomize=True)
LONG = settings(CALM, max_examples=500)
LOOK = settings(
    CALM, max_examples=30, stateful_step_count=30, derandomize=True, phases=[Phase.generate]
)


class Living(GroupRules, RecallRules, TrustRules, NetworkRules, MaliceRules, KeyRules, WorkRules):
    """Everything that can happen, some of it through the whole door."""

    door_every = 16


class LivingThroughTheDoor(Living):
    """The same with every request through the whole door."""

    door_every = 1


@pytest.mark.timeout(300)
def test_nobody_holds_what_it_may_not_and_everybody_what_it_should():
    """2,000 steps, the same in every run."""
    run_state_machine_as_test(Living, settings=SHORT)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_nobody_holds_what_it_may_not_in_a_long_life():
    """50,000 steps, others in every run; ``FEDERATION_SEED`` makes them those of an earlier one."""
    number = int(os.environ.get("FEDERATION_SEED") or secrets.randbits(32))
    print(f"FEDERATION_SEED={number}")
    run_state_machine_as_test(seed(number)(LivingThroughTheDoor), settings=LONG)


class Generous(GroupRules, TrustRules, NetworkRules):
    """Nodes that take every peer for a partner when they serve a page."""

    door_every = 8

    def prepared(self) -> None:
        for number in self.everybody:
            self.federation.bends[number] = self._generous(number)

    def _generous(self, number: int) -> Bend:
        def answer(request: Request, honest: Answering) -> HttpAnswer:
            page = PAGES.fullmatch(request.path)
            if page is None or self.model.relation(number, request.asker) is None:
                return honest(request)
            wanted = serve_feeds.read_page_request(parse_qsl(request.query))
            asking = self.federation.peer(number, request.asker)
            found = _page_for_a_partner(self.federation.nodes[number], asking, page[1], wanted)
            return honest(request) if found is None else HttpAnswer(200, TAXII_HEADERS, found)

        return answer


def _page_for_a_partner(
    node: Node, peer: PeerRow, collection_id: str, wanted: serve_feeds.PageRequest
) -> bytes | None:
    """Decide by the wrong trust."""
    partner = replace(
        peer,
        trust=int(TrustLevel.PARTNER),
        verified=True,
        state="active",
        outbound=int(Tlp.RED),
    )
    try:
        return serve_feeds.read_feed_page(node, partner, collection_id, wanted)
    except NotFound:
        return None


class Stingy(PublishingRules, TrustRules, NetworkRules):
    """Nodes that keep their pages to themselves as if there were none."""

    def prepared(self) -> None:
        for number in self.everybody:
            self.federation.bends[number] = _nothing


def _nothing(request: Request, honest: Answering) -> HttpAnswer:
    if PAGES.fullmatch(request.path) is None:
        return honest(request)
    return HttpAnswer(404, TAXII_HEADERS, NOT_FOUND)


def test_a_decision_by_the_wrong_trust_is_seen():
    with pytest.raises(AssertionError, match="may not hold"):
        run_state_machine_as_test(Generous, settings=LOOK)


def test_what_does_not_arrive_is_seen():
    with pytest.raises(AssertionError, match=r"has lost|pulls"):
        run_state_machine_as_test(Stingy, settings=LOOK)
