"""PROTOCOL 2.6 ``/acks``: what a receiver signs."""

from __future__ import annotations

from typing import Any

import pytest

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.acks import Ack, ack_payload, open_ack
from federation.signing.signer import SeedSigner, seal
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, NodeId
from schemas.signed_envelope import ACK_TYPE
from schemas.strict_json import strict_loads, write_json
from tests.federation.feeds.feed_writer import OWNER, PINNED, at

ORIGIN = NodeId("b" * 52)
FEED = FeedName(ORIGIN, "green")
HASH = EntryHash("a" * 64)


def opened(signer: SeedSigner = OWNER.entry, **changes: Any) -> Ack:
    stated = {"did": "stored", "ts": at(0)}
    payload = ack_payload(OWNER.node_id, FEED, 3, HASH, **stated)  # type: ignore[arg-type]
    body = {k: v for k, v in (strict_loads(payload) | changes).items() if v is not None}
    value = seal(signer, ACK_TYPE, write_json(body)).to_json()
    return open_ack(value, acker=PINNED, origin=ORIGIN)


def test_an_ack_reads_back() -> None:
    ack = opened()
    assert (ack.node, ack.feed, ack.seq, ack.hash) == (OWNER.node_id, FEED, 3, HASH)
    assert (ack.did, ack.terms, ack.ts) == ("stored", None, at(0))


@pytest.mark.parametrize("did", ["stored", "restricted", "retracted", "erased"])
def test_terms_go_with_acceptance_alone(did: str) -> None:
    assert opened(did=did).did == did
    assert opened(did="accepted", terms="c" * 64).terms == "c" * 64
    refused: list[dict[str, Any]] = [{"did": did, "terms": "c" * 64}, {"did": "accepted"}]
    for changes in refused:
        with pytest.raises(WireFormatError, match="E_SCHEMA"):
            opened(**changes)
    with pytest.raises(WireFormatError):
        ack_payload(OWNER.node_id, FEED, 3, HASH, did=did, ts=at(0), terms="c" * 64)


@pytest.mark.parametrize(
    "changes",
    [{"did": "read"}, {"did": None}, {"hash": None}, {"seq": 0}, {"node": "me"}, {"feed": "x"},
     {"did": "accepted", "terms": "short"}, {"ts": None}, {"!x": 1}],
    ids=repr,
)  # fmt: skip
def test_a_malformed_ack_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(WireFormatError, match="E_SCHEMA"):
        opened(**changes)


def test_nobody_acknowledges_for_another_or_to_another() -> None:
    with pytest.raises(SignatureRejected) as unknown:
        opened(node="c" * 52)
    assert unknown.value.code == "E_KEY_UNKNOWN"
    with pytest.raises(ChainBroken) as foreign:
        opened(feed=str(FeedName(NodeId("c" * 52), "green")))
    assert foreign.value.code == "E_FEED"
    with pytest.raises(SignatureRejected) as purpose:
        opened(OWNER.http)
    assert purpose.value.code == "E_KEY_PURPOSE"
