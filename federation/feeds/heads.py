"""Feed heads and relay heads: how far a feed goes, as its origin or a relay signed (PROTOCOL 2.5).

Invariants:
* a head says how far the feed goes at least, so an omission at the end of a page shows;
* a head that contradicts our chain is a fork, whoever brought it;
* whoever hands over a foreign feed signs that it does, or nothing of it is taken.

What it does not do: keep heads, gossip them, or judge heads of a revoked key, which depends on
the chain (``chain.decide_standing``).

>>> from datetime import UTC
>>> feed = FeedName(NodeId("a" * 52), "green")
>>> head_payload(feed, 1, EntryHash("0" * 64), datetime(2026, 3, 1, tzinfo=UTC))[-37:]
b'"expires":"2026-03-03T00:00:00.000Z"}'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.chain import ChainState
from federation.feeds.entry import check_signing_time, kid_to_judge, open_signed
from federation.identity.node_document import PinnedNode
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, KeyId, NodeId
from schemas.members import read_hash, read_integer, read_node_id, read_signed_object, read_time
from schemas.signed_envelope import HEAD_TYPE, RELAY_HEAD_TYPE, SignedEnvelope
from schemas.strict_json import write_json
from schemas.timestamps import write_wire_time

HEAD_LIFETIME = timedelta(hours=48)
RELAY_HEAD_TOLERANCE = timedelta(hours=48)


@dataclass(frozen=True, slots=True)
class Head:
    """An origin's statement of its feed's last entry."""

    feed: FeedName
    seq: int
    hash: EntryHash
    ts: datetime
    expires: datetime
    envelope: SignedEnvelope = field(repr=False)
    kid: KeyId

    def is_newer_than(self, held: Head | None) -> bool:
        """Tell whether this head replaces the one held: a lower (seq, ts) is ignored."""
        return held is None or (self.seq, self.ts) > (held.seq, held.ts)

    def is_stale(self, now: datetime) -> bool:
        """Tell whether the head has expired: the feed may be frozen or hidden from us."""
        return now > self.expires


@dataclass(frozen=True, slots=True)
class RelayHead:
    """A relay's statement of how far it serves a foreign feed."""

    relay: NodeId
    feed: FeedName
    seq: int
    hash: EntryHash
    ts: datetime
    envelope: SignedEnvelope = field(repr=False)
    kid: KeyId


def head_payload(feed: FeedName, seq: int, entry_hash: EntryHash, ts: datetime) -> bytes:
    """Build a head's payload; it expires as late as the protocol allows."""
    return write_json(
        {
            "v": 1,
            "feed": str(feed),
            "seq": seq,
            "hash": entry_hash,
            "ts": write_wire_time(ts),
            "expires": write_wire_time(ts + HEAD_LIFETIME),
        }
    )


def relay_head_payload(
    relay: NodeId, feed: FeedName, seq: int, entry_hash: EntryHash, ts: datetime
) -> bytes:
    """Build a relay head's payload."""
    return write_json(
        {
            "v": 1,
            "relay": relay,
            "feed": str(feed),
            "seq": seq,
            "hash": entry_hash,
            "ts": write_wire_time(ts),
        }
    )


def open_head(value: object, *, pinned: PinnedNode, feed: FeedName | None) -> Head:
    """Open a feed head.

    Args:
        value: the parsed signed envelope.
        pinned: the origin.
        feed: the feed asked for, or None for any feed of the origin.

    Raises:
        WireFormatError: the shape, the JSON, or ``E_SCHEMA``.
        SignatureRejected: the keys, the signature, or ``E_KEY_REVOKED``, ``E_NODE_EXPIRED``.
        ChainBroken: ``E_FEED``.
    """
    # 1. Shape, keys, purpose, signature, strict JSON.
    envelope, parsed, signers = open_signed(value, HEAD_TYPE, pinned)
    body = read_signed_object(parsed, "head")
    ts, expires = read_time(body, "ts"), read_time(body, "expires")
    # 2. A head that lives longer would hide a freeze for as long.
    #    Compared as a span: near the year 9999 there is no instant 48 h later.
    if not ts <= expires or expires - ts > HEAD_LIFETIME:
        raise WireFormatError("E_SCHEMA", "expires is not within 48 h after ts", member="expires")
    # 3. The keys' time.
    check_signing_time(ts, signers, pinned)
    # 4. The feed. No check against a clock: an early head tells no more than it could later.
    found = _read_feed(body.get("feed"), feed)
    if found.node_id != pinned.node_id:
        raise ChainBroken("E_FEED", "the head is of another node's feed", found=str(found))
    return Head(
        feed=found,
        seq=read_integer(body, "seq", least=1),
        hash=read_hash(body, "hash"),
        ts=ts,
        expires=expires,
        envelope=envelope,
        kid=kid_to_judge(signers, pinned),
    )


