"""Open a feed entry: everything that is decided before its place in the chain (PROTOCOL 2.4).

A failure here is *chain level*: the feed stops before the entry and the cursor does not move.
What is chain level must come out the same at every node and in every later version, or honest
nodes would hold chains of different length. So only these members are read here:

* ``v``, because another version may mean other things by all that follows;
* ``feed``, ``seq``, ``prev`` and ``ts``, because they say where the entry stands;
* ``nonce``, because without it an erased entry's hash could be guessed back to its content, and
  a hash cannot be given a nonce later;
* ``kind`` as text alone, because a stub and the closing of a group are known by it; *which* kinds
  exist is content, so that a new kind never stops an older node's feed;
* ``policy`` as an object and its ``relay``, because a relay decides by it whether to serve the
  entry, and whoever reads there whether the relay was allowed to.

All else, unknown kinds and members that begin with ``!`` included, is content
(``federation.feeds.content``): the entry is stored as rejected and the chain advances.

Invariants:
* keys come from the pinned documents of the node that the feed's name states, from nowhere else;
* the bytes that were verified are the bytes that are parsed;
* nothing here reads a clock: every node gives the same answer at any time.

What it does not do: place the entry in the chain (``chain``), or judge entries of a revoked key,
since that depends on the chain too (``chain.decide_standing``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.payload_members import Members, read_word
from federation.identity.node_document import PinnedNode
from federation.signing.keys import USE_ENTRY, KeyRecord, verify_envelope
from schemas.identifiers import EntryHash, FeedName, KeyId
from schemas.members import (
    read_bytes,
    read_hash,
    read_integer,
    read_object,
    read_text,
    read_time,
    read_version,
)
from schemas.signed_envelope import ENTRY_TYPE, SignedEnvelope, read_envelope
from schemas.strict_json import MAX_PAYLOAD_BYTES, strict_loads

NONCE_BYTES = 16

RELAY_NONE = "none"
RELAY_COMMUNITY = "community"
RELAY_PUBLIC = "public"
RELAY_WORDS = frozenset({RELAY_NONE, RELAY_COMMUNITY, RELAY_PUBLIC})


@dataclass(frozen=True, slots=True)
class EntryHeader:
    """The members of an entry that decide at chain level."""

    feed: FeedName
    seq: int
    prev: EntryHash
    ts: datetime
    kind: str
    relay: str


@dataclass(frozen=True, slots=True)
class OpenedEntry:
    """An entry whose signature holds; nothing is said about its place or its content.

    Attributes:
        envelope: what was signed, kept as received.
        hash: the entry hash, computed once.
        header: the chain-level members.
        body: all members of the payload.
        kid: the key that signed; of several a revoked one, so that revocation is never missed.
        continues_epoch: the node's documents name ``prev`` as a last good position or as the
            end of an epoch, so this may be the first entry of a later epoch.
    """

    envelope: SignedEnvelope
    hash: EntryHash
    header: EntryHeader
    body: Members = field(repr=False)
    kid: KeyId
    continues_epoch: bool = False


def open_entry(envelope_value: object, *, pinned: PinnedNode, feed: FeedName) -> OpenedEntry:
    """Open a feed entry up to its place in the chain; the first failure decides (PROTOCOL 2.4).

    Args:
        envelope_value: the parsed signed envelope.
        pinned: the node that the feed belongs to, never one that the message names.
        feed: the feed of the collection that was asked or posted to.

    Raises:
        WireFormatError: ``E_TYPE``, ``E_SIG_NONE``, ``E_B64``, ``E_TOO_BIG``, ``E_SIG_LEN``,
            ``E_JSON_*`` or ``E_SCHEMA``.
        SignatureRejected: ``E_KEY_UNKNOWN``, ``E_KEY_PURPOSE``, ``E_SIG_BAD``, ``E_SIG_NONE``,
            ``E_KEY_REVOKED`` or ``E_NODE_EXPIRED``.
        ChainBroken: ``E_FEED``.
    """
    # 1. to 5. Shape, size, keys, purpose, signature, strict JSON.
    envelope, body, signers = open_signed(envelope_value, ENTRY_TYPE, pinned)
    # 6. The chain-level members.
    header = read_header(body)
    # 7. The keys' time, by the entry's own clock.
    check_signing_time(header.ts, signers, pinned)
    # 8. The feed: the one that was asked for, of the node whose keys were used.
    if header.feed != feed or feed.node_id != pinned.node_id:
        raise ChainBroken(
            "E_FEED",
            "the entry belongs to another feed than the one it came in",
            "Report it to the node that sent it: an entry was moved between feeds.",
            expected=str(feed),
            found=str(header.feed),
        )
    return OpenedEntry(
        envelope=envelope,
        hash=envelope.hash,
        header=header,
        body=body,
        kid=kid_to_judge(signers, pinned),
        continues_epoch=header.prev in pinned.epoch_starts(),
    )


def open_signed(
    envelope_value: object, payload_type: str, signer: PinnedNode
) -> tuple[SignedEnvelope, Members, tuple[KeyRecord, ...]]:
    """Open what a node signed with an ``entry`` key: envelope, parsed payload, signing keys.

    Raises:
        WireFormatError: the shape, or the payload's JSON.
        SignatureRejected: the keys or a signature.
    """
    # 1. Shape and size (PROTOCOL 2.2).
    envelope = read_envelope(envelope_value, payload_type, MAX_PAYLOAD_BYTES)
    # 2. Keys, purpose and signatures, before a parser sees the payload.
    signers = verify_envelope(envelope, signer.entry_ring(), USE_ENTRY)
    # 3. The verified bytes, and no copy of them made elsewhere, go to the parser.
    parsed = strict_loads(envelope.payload, max_bytes=MAX_PAYLOAD_BYTES)
    return envelope, read_object(parsed, "payload"), signers


def read_header(body: Members) -> EntryHeader:
    """Read the chain-level members of an entry's payload.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    read_version(body)
    read_bytes(body, "nonce", length=NONCE_BYTES)
    return EntryHeader(
        feed=FeedName.read(body.get("feed")),
        seq=read_integer(body, "seq", least=1),
        prev=read_hash(body, "prev"),
        ts=read_time(body, "ts"),
        kind=read_text(body, "kind"),
        relay=_read_relay(read_object(body.get("policy"), "policy")),
    )


