"""STIX objects to publish, and an author of feeds who signs whatever a test wants on the wire.

``Author`` has real keys and a real node document; its entries are signed as PROTOCOL 2.4 says, so
that what is refused is refused for the one thing that the test made wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from federation.feeds.heads import head_payload, relay_head_payload
from federation.feeds.records import entry_record
from federation.signing.signer import SeedSigner, seal
from federation.transport.peer_answers import FeedPage
from federation.trust.presets import TrustLevel
from hub.exchange.receive import Received, receive_page
from hub.imports.drafts import Draft
from hub.node import Node
from hub.storage.queries.nodes import StoredDocument, documents_of, store_document
from hub.storage.queries.peers import PeerRow, find_peer, store_peer
from schemas.identifiers import ZERO_HASH, EntryHash, FeedName, NodeId, own_stix_id
from schemas.markings import Tlp
from schemas.signed_envelope import ENTRY_TYPE, HEAD_TYPE, RELAY_HEAD_TYPE, SignedEnvelope
from schemas.stix.sco_ids import deterministic_sco_id
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import write_wire_time
from tests.support.nodes import NOW
from tests.support.signed_nodes import Owner
from tests.support.stored_state import rows_of

AT = "2026-03-01T09:00:00.000Z"
"""When the objects of the tests were made: an hour before the tests take place."""
LATER = "2026-03-01T09:30:00.000Z"
STATEMENT = "marking-definition--5aa0ad57-2ca2-4a1c-9a2f-0a4d8f4b9a01"


def stix_id(stix_type: str, number: int) -> str:
    """An id that no node can prove."""
    return f"{stix_type}--00000000-0000-4000-8000-{number:012x}"


def indicator(number: int = 1, **changes: Any) -> dict[str, Any]:
    """An indicator on one name; a member that is None is left out."""
    value = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": stix_id("indicator", number),
        "created": AT,
        "modified": AT,
        "name": f"name-{number}.example",
        "pattern": f"[domain-name:value = 'name-{number}.example']",
        "pattern_type": "stix",
        "valid_from": AT,
    } | changes
    return {name: member for name, member in value.items() if member is not None}


def note(number: int, *about: str, **changes: Any) -> dict[str, Any]:
    """A note about other objects."""
    return {
        "type": "note",
        "spec_version": "2.1",
        "id": stix_id("note", number),
        "created": AT,
        "modified": AT,
        "content": "seen",
        "object_refs": list(about),
    } | changes


def relationship(number: int, source: str, target: str, **changes: Any) -> dict[str, Any]:
    """A relationship between two objects."""
    return {
        "type": "relationship",
        "spec_version": "2.1",
        "id": stix_id("relationship", number),
        "created": AT,
        "modified": AT,
        "relationship_type": "related-to",
        "source_ref": source,
        "target_ref": target,
    } | changes


def domain(name: str, **changes: Any) -> dict[str, Any]:
    """A domain-name object with the id that STIX derives from its value."""
    value: dict[str, Any] = {"type": "domain-name", "spec_version": "2.1", "value": name} | changes
    return {"id": deterministic_sco_id(value | {"id": stix_id("domain-name", 1)}), **value}


def statement(text: str = "Copyright of the example", **changes: Any) -> dict[str, Any]:
    """A statement marking, which limits nobody."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": STATEMENT,
        "created": AT,
        "definition_type": "statement",
        "definition": {"statement": text},
    } | changes


def marked(value: Mapping[str, Any], tlp: Tlp, *more: str) -> dict[str, Any]:
    """The object with the mark that an origin prints before it seals."""
    return {**value, "object_marking_refs": [tlp.marking_id, *more]}


def drafts(*values: Mapping[str, Any]) -> list[Draft]:
    return [Draft(dict(value)) for value in values]


def introduce(
    node: Node, node_id: NodeId, documents: Sequence[bytes], trust: str = "trusted", **row: Any
) -> PeerRow:
    """Make another node a verified peer, as pairing and the eight words would."""
    with node.database.write() as tx:
        if not documents_of(tx, node_id):
            for version, dsse in enumerate(documents, 1):
                digest = hashlib.sha256(dsse).hexdigest()
                store_document(tx, StoredDocument(node_id, version, digest, dsse), node.now())
        members: dict[str, Any] = {"verified": True, "state": "active"} | row
        store_peer(
            tx,
            PeerRow(
                node_id=node_id,
                name=members.pop("name", f"peer-{node_id[:4]}"),
                base="http://127.0.0.1:9/",
                trust=int(TrustLevel.read(trust)),
                added_at=node.now(),
                **members,
            ),
        )
        found = find_peer(tx, node_id)
    assert found is not None
    return found


def join(node: Node, other: Node, trust: str = "trusted", **row: Any) -> PeerRow:
    """Make one node a peer of another, in one direction, without HTTP."""
    with other.database.read() as tx:
        documents = [document.dsse for document in documents_of(tx, other.node_id)]
    return introduce(node, other.node_id, documents, trust, **row)


@dataclass
class _Feed:
    """A feed as its author has written it so far."""

    name: FeedName
    prev: EntryHash = ZERO_HASH
    entries: list[dict[str, Any]] = field(default_factory=list)
    hashes: list[EntryHash] = field(default_factory=list)


