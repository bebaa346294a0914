"""An origin that signs whatever a test wants to see on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from federation.feeds.entry import OpenedEntry, open_entry
from federation.identity.node_document import PinnedNode, pin_chain
from federation.signing.signer import SeedSigner, seal
from schemas.identifiers import ZERO_HASH, EntryHash, FeedName
from schemas.markings import Tlp
from schemas.signed_envelope import ENTRY_TYPE, SignedEnvelope
from schemas.strict_json import write_json
from schemas.timestamps import write_wire_time
from tests.support.signed_nodes import T0, Owner

OWNER = Owner()
START = T0 + timedelta(hours=1)
GREEN_POLICY = {"tlp": "green", "relay": "community"}
NOOP: dict[str, Any] = {"kind": "noop", "policy": GREEN_POLICY}


def pin(*documents: SignedEnvelope) -> PinnedNode:
    """Pin a chain of documents, by default the owner's first one."""
    chain = documents or (OWNER.document(),)
    return pin_chain([document.to_json() for document in chain], expected=None, allow_demo=False)


PINNED = pin()


def feed_of(audience: str = "green", epoch: int = 1) -> FeedName:
    return FeedName(OWNER.node_id, audience, epoch)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def indicator(number: int = 0, tlp: Tlp | None = Tlp.GREEN, **changes: Any) -> dict[str, Any]:
    value: dict[str, Any] = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--00000000-0000-4000-8000-{number:012x}",
        "created": "2026-03-01T10:00:00.000Z",
        "modified": "2026-03-01T10:00:00.000Z",
        "pattern": f"[domain-name:value = 'bücher{number}.example']",
        "pattern_type": "stix",
        "valid_from": "2026-03-01T10:00:00Z",
    }
    if tlp is not None:
        value["object_marking_refs"] = [tlp.marking_id]
    return value | changes


@dataclass
class FeedWriter:
    """Writes one feed, one entry after the other, or any single entry with any members."""

    feed: FeedName = field(default_factory=feed_of)
    signer: SeedSigner = OWNER.entry
    pinned: PinnedNode = PINNED
    seq: int = 0
    prev: EntryHash = ZERO_HASH

    def payload(self, **members: Any) -> dict[str, Any]:
        """The members of the next entry; one that is None is left out."""
        seq = members.get("seq", self.seq + 1)
        stated = {
            "v": 1,
            "feed": str(self.feed),
            "seq": seq,
            "prev": self.prev,
            "ts": write_wire_time(at(seq if isinstance(seq, int) and seq < 10**6 else 0)),
            "nonce": "AwMDAwMDAwMDAwMDAwMDAw==",
            **NOOP,
            **members,
        }
        return {name: value for name, value in stated.items() if value is not None}

    def seal(self, **members: Any) -> SignedEnvelope:
        return seal(self.signer, ENTRY_TYPE, write_json(self.payload(**members)))

    def open(self, envelope: SignedEnvelope) -> OpenedEntry:
        return open_entry(envelope.to_json(), pinned=self.pinned, feed=self.feed)

    def read(self, **members: Any) -> OpenedEntry:
        """Open an entry in the next place, without writing on after it."""
        return self.open(self.seal(**members))

    def write(self, **members: Any) -> OpenedEntry:
        """Write the next entry; the one after follows it."""
        entry = self.read(**members)
        self.seq, self.prev = entry.header.seq, entry.hash
        return entry
