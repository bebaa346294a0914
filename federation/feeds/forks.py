"""Fork proofs: two statements of one origin that cannot both be true (PROTOCOL 2.5).

Decides whether two signed statements contradict each other, so that anybody who has the origin's
documents can check it.

Invariants:
* only what the origin itself signed counts, under its own keys in their time; a liar can make no
  proof against somebody else;
* statements of one chain never make a proof, whatever they are and in whatever order they come;
* what a thief signed with a key that was revoked since is void and proves nothing, or he could
  freeze the owner's feed for ever;
* of several statements of one branch a head is taken before an entry, which has content.

What it does not do: fetch, store, freeze, or pick the branch that is right. Nobody can.

>>> feed_stated({"payloadType": "x"}) is None
True
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.entry import open_entry
from federation.feeds.heads import open_head
from federation.identity.node_document import PinnedNode
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, KeyId
from schemas.members import read_object
from schemas.signed_envelope import ENTRY_TYPE, HEAD_TYPE, SignedEnvelope, read_envelope
from schemas.strict_json import strict_loads

FORK = "fork"
HashAt = Callable[[int], EntryHash | None]


@dataclass(frozen=True, slots=True)
class Statement:
    """What an origin signed about one of its feeds.

    Args:
        seq: of the head or the entry.
        hashes: which hash stands at which seq: a head states one, an entry of seq n also its
            ``prev`` for n-1.
        ts: when it was signed, as it says itself.
        kid: the key that it stands or falls with.
    """

    feed: FeedName
    seq: int
    hashes: Mapping[int, EntryHash]
    ts: datetime
    kid: KeyId
    envelope: SignedEnvelope = field(repr=False)

    @property
    def is_head(self) -> bool:
        """Tell a head, which has no content, from an entry."""
        return self.envelope.payload_type == HEAD_TYPE


@dataclass(frozen=True, slots=True)
class ForkProof:
    """Two statements that hold and state different hashes for ``seq``."""

    feed: FeedName
    seq: int
    a: Statement
    b: Statement

    @property
    def digest(self) -> str:
        """Name what is shown: the two hashes at the seq, whichever statements show it."""
        hashes = sorted((self.a.hashes[self.seq], self.b.hashes[self.seq]))
        return hashlib.sha256(f"{FORK} {self.feed} {self.seq} {hashes}".encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Give the proof's wire members."""
        return {"type": FORK, "a": self.a.envelope.to_json(), "b": self.b.envelope.to_json()}


def feed_stated(value: object, kinds: Sequence[str] = (HEAD_TYPE, ENTRY_TYPE)) -> FeedName | None:
    """Read which feed a head or an entry claims to be of, before anything of it is verified.

    Only to find the origin whose keys have to have signed it; None when it says nothing readable.
    """
    kind = value.get("payloadType") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        return None
    try:
        payload = strict_loads(read_envelope(value, kind).payload)
        return FeedName.read(payload.get("feed") if isinstance(payload, dict) else None)
    except WireFormatError:
        return None


def read_statement(value: object, *, pinned: PinnedNode, feed: FeedName) -> Statement:
    """Open a head or an entry as a statement about its feed.

    Raises:
        WireFormatError, SignatureRejected, ChainBroken: it does not hold.
    """
    if isinstance(value, dict) and value.get("payloadType") == HEAD_TYPE:
        head = open_head(value, pinned=pinned, feed=feed)
        return Statement(feed, head.seq, {head.seq: head.hash}, head.ts, head.kid, head.envelope)
    entry = open_entry(value, pinned=pinned, feed=feed)
    header = entry.header
    hashes = {header.seq: entry.hash}
    # What comes before the first entry is of another epoch, or nothing: no seq of this feed.
    if header.seq > 1:
        hashes[header.seq - 1] = header.prev
    return Statement(feed, header.seq, hashes, header.ts, entry.kid, entry.envelope)


