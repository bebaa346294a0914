"""Vectors of fork proofs and relay proofs, from fixed seeds (PROTOCOL 2.5, 2.10).

``python -m tests.support.evidence_vectors`` writes ``tests/conformance/vectors/evidence.json``
anew. A change of that file is a change of the wire.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from federation.feeds.heads import head_payload, relay_head_payload
from federation.signing.signer import SeedSigner, seal
from schemas.identifiers import EntryHash, FeedName
from schemas.signed_envelope import HEAD_TYPE, RELAY_HEAD_TYPE, SignedEnvelope
from tests.federation.feeds.feed_writer import OWNER, FeedWriter, at, feed_of
from tests.support.signed_nodes import Owner

FILE = Path(__file__).parents[1] / "conformance" / "vectors" / "evidence.json"
RELAY = Owner(40)
KEPT = {"policy": {"tlp": "green", "relay": "none"}}
GROUP = FeedName(OWNER.node_id, "g-" + "a" * 26)


def build() -> dict[str, Any]:
    """Build every vector: what proves, and what must be refused for which reason."""
    one, two, three = _branch("one", "two", "three")
    _, other_two, other_three = _branch("one", "other two", "other three")
    kept = FeedWriter(feed_of("green", 2)).seal(**KEPT, prev="e" * 64)
    allowed = one
    heads = {name: _head(2, entry.hash) for name, entry in (("a", two), ("b", other_two))}
    relayed = _relay_head(feed_of("green", 2), 1, kept.hash)
    return {
        "node_document": OWNER.document().to_json(),
        "relay_document": RELAY.document().to_json(),
        "forks": [
            _fork("two entries of seq 2", two, other_two, 2),
            _fork("an entry, and the prev of another", two, other_three, 2),
            _fork("two prevs", three, other_three, 2),
            _fork("two heads", heads["a"], heads["b"], 2),
            _fork("a head and an entry", heads["a"], other_two, 2),
        ],
        "relays": [
            _relay("an entry of relay none", relayed, kept),
            _relay("a group's feed", _relay_head(GROUP, 7, "c" * 64), None),
        ],
        "must_refuse": [
            _refused("entries that follow each other", "E_SCHEMA", _proof(one, two)),
            _refused("a head and what follows it", "E_SCHEMA", _proof(heads["a"], three)),
            _refused("one statement twice", "E_SCHEMA", _proof(two, two)),
            _refused("a statement of another node", "E_KEY_UNKNOWN",
                     _proof(two, _head(2, other_two.hash, RELAY.entry))),
            _refused("a statement under an http key", "E_KEY_PURPOSE",
                     _proof(two, _head(2, other_two.hash, OWNER.http))),
            _refused("no entry beside the relay head", "E_TYPE", _relayed(relayed, None)),
            _refused("an entry that may be relayed", "E_SCHEMA",
                     _relayed(_relay_head(feed_of(), 1, allowed.hash), allowed)),
            _refused("another entry than the relay head names", "E_SCHEMA",
                     _relayed(_relay_head(feed_of("green", 2), 1, "d" * 64), kept)),
        ],
    }  # fmt: skip


def text() -> str:
    """Write the vectors as the file has them."""
    return json.dumps(build(), indent=1) + "\n"


def _branch(*reasons: str) -> list[SignedEnvelope]:
    writer = FeedWriter()
    return [writer.write(reason=reason).envelope for reason in reasons]


def _head(seq: int, entry_hash: str, signer: SeedSigner = OWNER.entry) -> SignedEnvelope:
    return seal(signer, HEAD_TYPE, head_payload(feed_of(), seq, EntryHash(entry_hash), at(30)))


def _relay_head(feed: FeedName, seq: int, entry_hash: str) -> SignedEnvelope:
    payload = relay_head_payload(RELAY.node_id, feed, seq, EntryHash(entry_hash), at(30))
    return seal(RELAY.entry, RELAY_HEAD_TYPE, payload)


def _proof(a: SignedEnvelope, b: SignedEnvelope) -> dict[str, Any]:
    return {"type": "fork", "a": a.to_json(), "b": b.to_json()}


def _fork(what: str, a: SignedEnvelope, b: SignedEnvelope, seq: int) -> dict[str, Any]:
    return {"what": what, "seq": seq, "proof": _proof(a, b)}


def _relayed(head: SignedEnvelope, entry: SignedEnvelope | None) -> dict[str, Any]:
    members: dict[str, Any] = {"type": "relay", "relayhead": head.to_json()}
    return members if entry is None else members | {"entry": entry.to_json()}


def _relay(what: str, head: SignedEnvelope, entry: SignedEnvelope | None) -> dict[str, Any]:
    return {"what": what, "proof": _relayed(head, entry)}


def _refused(what: str, because: str, proof: dict[str, Any]) -> dict[str, Any]:
    return {"what": what, "because": because, "proof": proof}


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text())
