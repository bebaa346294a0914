"""The story of the transcripts: alpha publishes, beta reads and relays, gamma reads at beta."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from federation.signing.request_auth import sign_request
from federation.transport.guarded_http import HttpAnswer
from hub.exchange.object_listing import list_objects
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.withdraw import withdraw_object
from hub.imports.drafts import Draft
from hub.node import Node
from hub.operators.tokens import add_token
from hub.peers.directory import resolve_peer
from hub.peers.invite import accept_invitation, invite_peer
from hub.peers.pull import pull_peer
from hub.peers.trust import PeerChanges, set_peer
from hub.peers.wake import wake_peer
from hub.storage.queries.peers import PeerRow, find_peer
from schemas.identifiers import FeedName, direct_audience
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from tests.support.transcripts import Wire, make_story_node

TAXII = {"Accept": "application/taxii+json;version=2.1"}
JSON = {"Accept": "application/json"}


class Story:
    """The three nodes and the wire between them."""

    def __init__(self, folder: Path, wire: Wire) -> None:
        self.wire = wire
        self.alpha, self.beta, self.gamma = (
            make_story_node(folder, name, wire) for name in ("alpha", "beta", "gamma")
        )
        self.tokens: dict[str, str] = {}
        self.basics: dict[str, str] = {}

    def close(self) -> None:
        for node in (self.alpha, self.beta, self.gamma):
            node.database.close()

    def pair(self, inviter: Node, joiner: Node, name: str) -> None:
        invitation = self.wire.give(name, lambda: invite_peer(inviter))
        accept_invitation(joiner, invitation, http=self.wire.as_http())

    def trust(self, node: Node, other: Node, word: str) -> None:
        peer = self.peer(node, other)
        if peer is not None:
            set_peer(node, peer, PeerChanges(trust=word, verified=True))

    def peer(self, node: Node, other: Node) -> PeerRow | None:
        """Find a node's peer; None where answers alone are read and the inviter was never asked."""
        with node.database.read() as tx:
            return find_peer(tx, other.node_id)

    def publish(self, number: int, tlp: Tlp, *to: Node) -> str:
        value = indicator(number)
        peers = tuple(peer for peer in (self.peer(self.alpha, node) for node in to) if peer)
        if len(peers) == len(to):
            publish_objects(self.alpha, PublishRequest([Draft(value)], tlp, to=peers))
        self.wire.clock.advance()
        return str(value["id"])

    def pull(self, node: Node, sender: Node) -> None:
        outcome = pull_peer(node, resolve_peer(node, sender.node_id), http=self.wire.as_http())
        assert outcome.error is None, outcome.error
        self.wire.clock.advance()

    def ask(
        self,
        recipient: str,
        target: str,
        headers: Mapping[str, str],
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> HttpAnswer:
        """Ask something by hand."""
        url = f"https://{recipient}.transcripts.example{target}"
        return self.wire.request(method, url, headers=headers, body=body)

    def signed(
        self, sender: Node, recipient: Node, name: str, target: str, **changes: Any
    ) -> dict[str, str]:
        """Sign a request for a target as a peer does."""
        members: dict[str, Any] = {
            "method": "GET",
            "url": f"https://{name}.transcripts.example{target}",
            "body": None,
            "recipient": recipient.node_id,
            "signer": sender.keys.http,
            "created": sender.now(),
            "nonce": sender.entropy(24),
        }
        return sign_request(**(members | changes))

    def hold(self, *nodes: tuple[str, Node]) -> None:
        """Compare what nodes hold now with what they held when this was recorded."""
        for name, node in nodes:
            found = [
                {"id": o.id, "origin": o.origin, "tlp": o.tlp, "state": o.state}
                for o in sorted(list_objects(node), key=lambda o: (o.origin, o.id))
            ]
            assert self.wire.chapter.held.setdefault(name, found) == found


def indicator(number: int) -> dict[str, Any]:
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--7c1d5f8e-1111-4111-8111-00000000000{number}",
        "created": "2026-03-01T09:00:00.000Z",
        "modified": "2026-03-01T09:00:00.000Z",
        "name": f"name-{number}.example",
        "indicator_types": ["malicious-activity"],
        "pattern": f"[domain-name:value = 'name-{number}.example']",
        "pattern_type": "stix",
        "valid_from": "2026-03-01T09:00:00Z",
    }


def play(folder: Path, wire: Wire) -> None:
    """Tell the whole story over a wire."""
    story = Story(folder, wire)
    try:
        for chapter, tell in (
            ("pairing", _pairing),
            ("origin", _origin),
            ("relay", _relay),
            ("wake", _wake),
            ("refusals", _refusals),
            ("intel", _intel),
        ):
            wire.open_chapter(chapter)
            tell(story)
            wire.close_chapter()
            wire.clock.advance()
    finally:
        story.close()