def build_fork_proof(
    ours: Sequence[Statement],
    theirs: Sequence[Statement],
    *,
    pinned: PinnedNode,
    chain_hash_at: HashAt = lambda _seq: None,
) -> ForkProof | None:
    """Find two statements that contradict each other, with as little content as possible.

    Args:
        ours: what is held of one branch.
        theirs: what contradicts it, as far as is known.
        pinned: the origin.
        chain_hash_at: the hash that we hold at a seq, for statements under a revoked key.

    Returns:
        None when there is no contradiction, or void statements alone show it.
    """
    proofs = [
        found
        for a in ours
        for b in theirs
        if (found := _contradiction(a, b, pinned, chain_hash_at)) is not None
    ]
    return min(proofs, key=lambda proof: (not proof.a.is_head, not proof.b.is_head), default=None)


def read_fork_proof(
    value: object, pinned: PinnedNode, *, chain_hash_at: HashAt = lambda _seq: None
) -> ForkProof:
    """Check a fork proof (PROTOCOL 2.5).

    Args:
        value: as ``strict_loads`` gave it.
        pinned: the accused.
        chain_hash_at: the hash that the reader holds at a seq of that feed. It only matters for
            statements under a revoked key, whose worth depends on the chain; a reader that holds
            nothing takes them as void.

    Raises:
        SignatureRejected: ``E_PROOF``; ``params["because"]`` is the code of what failed.
    """
    body = _read_body(value)
    feed = feed_stated(body.get("a"))
    # 1. Both are of one feed, and it is the accused's.
    if feed is None or feed_stated(body.get("b")) != feed or feed.node_id != pinned.node_id:
        raise refuse_proof("the two statements are not of one feed of the accused", "E_FEED")
    # 2. Each is signed by the accused, in the time of its key.
    try:
        a, b = (read_statement(body.get(name), pinned=pinned, feed=feed) for name in ("a", "b"))
    except (WireFormatError, SignatureRejected, ChainBroken) as error:
        raise refuse_proof(error.detail, error.code) from None
    # 3. Neither is void, and they cannot both be true.
    found = _contradiction(a, b, pinned, chain_hash_at)
    if found is None:
        void = not all(counts(each, pinned, chain_hash_at) for each in (a, b))
        if void:
            raise refuse_proof("a statement is void: its key was revoked", "E_KEY_REVOKED")
        raise refuse_proof("the two statements can both be true", "E_SCHEMA")
    return found


def counts(statement: Statement, pinned: PinnedNode, chain_hash_at: HashAt) -> bool:
    """Tell whether a statement counts, in view of its origin's revoked keys (PROTOCOL 2.3).

    Under a revoked key only what lies on a chain that reaches a position that the owner calls
    good does. Such a position says nothing of a statement that merely has a lower seq: the thief
    can sign any seq he likes.
    """
    last_good = pinned.last_good(statement.kid)
    if last_good is None:
        return True
    on_our_chain = chain_hash_at(statement.seq) == statement.hashes[statement.seq]
    return any(
        statement.hashes.get(position.seq) == position.hash
        or (on_our_chain and chain_hash_at(position.seq) == position.hash)
        for position in last_good
        if position.seq >= statement.seq
    )


def refuse_proof(detail: str, because: str) -> SignatureRejected:
    """Build the refusal of a proof that does not hold."""
    return SignatureRejected(
        "E_PROOF",
        f"the proof does not hold: {detail}",
        "Nothing was frozen or stored. Ask whoever sent it where it came from.",
        because=because,
    )


def _read_body(value: object) -> Mapping[str, object]:
    try:
        body = read_object(value, "proof")
    except WireFormatError as error:
        raise refuse_proof(error.detail, error.code) from None
    if body.get("type") != FORK:
        raise refuse_proof("it is no fork proof", "E_TYPE")
    return body


def _contradiction(
    a: Statement, b: Statement, pinned: PinnedNode, chain_hash_at: HashAt
) -> ForkProof | None:
    if a.feed != b.feed:
        return None
    differing = [seq for seq in a.hashes.keys() & b.hashes.keys() if a.hashes[seq] != b.hashes[seq]]
    if not differing:
        return None
    if not all(counts(each, pinned, chain_hash_at) for each in (a, b)):
        return None
    return ForkProof(a.feed, min(differing), a, b)
