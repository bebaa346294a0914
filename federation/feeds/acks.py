"""Handling acks: what a receiver signs that it did with an entry (PROTOCOL 2.6 ``/acks``).

Invariants:
* an ack names its entry by hash, so it cannot be moved to another;
* ``terms`` is there with ``accepted`` and with nothing else: acceptance is never implied.

What it does not do: decide whether the receiver may read the entry (section 2.8 ``/open``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.entry import check_signing_time, open_signed
from federation.feeds.payload_members import read_word
from federation.identity.node_document import PinnedNode
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, NodeId
from schemas.members import (
    read_hash,
    read_integer,
    read_node_id,
    read_object,
    read_signed_object,
    read_time,
)
from schemas.signed_envelope import ACK_TYPE, SignedEnvelope
from schemas.strict_json import write_json
from schemas.timestamps import write_wire_time

ACCEPTED = "accepted"
MOST_READERS = 1_000_000
"""Of one relay, with all that read through those who read through it."""
DEEDS = frozenset({"stored", "restricted", "retracted", "erased", ACCEPTED})


@dataclass(frozen=True, slots=True)
class PassedOn:
    """How many read a feed through a relay, and how many of them told it that they did the same.

    Counts and never names: whom a relay serves is its own affair. A release that does not know the
    member ignores it.
    """

    readers: int
    confirmed: int


@dataclass(frozen=True, slots=True)
class Ack:
    """What ``node`` did with an entry.

    Attributes:
        terms: the hash of the terms that it accepted.
        passed_on: what it says of its own readers, as a relay.
    """

    node: NodeId
    feed: FeedName
    seq: int
    hash: EntryHash
    did: str
    terms: str | None
    ts: datetime
    envelope: SignedEnvelope = field(repr=False)
    passed_on: PassedOn | None = None


def ack_payload(
    node: NodeId,
    feed: FeedName,
    seq: int,
    entry_hash: EntryHash,
    *,
    did: str,
    ts: datetime,
    terms: str | None = None,
    passed_on: PassedOn | None = None,
) -> bytes:
    """Build an ack's payload.

    Raises:
        WireFormatError: ``E_SCHEMA`` for an unknown deed, or terms without acceptance.
    """
    read_word({"did": did}, "did", DEEDS)
    _check_terms(did, accepts=terms is not None)
    stated: dict[str, object] = {
        "v": 1,
        "node": node,
        "feed": str(feed),
        "seq": seq,
        "hash": entry_hash,
        "did": did,
    }
    if terms is not None:
        stated["terms"] = terms
    if passed_on is not None:
        stated["passed_on"] = {"readers": passed_on.readers, "confirmed": passed_on.confirmed}
    return write_json(stated | {"ts": write_wire_time(ts)})


def open_ack(value: object, *, acker: PinnedNode, origin: NodeId | None = None) -> Ack:
    """Open a handling ack.

    Args:
        value: the parsed signed envelope.
        acker: the node that posted it; nobody acknowledges for another.
        origin: the node whose feed it must be about, usually ourselves.

    Raises:
        WireFormatError: the shape, the JSON, or ``E_SCHEMA``.
        SignatureRejected: the keys or the signature; ``E_KEY_UNKNOWN`` when it names another
            node than the one whose keys signed it.
        ChainBroken: ``E_FEED`` when the feed is not the origin's.
    """
    # 1. Shape, keys, purpose, signature, strict JSON, the keys' time.
    envelope, parsed, signers = open_signed(value, ACK_TYPE, acker)
    body = read_signed_object(parsed, "ack")
    ts = read_time(body, "ts")
    check_signing_time(ts, signers, acker)
    # 2. Who says it.
    if read_node_id(body, "node") != acker.node_id:
        raise SignatureRejected("E_KEY_UNKNOWN", "the ack names another node than its signer")
    # 3. What it says.
    did = read_word(body, "did", DEEDS)
    _check_terms(did, accepts="terms" in body)
    feed = FeedName.read(body.get("feed"))
    if origin is not None and feed.node_id != origin:
        raise ChainBroken("E_FEED", "the ack is about another node's feed", found=str(feed))
    return Ack(
        node=acker.node_id,
        feed=feed,
        seq=read_integer(body, "seq", least=1),
        hash=read_hash(body, "hash"),
        did=did,
        terms=read_hash(body, "terms") if "terms" in body else None,
        ts=ts,
        envelope=envelope,
        passed_on=_read_passed_on(body),
    )


def _read_passed_on(body: Mapping[str, object]) -> PassedOn | None:
    if "passed_on" not in body:
        return None
    counts = read_object(body["passed_on"], "passed_on")
    readers, confirmed = read_integer(counts, "readers"), read_integer(counts, "confirmed")
    if confirmed > readers or readers > MOST_READERS:
        raise WireFormatError("E_SCHEMA", "passed_on counts what cannot be", member="passed_on")
    return PassedOn(readers, confirmed)


def _check_terms(did: str, *, accepts: bool) -> None:
    if accepts != (did == ACCEPTED):
        raise WireFormatError("E_SCHEMA", "terms go with accepted, and with it alone")
