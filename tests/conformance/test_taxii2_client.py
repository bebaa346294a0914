"""taxii2-client, unmodified, walks the intel root and gets the very bytes that were sealed.

The objects come from an origin by a pull to the node that the client reads, so their bytes pass
signing, the wire, storage and the view. The client parses what it gets; a hook of ``requests``
keeps the bodies as they came.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from taxii2client.v21 import Server, as_pages

from hub.exchange.publish import PublishRequest, publish_objects
from hub.imports.drafts import Draft
from hub.node import Node
from hub.operators.tokens import add_token
from hub.peers.pull import pull_peer
from schemas.markings import Tlp
from tests.support.nodes import make_node, pair, peer_of, port_of, serving
from tests.support.stored_state import envelope_in, rows_of

MODIFIED = "2026-03-01T09:30:00.000Z"


def indicator(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--0e1a9d3f-0000-4000-8000-0000000000{number:02}",
        "created": "2026-03-01T09:00:00.000Z",
        "modified": "2026-03-01T09:00:00.000Z",
        "pattern": f"[domain-name:value = 'taxii-{number}.example']",
        "pattern_type": "stix",
        "valid_from": "2026-03-01T09:00:00Z",
    } | changes


HARD = [
    # What a writer that parses and writes again would change.
    indicator(1, name='Zoë ✓ \U0001f47e / \\ " \u2028 \u007f', description="tab\tnewline\n"),
    indicator(2, confidence=85, labels=["b", "a", "b"]),
    indicator(
        3,
        extensions={
            "extension-definition--4b5d6f6a-0000-4000-8000-000000000001": {
                "extension_type": "property-extension",
                "number": 1.0,
                "small": 1e-7,
                "large": 9007199254740991,
                "mixed": ["", False, 0, -0.5],
            }
        },
    ),
    {
        "type": "domain-name",
        "spec_version": "2.1",
        "id": "domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7",
        "value": "example.com",
    },
]


class Client:
    """A stock client of one token, and the bodies that it was sent."""

    def __init__(self, node: Node, token_name: str, token: str) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        base = f"http://127.0.0.1:{port_of(node)}/taxii2/"
        self.server = Server(base, user=token_name, password=token)
        (self.root,) = self.server.api_roots
        for session in (self.server._conn.session, self.session):
            session.hooks["response"].append(self._keep)

    def _keep(self, response: Any, *_args: Any, **_options: Any) -> None:
        self.bodies.append((response.url, response.content))

    @property
    def session(self) -> requests.Session:
        """What the API root and its collections share."""
        session: requests.Session = self.root._conn.session
        return session

    def collection(self, alias: str) -> Any:
        return next(found for found in self.root.collections if found.alias == alias)

    def objects_on_the_wire(self) -> list[str]:
        return [
            text
            for url, body in self.bodies
            if "/objects/" in url
            for text in slices_of_objects(body.decode())
        ]


def slices_of_objects(text: str) -> Iterator[str]:
    """Cut the members of ``objects`` out of a JSON text, each as it stands there."""
    decoder = json.JSONDecoder()
    marker = '"objects":['
    at = text.find(marker)
    if at < 0:
        return
    at += len(marker)
    while text[at] == "{":
        _, end = decoder.raw_decode(text, at)
        yield text[at:end]
        at = end + 1


def sealed_by(node: Node) -> set[str]:
    """All objects in the payloads that a node signed, as they stand there."""
    records = rows_of(
        node, "SELECT record FROM entries JOIN feeds USING (feed_row) WHERE own ORDER BY seq"
    )
    payloads = [envelope_in(row["record"]).payload.decode() for row in records]
    return {text for payload in payloads for text in slices_of_objects(payload)}


def publish(node: Node, objects: list[dict[str, Any]], tlp: Tlp, *to: Node) -> None:
    named = tuple(peer_of(node, other) for other in to)
    outcome = publish_objects(
        node, PublishRequest([Draft(value) for value in objects], tlp, to=named)
    )
    assert not outcome.refused, outcome.refused


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    """An origin and the node that pulled from it, both served."""
    origin, reader = make_node(tmp_path, "origin"), make_node(tmp_path, "reader")
    with serving(origin, reader):
        pair(origin, reader, "trusted")
        publish(origin, HARD, Tlp.CLEAR)
        publish(origin, [indicator(n) for n in range(10, 16)], Tlp.GREEN)
        publish(origin, [indicator(20)], Tlp.AMBER_STRICT, reader)
        publish(origin, [indicator(1, modified=MODIFIED, name="a later version")], Tlp.CLEAR)
        outcome = pull_peer(reader, peer_of(reader, origin))
        assert (outcome.error, outcome.rejected) == (None, 0)
        yield origin, reader
    for node in (origin, reader):
        node.database.close()


def stock_client(node: Node, kind: str, **options: Any) -> Client:
    token = add_token(node, f"stock-{kind}", kind, originals=True, **options)
    return Client(node, token.name, token.token)


def test_a_stock_client_gets_the_very_bytes_that_were_sealed(nodes: tuple[Node, Node]) -> None:
    origin, reader = nodes
    client = stock_client(reader, "own", max_tlp=Tlp.AMBER_STRICT)
    originals = client.collection("originals")

    pages = list(as_pages(originals.get_objects, per_request=3, version="all"))

    assert len(pages) > 4
    on_the_wire = client.objects_on_the_wire()
    assert len(on_the_wire) == len(set(on_the_wire))
    assert set(on_the_wire) == sealed_by(origin) | sealed_by(reader)
    assert [value for page in pages for value in page["objects"]] == [
        json.loads(text) for text in on_the_wire
    ]


def test_a_stock_client_finds_its_way_and_every_resource_agrees(nodes: tuple[Node, Node]) -> None:
    _, reader = nodes
    client = stock_client(reader, "own", max_tlp=Tlp.AMBER_STRICT)
    originals = client.collection("originals")

    listed = [v for page in as_pages(originals.get_objects, per_request=2) for v in page["objects"]]
    manifest = [
        v for page in as_pages(originals.get_manifest, per_request=2) for v in page["objects"]
    ]

    assert client.server.title == "reader"
    assert {found.alias for found in client.root.collections} == {"originals", "verdicts"}
    assert (originals.can_read, originals.can_write) == (True, False)
    assert [(m["id"], m["version"]) for m in manifest if "indicator" in m["id"]] == [
        (value["id"], value["modified"]) for value in listed if value["type"] == "indicator"
    ]
    versions = originals.object_versions(indicator(1)["id"])["versions"]
    assert versions == [indicator(1)["modified"], MODIFIED]
    for value in listed:
        (alone,) = originals.get_object(value["id"])["objects"]
        assert alone == value


def test_a_stock_client_that_may_see_less_sees_less_of_the_same_bytes(
    nodes: tuple[Node, Node],
) -> None:
    origin, reader = nodes
    client = stock_client(reader, "public")

    pages = list(as_pages(client.collection("originals").get_objects, per_request=3))

    shown = set(client.objects_on_the_wire())
    assert set() < shown < sealed_by(origin) | sealed_by(reader)
    assert {value["id"] for page in pages for value in page["objects"]} >= {
        value["id"] for value in HARD
    }
    everything = b"".join(body for _, body in client.bodies)
    for hidden in (indicator(10), indicator(20)):
        assert hidden["id"].encode() not in everything


def test_an_added_after_walk_brings_only_what_is_new(nodes: tuple[Node, Node]) -> None:
    """As an importer does it: remember the last date, ask for what came after it."""
    origin, reader = nodes
    client = stock_client(reader, "constituent")
    originals = client.collection("originals")
    list(as_pages(originals.get_objects, per_request=3))
    last = client.session.get(
        f"{originals.url}objects/", headers={"Accept": "application/taxii+json;version=2.1"}
    ).headers["X-TAXII-Date-Added-Last"]

    assert "objects" not in originals.get_objects(added_after=last)
    publish(origin, [indicator(30)], Tlp.GREEN)
    pull_peer(reader, peer_of(reader, origin))

    (fresh,) = originals.get_objects(added_after=last)["objects"]
    assert fresh["id"] == indicator(30)["id"]


def test_the_cut_of_objects_is_right() -> None:
    sealed = base64.b64decode(base64.b64encode(b'{"a":1,"objects":[{"x":"]}"},{"y":[{}]}],"b":2}'))

    assert list(slices_of_objects(sealed.decode())) == ['{"x":"]}"}', '{"y":[{}]}']