def _pairing(story: Story) -> None:
    """Beta joins alpha, gamma joins beta; people compare the words and give trust."""
    story.ask("alpha", "/.well-known/tocsin", JSON)
    story.ask("alpha", "/federation/v1/node", JSON)
    story.ask("alpha", "/federation/v1/node?version=1", JSON)
    story.pair(story.alpha, story.beta, "invitation of alpha")
    story.pair(story.beta, story.gamma, "invitation of beta")
    story.trust(story.alpha, story.beta, "trusted")
    story.trust(story.beta, story.alpha, "trusted")
    story.trust(story.beta, story.gamma, "trusted")
    story.trust(story.gamma, story.beta, "trusted")


def _origin(story: Story) -> None:
    """Beta pulls the clear, green and direct feed of alpha, with heads."""
    story.publish(1, Tlp.CLEAR)
    withdrawn = story.publish(2, Tlp.CLEAR)
    story.publish(3, Tlp.GREEN)
    story.publish(4, Tlp.AMBER, story.beta)
    story.publish(5, Tlp.AMBER_STRICT, story.beta)
    withdraw_object(story.alpha, withdrawn, "false positive")
    story.pull(story.beta, story.alpha)
    story.hold(("beta", story.beta))


def _relay(story: Story) -> None:
    """Gamma, no peer of alpha, gets its clear and green feeds from beta with relay heads."""
    story.pull(story.gamma, story.beta)
    story.hold(("gamma", story.gamma))


def _wake(story: Story) -> None:
    """Alpha tells beta of its newest heads, and beta takes what is new."""
    story.publish(6, Tlp.GREEN)
    peer = story.peer(story.alpha, story.beta)
    if peer is not None:
        wake_peer(story.alpha, peer, http=story.wire.as_http())
    story.pull(story.beta, story.alpha)
    story.hold(("beta", story.beta))


def _refusals(story: Story) -> None:
    """What is unknown or not for the asker is one 404; who cannot be verified gets 401."""
    beta, gamma, alpha = story.beta, story.gamma, story.alpha
    direct = FeedName(alpha.node_id, direct_audience(beta.node_id))
    unknown = "/taxii2/fed/collections/00000000-0000-5000-8000-000000000000/objects/"
    page = f"/taxii2/fed/collections/{FeedName(alpha.node_id, 'clear').collection_id}/objects/"
    hidden = f"/taxii2/fed/collections/{direct.collection_id}/objects/"
    story.ask("alpha", page, TAXII)
    for sender, recipient, name, target in (
        (beta, alpha, "alpha", unknown),
        (gamma, beta, "beta", hidden),  # an amber feed that beta holds and never relays
        (gamma, beta, "beta", page.replace("/objects/", "/manifest/")),
        (gamma, alpha, "alpha", page),  # no peer of alpha
        (beta, alpha, "alpha", page + "?next=seq:1&limit=1"),
        (beta, alpha, "alpha", page + "?added_after=2026-01-01T00:00:00Z"),
    ):
        story.ask(name, target, TAXII | story.signed(sender, recipient, name, target))
    repeated = TAXII | story.signed(beta, alpha, "alpha", page)
    story.ask("alpha", page, repeated)
    story.ask("alpha", page, repeated)
    old = story.signed(beta, alpha, "alpha", page, created=alpha.now().replace(year=2025))
    story.ask("alpha", page, TAXII | old)
    story.ask("alpha", page, TAXII | story.signed(beta, beta, "alpha", page))
    story.ask("alpha", "/federation/v1/node?version=2", JSON)
    body = b'{"heads":[],"heads":[]}'
    twice = story.signed(beta, alpha, "alpha", "/federation/v1/wake", method="POST", body=body)
    sent = JSON | {"Content-Type": "application/json"} | twice
    story.ask("alpha", "/federation/v1/wake", sent, method="POST", body=body)


def _intel(story: Story) -> None:
    """Token holders read at beta, each by its clearance."""
    for name, kind in (("siem", "own"), ("customer", "constituent"), ("website", "public")):
        token = add_token(story.beta, name, kind, originals=True).token
        basic = base64.b64encode(f"{name}:{token}".encode()).decode()
        story.tokens[name] = story.wire.keep_out(f"token of {name}", token)
        story.basics[name] = story.wire.keep_out(f"name and token of {name}", basic)
    story.ask("beta", "/taxii2/", TAXII)
    for name, token in story.tokens.items():
        bearer = TAXII | {"Authorization": f"Bearer {token}"}
        for target in ("/taxii2/", "/taxii2/intel/", "/taxii2/intel/collections/"):
            story.ask("beta", target, bearer)
        for target in ("objects/", "objects/?limit=2", "manifest/"):
            story.ask("beta", f"/taxii2/intel/collections/originals/{target}", bearer)
        for number in (1, 3, 4):
            one = f"/taxii2/intel/collections/originals/objects/{indicator(number)['id']}/"
            story.ask("beta", one, bearer)
            story.ask("beta", one + "versions/", bearer)
        listed = story.ask(
            "beta",
            "/taxii2/intel/collections/originals/objects/?limit=1",
            TAXII | {"Authorization": f"Basic {story.basics[name]}"},
        )
        following = strict_loads(listed.body).get("next")
        if following is not None:
            target = f"/taxii2/intel/collections/originals/objects/?limit=1&next={following}"
            story.ask("beta", target, bearer)
    story.ask("beta", "/taxii2/intel/collections/unknown/objects/", bearer)