def check_signing_time(ts: datetime, signers: tuple[KeyRecord, ...], pinned: PinnedNode) -> None:
    """Check that every signing key, and the node's document, were valid at ``ts`` (PROTOCOL 2.3).

    Every key and not any: a good signature beside one of an ended key says that somebody who
    should be retired still signs, as for a failing signature (PROTOCOL 2.2). ``ts`` and not our
    clock: all nodes must agree, and a thief's false ``ts`` is caught by position, not by time.

    Raises:
        SignatureRejected: ``E_KEY_REVOKED`` or ``E_NODE_EXPIRED``.
    """
    if not all(record.is_valid_at(ts) for record in signers):
        raise SignatureRejected(
            "E_KEY_REVOKED",
            "the signing key was not valid at the time that is stated",
            "Fetch the node's newest documents; if it stays, ask its operator.",
        )
    if pinned.is_expired(ts):
        raise SignatureRejected(
            "E_NODE_EXPIRED",
            "signed after the node's newest document expired",
            "Ask the node's operator to publish a new node document.",
        )


def kid_to_judge(signers: tuple[KeyRecord, ...], pinned: PinnedNode) -> KeyId:
    """Name the key that a statement stands or falls with: of several a revoked one."""
    return next((record.kid for record in signers if pinned.revocation(record.kid)), signers[0].kid)


def _read_relay(policy: Members) -> str:
    # Absent means none (PROTOCOL 2.4); null is not absent.
    return read_word(policy, "relay", RELAY_WORDS) if "relay" in policy else RELAY_NONE