def open_relay_head(value: object, *, relay: PinnedNode, feed: FeedName | None) -> RelayHead:
    """Open a relay head of the node that handed over a page.

    Args:
        value: the parsed signed envelope.
        relay: the node that was asked; another's statement proves nothing against it.
        feed: the feed asked for, or None where evidence is read.

    Raises:
        WireFormatError: the shape, the JSON, or ``E_SCHEMA``.
        SignatureRejected: the keys, the signature, or ``E_KEY_REVOKED``, ``E_NODE_EXPIRED``.
        ChainBroken: ``E_FEED``, or ``E_RELAY_FORBIDDEN`` when it names another relay.
    """
    envelope, parsed, signers = open_signed(value, RELAY_HEAD_TYPE, relay)
    body = read_signed_object(parsed, "relay head")
    ts = read_time(body, "ts")
    check_signing_time(ts, signers, relay)
    if read_node_id(body, "relay") != relay.node_id:
        raise ChainBroken("E_RELAY_FORBIDDEN", "the relay head names another relay")
    # No position in a foreign feed can vouch for a key of the relay's own, so a revoked one, which
    # the relay could disown, signs no confession.
    if relay.revocation(kid_to_judge(signers, relay)) is not None:
        raise SignatureRejected("E_KEY_REVOKED", "the relay head is signed with a revoked key")
    return RelayHead(
        relay=relay.node_id,
        feed=_read_feed(body.get("feed"), feed),
        seq=read_integer(body, "seq", least=1),
        hash=read_hash(body, "hash"),
        ts=ts,
        envelope=envelope,
        kid=kid_to_judge(signers, relay),
    )


def decide_relay_page(
    relay_head: RelayHead | None,
    *,
    last_seq: int,
    last_hash: EntryHash,
    chain_hash_at: Callable[[int], EntryHash | None],
    now: datetime,
) -> None:
    """Decide whether a relay's page of a foreign feed may be looked at (PROTOCOL 2.5).

    Args:
        relay_head: what came with the page, opened for that relay and feed.
        last_seq: seq of the page's last entry, 0 for an empty page.
        last_hash: hash of the page's last entry.
        chain_hash_at: the hash that we hold at a seq, None where we hold none.
        now: our clock.

    Raises:
        ChainBroken: ``E_RELAY_FORBIDDEN``.
    """
    # 1. Without a signature under it, a breach of relay:none would leave no evidence.
    if relay_head is None:
        raise _forbidden("the page of a foreign feed came without the sender's relay head")
    # 2. It covers the whole page.
    if relay_head.seq < last_seq:
        raise _forbidden("the relay head ends before the page does")
    # 3. It is about the chain that we hold, and about this page.
    stated = relay_head.hash
    if chain_hash_at(relay_head.seq) not in (None, stated):
        raise _forbidden("the relay head contradicts our chain")
    if relay_head.seq == last_seq and stated != last_hash:
        raise _forbidden("the relay head contradicts the page")
    # 4. It was made for now: an old one could be somebody else's copy of it.
    if abs(relay_head.ts - now) > RELAY_HEAD_TOLERANCE:
        raise _forbidden("the relay head is not of today")


def decide_end(
    state: ChainState, head: Head, chain_hash_at: Callable[[int], EntryHash | None]
) -> None:
    """Decide whether a chain that was read to the end is whole (PROTOCOL 2.5, 2.6).

    Args:
        state: the chain after the last page, the one with ``more`` false.
        head: the origin's newest head.
        chain_hash_at: the hash that we hold at a seq, None where we hold none.

    Raises:
        ChainBroken: ``E_FORK`` (``params["contradicts"]``) or ``E_GAP``.
    """
    held = state.hash if head.seq == state.seq else chain_hash_at(head.seq)
    if held is not None and held != head.hash:
        raise ChainBroken(
            "E_FORK",
            "the origin's head contradicts the entries that we hold",
            "Keep both as evidence and ask the origin's operator; nobody can pick for you.",
            contradicts=head.seq,
            held=held,
        )
    if head.seq > state.seq:
        raise ChainBroken(
            "E_GAP",
            f"the feed goes to seq {head.seq}, the pages ended at {state.seq}",
            "Ask another relay or the origin for the rest.",
            expected=state.seq + 1,
        )


def _read_feed(value: object, expected: FeedName | None) -> FeedName:
    found = FeedName.read(value)
    if expected is not None and found != expected:
        raise ChainBroken("E_FEED", "of another feed than asked for", expected=str(expected))
    return found


def _forbidden(detail: str) -> ChainBroken:
    return ChainBroken(
        "E_RELAY_FORBIDDEN", detail, "Pull the feed from its origin or from another relay."
    )
