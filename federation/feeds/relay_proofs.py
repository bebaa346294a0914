"""Relay proofs: a node served a feed that its origin keeps to itself (PROTOCOL 2.5).

A relay signs what it serves, so whoever got what it should not have got holds the relay's own
confession. It concerns the origin alone, and goes to nobody else.

Invariants:
* the relay's entry key signed it, and no key that it could disown as revoked;
* of a ``g-`` or ``d-`` feed the relay head is enough, for nobody but the origin may serve one; of
  any other feed the entry with that very hash shows that the origin forbade it;
* an origin that serves its own feed is no relay.

What it does not do: say who read it besides the node that complains.

>>> sorted(ORIGIN_ALONE)
['direct', 'group']
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.entry import RELAY_NONE, OpenedEntry, open_entry
from federation.feeds.forks import refuse_proof
from federation.feeds.heads import RelayHead, open_relay_head
from federation.identity.node_document import PinnedNode
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, NodeId
from schemas.members import read_node_id, read_object
from schemas.signed_envelope import RELAY_HEAD_TYPE, read_envelope
from schemas.strict_json import strict_loads

RELAY = "relay"
ORIGIN_ALONE = frozenset({"group", "direct"})


@dataclass(frozen=True, slots=True)
class RelayProof:
    """A relay's signature under a feed that it must not serve."""

    relay_head: RelayHead
    entry: OpenedEntry | None

    @property
    def relay(self) -> NodeId:
        """The accused."""
        return self.relay_head.relay

    @property
    def feed(self) -> FeedName:
        """The feed that was passed on."""
        return self.relay_head.feed

    @property
    def digest(self) -> str:
        """Name what is shown: this relay passed on this feed, however far."""
        return hashlib.sha256(f"{RELAY} {self.relay} {self.feed}".encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Give the proof's wire members."""
        members: dict[str, Any] = {
            "type": RELAY,
            "relayhead": self.relay_head.envelope.to_json(),
        }
        if self.entry is not None:
            members["entry"] = self.entry.envelope.to_json()
        return members


def build_relay_proof(relay_head: RelayHead, entry: OpenedEntry | None) -> RelayProof | None:
    """Put a relay's confession together; None when the two show no breach.

    Args:
        relay_head: opened, of the node that served it.
        entry: an entry of the feed, opened; needed where other feeds of the kind may be relayed.
    """
    if relay_head.relay == relay_head.feed.node_id:
        return None
    if relay_head.feed.kind in ORIGIN_ALONE:
        return RelayProof(relay_head, None)
    if entry is None or entry.header.relay != RELAY_NONE:
        return None
    same = (entry.header.feed, entry.header.seq, entry.hash)
    if same != (relay_head.feed, relay_head.seq, relay_head.hash):
        return None
    return RelayProof(relay_head, entry)


def relay_stated(value: object) -> tuple[NodeId, FeedName] | None:
    """Read whom a relay proof accuses and of which feed, before anything of it is verified."""
    try:
        body = read_object(value, "proof")
        payload = strict_loads(read_envelope(body.get("relayhead"), RELAY_HEAD_TYPE).payload)
        stated = read_object(payload, "relay head")
        return read_node_id(stated, "relay"), FeedName.read(stated.get("feed"))
    except WireFormatError:
        return None


def read_relay_proof(value: object, *, relay: PinnedNode, origin: PinnedNode) -> RelayProof:
    """Check a relay proof.

    Args:
        value: as ``strict_loads`` gave it.
        relay: the accused.
        origin: whose feed it was.

    Raises:
        SignatureRejected: ``E_PROOF``; ``params["because"]`` is the code of what failed.
    """
    try:
        body = read_object(value, "proof")
        # 1. The accused signed that it serves this feed.
        relay_head = open_relay_head(body.get("relayhead"), relay=relay, feed=None)
        # 2. The feed is the origin's, and where an entry is needed the origin signed it.
        entry = None
        if relay_head.feed.kind not in ORIGIN_ALONE:
            entry = open_entry(body.get("entry"), pinned=origin, feed=relay_head.feed)
    except (WireFormatError, SignatureRejected, ChainBroken) as error:
        raise refuse_proof(error.detail, error.code) from None
    if relay_head.feed.node_id != origin.node_id:
        raise refuse_proof("the feed is another origin's", "E_FEED")
    # 3. It is the entry that the relay named, and its origin forbade to pass it on.
    found = build_relay_proof(relay_head, entry)
    if found is None:
        raise refuse_proof("it shows nothing that the relay was not allowed to do", "E_SCHEMA")
    return found