@dataclass
class Author:
    """A node that a test speaks for."""

    number: int = 1
    at: datetime = NOW
    owner: Owner = field(init=False)
    document: SignedEnvelope = field(init=False)
    feeds: dict[str, _Feed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.owner = Owner(self.number * 10)
        self.document = self.owner.document(identities=[self.identity])

    @property
    def node_id(self) -> NodeId:
        return self.owner.node_id

    @property
    def identity(self) -> str:
        return own_stix_id(self.owner.node_id, "identity", "the-author-itself")

    def meets(self, node: Node, trust: str = "trusted", **row: Any) -> PeerRow:
        """Become a peer of a node."""
        return introduce(node, self.node_id, [self.document.to_bytes()], trust, **row)

    def is_known_to(self, node: Node) -> None:
        """Have the document pinned without being a peer, as an origin behind a relay."""
        with node.database.write() as tx:
            store_document(
                tx,
                StoredDocument(self.node_id, 1, self.document.hash, self.document.to_bytes()),
                node.now(),
            )

    def proven(self, number: int, **changes: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """An indicator whose id only this author can have made, with its proof."""
        name = f"random-name-{number:04d}"
        value = indicator(number, id=own_stix_id(self.node_id, "indicator", name), **changes)
        return value, {value["id"]: name}

    def feed(self, audience: str) -> _Feed:
        name = FeedName(self.node_id, audience)
        return self.feeds.setdefault(audience, _Feed(name))

    def entry(
        self, audience: str, *, signer: SeedSigner | None = None, **members: Any
    ) -> SignedEnvelope:
        """Sign the next entry of a feed without writing on after it; None leaves a member out."""
        feed = self.feed(audience)
        stated = {
            "v": 1,
            "feed": str(feed.name),
            "seq": len(feed.entries) + 1,
            "prev": feed.prev,
            "ts": write_wire_time(self.at),
            "nonce": "AwMDAwMDAwMDAwMDAwMDAw==",
            "kind": "noop",
            "policy": policy_of(audience),
            **members,
        }
        payload = write_json({name: value for name, value in stated.items() if value is not None})
        return seal(signer or self.owner.entry, ENTRY_TYPE, payload)

    def write(self, audience: str, **members: Any) -> EntryHash:
        """Write the next entry of a feed."""
        envelope = self.entry(audience, **members)
        feed = self.feed(audience)
        feed.entries.append(record(feed.name, len(feed.entries) + 1, envelope))
        feed.hashes.append(envelope.hash)
        feed.prev = envelope.hash
        return envelope.hash

    def put(self, audience: str, *objects: Mapping[str, Any], **members: Any) -> EntryHash:
        """Write an entry of objects, each marked with the entry's label unless it is marked."""
        policy = members.pop("policy", {})
        stated = policy_of(audience) | policy
        tlp = Tlp.read(stated["tlp"])
        printed = [
            value
            if "object_marking_refs" in value or value["type"] == "marking-definition"
            else marked(value, tlp)
            for value in objects
        ]
        return self.write(audience, kind="put", policy=stated, objects=printed, **members)

    def page(self, audience: str, after: int = 0, until: int | None = None) -> FeedPage:
        feed = self.feed(audience)
        return page_of(feed.entries[after:until])

    def head(self, audience: str) -> dict[str, Any]:
        feed = self.feed(audience)
        payload = head_payload(feed.name, len(feed.entries), feed.prev, self.at)
        return seal(self.owner.entry, HEAD_TYPE, payload).to_json()

    def relay_head(self, of: Author, audience: str, **changes: Any) -> dict[str, Any]:
        """This author's signature under how far it serves another's feed."""
        feed = of.feed(audience)
        stated: dict[str, Any] = {
            "relay": self.node_id,
            "feed": feed.name,
            "seq": len(feed.entries),
            "entry_hash": feed.prev,
            "ts": self.at,
        } | changes
        payload = relay_head_payload(**stated)
        return seal(self.owner.entry, RELAY_HEAD_TYPE, payload).to_json()

    def deliver(
        self,
        node: Node,
        audience: str,
        *,
        after: int | None = None,
        until: int | None = None,
        sender: Author | None = None,
        relay_head: dict[str, Any] | None = None,
    ) -> Received:
        """Hand a page to a node, by default all that it has not yet, from the author itself."""
        feed = self.feed(audience)
        begin = last_seq(node, feed.name) if after is None else after
        page = page_of(feed.entries[begin:until], relay_head)
        return hand_over(node, feed.name, page, sender or self)


def policy_of(audience: str) -> dict[str, Any]:
    """The usual policy of an audience."""
    return {
        "clear": {"tlp": "clear", "relay": "public"},
        "green": {"tlp": "green", "relay": "community"},
    }.get(audience, {"tlp": "green", "relay": "none"})


def record(feed: FeedName, seq: int, envelope: SignedEnvelope) -> dict[str, Any]:
    """The TAXII object of an entry."""
    ts = strict_loads(envelope.payload)["ts"]
    value: dict[str, Any] = strict_loads(
        entry_record(feed, seq, datetime.fromisoformat(ts), envelope)
    )
    return value


def page_of(
    objects: Sequence[dict[str, Any]], relay_head: dict[str, Any] | None = None
) -> FeedPage:
    return FeedPage(False, None, list(objects), {}, relay_head, None)


def hand_over(node: Node, feed: FeedName, page: FeedPage, sender: Author | Node) -> Received:
    """Let a node receive a page from one of its peers."""
    with node.database.read() as tx:
        peer = find_peer(tx, sender.node_id)
    assert peer is not None, "pages come from peers"
    return receive_page(node, feed=feed, sender=peer, page=page)


def last_seq(node: Node, feed: FeedName) -> int:
    """Where a node's cursor in a feed stands."""
    rows = rows_of(node, f"SELECT last_seq FROM feeds WHERE feed = '{feed}'")
    return int(rows[0]["last_seq"]) if rows else 0
