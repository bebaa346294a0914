"""What an author says when its entry key was stolen, and its feeds afterwards."""

from __future__ import annotations

import hashlib
from typing import Any

from federation.identity.node_document import Position, RevokedKey, pin_chain
from federation.signing.signer import SeedSigner
from hub.node import Node
from hub.peers.node_documents import store_chain
from schemas.identifiers import EntryHash, FeedName
from schemas.signed_envelope import SignedEnvelope
from tests.support.publications import Author, _Feed
from tests.support.signed_nodes import record_of, seeded

NEW_ENTRY = 200
"""The seed of the key that takes the stolen one's place, behind those of all authors."""


def author_named(name: str) -> Author:
    """An author whose keys come from a name, for tests that need very many of them."""
    author = Author(1)
    for key in ("root", "following_root", "entry", "http"):
        seed = hashlib.sha256(f"{name} {key}".encode()).digest()
        object.__setattr__(author.owner, key, SeedSigner(seed))
    author.document = author.owner.document(identities=[author.identity])
    return author


def new_key(author: Author) -> SeedSigner:
    """The key that takes the stolen one's place."""
    return seeded(NEW_ENTRY + author.number)


def revocation(author: Author, *last_good: tuple[int, str], **changes: Any) -> SignedEnvelope:
    """The author's second document: its entry key counts up to these positions alone."""
    places = tuple(Position(seq, EntryHash(found)) for seq, found in last_good)
    members = {
        "identities": [author.identity],
        "keys": [record_of(new_key(author), "entry"), record_of(author.owner.http, "http")],
        "revoked": [RevokedKey(author.owner.entry.kid, "compromise", places)],
        "issued": author.at,
    }
    return author.owner.after(author.document, **(members | changes))


def learn(node: Node, *documents: SignedEnvelope) -> None:
    """Let a node take in a chain of documents, as from whoever hands it over."""
    chain = pin_chain([d.to_json() for d in documents], expected=None, allow_demo=False)
    with node.database.write() as tx:
        store_chain(tx, node, chain)


def revoke(node: Node, author: Author, *last_good: tuple[int, str], **changes: Any) -> None:
    """Let a node hear that the author's entry key was stolen."""
    learn(node, author.document, revocation(author, *last_good, **changes))


def next_epoch(author: Author, audience: str, prev: str) -> str:
    """Begin the next epoch of a feed after a hash; the author writes under what is returned."""
    begun = _Feed(FeedName(author.node_id, audience, 2), prev=EntryHash(prev))
    key = f"{audience}/2"
    author.feeds[key] = begun
    return key
