"""``why``: the answer is what is decided for real, in sentences."""

from __future__ import annotations

import pytest

from hub.errors import NotFound
from hub.exchange.add_objects import add_objects
from hub.exchange.collections import add_collection, grant_collection
from hub.exchange.explain import explain_sharing
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.withdraw import withdraw_object
from hub.operators.readers import Reader
from hub.operators.tokens import add_token, list_tokens
from hub.peers.directory import resolve_peer
from hub.peers.trust import PeerChanges, set_peer
from schemas.identifiers import direct_audience
from schemas.markings import Tlp
from schemas.strict_json import write_json
from tests.support.nodes import make_node
from tests.support.publications import Author, domain, drafts, indicator, join, stix_id

ONE = stix_id("indicator", 1)


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "a")
    yield made
    made.database.close()


@pytest.fixture
def b(node, tmp_path):
    return join(node, make_node(tmp_path, "b"), name="b")


@pytest.fixture
def c(node, tmp_path):
    return join(node, make_node(tmp_path, "c"), "member", name="c")


def publish(node, tlp, *to):
    publish_objects(node, PublishRequest(drafts(indicator(1)), tlp, to=to))


def why(node, who, identifier=ONE, **more):
    found = explain_sharing(node, identifier, who, **more)
    assert found.sentences
    assert found.rule
    assert found.version
    return found.decision, found.code


class TestPeers:
    @pytest.mark.parametrize(
        ("tlp", "expected"),
        [
            (Tlp.CLEAR, [("allowed", "ALLOWED_CLEAR_KNOWN")] * 2),
            (Tlp.GREEN, [("allowed", "ALLOWED_GREEN_MEMBER")] * 2),
        ],
    )
    @pytest.mark.usefixtures("b", "c")
    def test_open_labels(self, node, tlp, expected):
        publish(node, tlp)
        assert [why(node, "b"), why(node, "c")] == expected

    @pytest.mark.usefixtures("c")
    def test_amber_goes_to_the_named_alone(self, node, b):
        publish(node, Tlp.AMBER, b)
        assert why(node, "b") == ("allowed", "ALLOWED_AMBER_NAMED")
        assert why(node, "c")[0] == "refused"

    def test_it_follows_the_trust_of_now(self, node, b):
        publish(node, Tlp.AMBER, b)
        set_peer(node, b, PeerChanges(trust="member"))
        assert why(node, "b") == ("refused", "REFUSED_TRUST_TOO_LOW")

    def test_a_peer_is_named_by_id_or_prefix_too(self, node, b):
        publish(node, Tlp.GREEN)
        assert why(node, b.node_id) == why(node, b.node_id[:12]) == why(node, "b")

    @pytest.mark.usefixtures("c")
    def test_one_feed_that_may_be_read_is_enough(self, node, b):
        publish(node, Tlp.GREEN, b)
        publish(node, Tlp.GREEN)
        assert why(node, "c") == ("allowed", "ALLOWED_GREEN_MEMBER")

    @pytest.mark.usefixtures("b")
    def test_a_withdrawn_object_says_so(self, node):
        publish(node, Tlp.GREEN)
        withdraw_object(node, ONE, "false positive")
        assert why(node, "b")[0] == "allowed"


class TestRelayed:
    @pytest.fixture
    def origin(self, node):
        author = Author(1)
        author.meets(node, "trusted", name="origin")
        return author

    @pytest.mark.usefixtures("c")
    def test_green_that_its_origin_lets_pass(self, node, origin):
        origin.put("green", indicator(1))
        origin.deliver(node, "green")
        assert why(node, "c") == ("allowed", "ALLOWED_RELAY")

    @pytest.mark.usefixtures("c")
    def test_green_that_its_origin_keeps(self, node, origin):
        origin.put("green", indicator(1), policy={"relay": "none"})
        origin.deliver(node, "green")
        assert why(node, "c") == ("refused", "REFUSED_RELAY_POLICY")

    @pytest.mark.usefixtures("b")
    def test_amber_never(self, node, origin):
        mine = direct_audience(node.node_id)
        origin.put(mine, indicator(1), policy={"tlp": "amber"})
        origin.deliver(node, mine)
        assert why(node, "b") == ("refused", "REFUSED_RELAY_NEVER")

    @pytest.mark.usefixtures("c")
    def test_the_operators_dial(self, node, origin):
        origin.put("green", indicator(1))
        origin.deliver(node, "green")
        set_peer(node, _peer(node, "origin"), PeerChanges(relay=False))
        assert why(node, "c") == ("refused", "REFUSED_RELAY_OFF")


class TestTokens:
    def test_a_public_token(self, node):
        add_token(node, "web", "public", originals=True)
        publish(node, Tlp.GREEN)
        assert why(node, "web")[0] == "refused"

    def test_an_own_token_up_to_its_clearance(self, node, b):
        add_token(node, "siem", "own", max_tlp=Tlp.AMBER, originals=True)
        publish(node, Tlp.AMBER, b)
        assert why(node, "siem") == ("allowed", "ALLOWED_READER")

    def test_a_constituent_whom_it_touches(self, node, b):
        add_token(node, "bank", "constituent", zones=["name-1.example"], originals=True)
        add_token(node, "shop", "constituent", zones=["shop.example"], originals=True)
        publish(node, Tlp.AMBER, b)
        assert why(node, "bank") == ("allowed", "ALLOWED_READER_TOUCHES")
        assert why(node, "shop") == ("refused", "REFUSED_NOT_TOUCHING")

    @pytest.mark.parametrize(
        ("trust", "policy", "code"),
        [("known", {}, "QUARANTINED"), ("trusted", {"exercise": True}, "EXERCISE")],
    )
    def test_what_no_reader_finds_yet(self, node, trust, policy, code):
        add_token(node, "siem", "own", max_tlp=Tlp.AMBER, originals=True)
        author = Author(2)
        author.meets(node, trust)
        author.put("clear", indicator(1), policy=policy)
        author.deliver(node, "clear")
        assert why(node, "siem") == ("refused", code)

    def test_what_local_producers_added(self, node):
        add_collection(node, "Producers", alias="producers")
        add_token(node, "sensor", "writer")
        grant_collection(node, "producers", "sensor", can_write=True)
        reader = Reader.of(list_tokens(node)[0])
        add_objects(node, reader, "producers", write_json({"objects": [domain("x.example")]}))
        add_token(node, "siem", "own", originals=True)
        assert why(node, "siem", domain("x.example")["id"]) == ("refused", "LOCAL")


class TestUnknown:
    @pytest.mark.usefixtures("b")
    def test_the_object(self, node):
        with pytest.raises(NotFound, match="E_NOT_FOUND"):
            explain_sharing(node, ONE, "b")

    def test_who(self, node):
        publish(node, Tlp.GREEN)
        with pytest.raises(NotFound, match="E_WHO_UNKNOWN"):
            explain_sharing(node, ONE, "nobody")

    @pytest.mark.usefixtures("b")
    def test_a_claim_of_another_origin(self, node):
        publish(node, Tlp.GREEN)
        author = Author(2)
        author.meets(node, "trusted")
        author.put("green", indicator(1))
        author.deliver(node, "green")
        assert why(node, "b", origin=author.node_id)[1] == "ALLOWED_RELAY"
        assert why(node, "b", origin=node.node_id)[1] == "ALLOWED_GREEN_MEMBER"


def _peer(node, name):
    return resolve_peer(node, name)
