"""How a node's chain of documents goes on: new keys, revocation, a new root, new epochs.

Decides what the next document says, what becomes of documents that a node hands over, and when a
new key may be used (PROTOCOL 2.3, 2.6 ``POST …/node``, 4.5).

Invariants:
* a new key is listed beside the old one for 14 days, and is valid a little before it is listed, so
  that a peer whose clock is behind takes it;
* a revoked key is listed no more. It stays among ``revoked``, and the place of an epoch among
  ``epochs``, as long as these say little (``REPEATED_BYTES``); after that the oldest are said no
  more, and hold all the same, since the document that said them stays in the chain. So there is
  always room for what is revoked next;
* of documents that are handed over, those that we hold pass silently, the rest has to follow, and
  where rule (c) applies the committed root set's document stands, whichever came first.

What it does not do: read a clock, hold a key, or store anything.

>>> find_threshold(rootset(1, [bytes(32)]).hex(), [bytes(32)])
1
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from federation.errors import SignatureRejected
from federation.identity.document_form import (
    MAX_KEYS,
    NodeDocument,
    Position,
    RevokedKey,
    document_payload,
    key_member,
    position_member,
    read_node_document,
    rootset,
)
from federation.identity.node_document import (
    Conflict,
    PinnedNode,
    decide_conflict,
    extend_chain,
)
from federation.signing.keys import KeyRecord
from schemas.errors import WireFormatError
from schemas.identifiers import KeyId
from schemas.strict_json import MAX_NODE_DOCUMENT_BYTES, write_json
from schemas.timestamps import read_wire_time, write_wire_time

DOCUMENT_LIFE = timedelta(days=365)
OVERLAP = timedelta(days=14)
"""How long an old key stays listed beside the new one (PROTOCOL 4.5)."""
HANDOVER_AFTER = timedelta(days=7)
"""After that the new key is used also when not every peer was told: half of the overlap is left."""
CLOCK_TOLERANCE = timedelta(seconds=300)
REPEATED_BYTES = 4_096
"""How much a document says again of what earlier ones revoked and where they opened epochs."""
_AROUND_EPOCHS = 16
"""Bytes of the member that holds them."""
MOST_POSTED = 1_000
"""Documents in one request; monthly rotation makes some thirty a year."""


@dataclass(frozen=True, slots=True)
class RootSet:
    """The root keys of a document and how many of them have to sign."""

    threshold: int
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NextDocument:
    """What the next document says differently; None keeps what the held one says.

    Args:
        keys: all online keys, such as ``keys_beside`` gives them.
        root: the root set that was committed to; the present one otherwise.
        next_root: the digest of the root set that comes after it.
        revoked: keys that count no more, in addition to those that were revoked before.
        epochs: where further epochs begin, in addition to those named before.
    """

    keys: tuple[KeyRecord, ...] | None = None
    root: RootSet | None = None
    next_root: str | None = None
    revoked: tuple[RevokedKey, ...] = ()
    epochs: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class ChainUpdate:
    """What became of documents that a node handed over.

    Args:
        pinned: the chain that stands now.
        kept: how many of the documents that were held still stand.
        conflict: set where rule (c) applied; the node is frozen then.
        offered: the last document that was looked at, whether it stands or lost.
    """

    pinned: PinnedNode
    kept: int
    conflict: Conflict | None
    offered: NodeDocument


def next_issued(held: NodeDocument, now: datetime, signed: Iterable[datetime] = ()) -> datetime:
    """Choose ``issued``: never before the held document, nor before what the node has signed.

    A key that the document leaves out ended at ``issued``: with a clock that went back, entries
    that are good would end with it.

    Args:
        signed: times that own entries and heads state.
    """
    return read_wire_time(write_wire_time(max(now, held.issued, *signed)))


def expires_after(held: NodeDocument, issued: datetime) -> datetime:
    """Tell when a document issued then expires: the root key is at hand, so a year from then."""
    return max(held.expires, issued + DOCUMENT_LIFE)


def next_payload(held: NodeDocument, change: NextDocument, issued: datetime) -> bytes:
    """Build the payload of the document that follows ``held``, for the root to sign.

    What earlier documents revoked, and where they opened epochs, is said again as far as there is
    room, the newest first. That the rest may be left out:

    1. Whoever holds this document holds those before it: it is taken as the next one of a chain
       alone, by version and ``prev``, and a newcomer fetches 1…n (PROTOCOL 2.3). A thief of the
       root cannot take one of them out, for the hashes after it would not fit; where rule (c)
       replaces one, it replaces those after it too, so saying a thing again there saved nothing.
    2. Of a key the newest document that names it speaks (``PinnedNode.revocation``). Not named is
       not said, so what was said stands: the kid stays revoked, up to the same positions. No entry
       becomes good by leaving out.
    3. A key is left out whole. With some of its positions it *would* be said anew, and own entries
       that counted by the others would be void.
    4. The places of epochs count from every document (``PinnedNode.epoch_starts``).

    Raises:
        WireFormatError: ``E_SCHEMA`` when it would list more keys than a document may.
    """
    bare = _payload(held, change, issued, change.revoked, change.epochs)
    room = min(REPEATED_BYTES, MAX_NODE_DOCUMENT_BYTES - len(bare) - _AROUND_EPOCHS)
    keys, places = [], []
    for key in reversed(held.revoked):
        room -= (size := _written(key_member(key)))
        if room >= 0:
            keys.append(key)
        else:
            room += size
    for place in reversed(held.epochs):
        room -= (size := _written(position_member(place)))
        if room >= 0:
            places.append(place)
        else:
            room += size
    revoked = (*reversed(keys), *change.revoked)
    epochs = tuple(dict.fromkeys((*reversed(places), *change.epochs)))
    return _payload(held, change, issued, revoked, epochs)


def positions_that_fit(
    held: NodeDocument, change: NextDocument, issued: datetime, positions: Sequence[Position]
) -> int:
    """Count how many of these the next document has room for, from the first on."""
    bare = _payload(held, change, issued, change.revoked, change.epochs)
    room = MAX_NODE_DOCUMENT_BYTES - len(bare) - _AROUND_EPOCHS
    for count, place in enumerate(positions):
        room -= _written(position_member(place))
        if room < 0:
            return count
    return len(positions)


def _written(member: dict[str, object]) -> int:
    """Count the bytes of a list's member, with its comma."""
    return len(write_json(member)) + 1


def _payload(
    held: NodeDocument,
    change: NextDocument,
    issued: datetime,
    revoked: Sequence[RevokedKey],
    epochs: Sequence[Position],
) -> bytes:
    root = change.root or RootSet(held.root_threshold, held.root_keys)
    keys = _living(held.keys if change.keys is None else change.keys, issued)
    if len(keys) > MAX_KEYS:
        raise WireFormatError("E_SCHEMA", f"the document would list more than {MAX_KEYS} keys")
    payload = document_payload(
        node_id=held.node_id,
        version=held.version + 1,
        prev=held.hash,
        issued=issued,
        expires=expires_after(held, issued),
        name=held.name,
        domains=held.domains,
        contact=held.contact,
        root_threshold=root.threshold,
        root_keys=root.keys,
        next_root=change.next_root or held.next_root,
        keys=keys,
        required_algs=sorted(held.required_algs),
        identities=held.identities,
        base=held.base,
        revoked=revoked,
        epochs=epochs,
        terms=held.terms,
        demo=held.demo,
        wire=held.wire,
    )
    return write_json(payload)


def new_record(
    held: NodeDocument, kid: KeyId, alg: str, pub: bytes, use: str, issued: datetime
) -> KeyRecord:
    """Make the record of a new key; it ends with the document that lists it first."""
    ends = expires_after(held, issued)
    return KeyRecord(kid, alg, pub, use, issued - CLOCK_TOLERANCE, ends)


def keys_beside(held: NodeDocument, new: KeyRecord, issued: datetime) -> tuple[KeyRecord, ...]:
    """List a new key beside those of its use, which end after the overlap (PROTOCOL 4.5)."""
    last = issued + OVERLAP
    ending = (
        replace(record, naf=min(record.naf, last)) if record.use == new.use else record
        for record in held.keys
    )
    return (*ending, new)


def keys_without(
    held: NodeDocument, kids: Collection[KeyId], *new: KeyRecord
) -> tuple[KeyRecord, ...]:
    """List the keys without revoked ones, and what takes their place."""
    return (*(record for record in held.keys if record.kid not in kids), *new)


def keys_renewed(
    held: NodeDocument, kids: Collection[KeyId], issued: datetime
) -> tuple[KeyRecord, ...]:
    """Let the keys in use last as long as the new document."""
    ends = expires_after(held, issued)
    return tuple(
        replace(record, naf=max(record.naf, ends)) if record.kid in kids else record
        for record in held.keys
    )


def find_threshold(next_root: str, pubs: Sequence[bytes]) -> int | None:
    """Find the threshold under which these keys are the committed root set; None when not."""
    for threshold in range(1, len(pubs) + 1):
        if rootset(threshold, pubs).hex() == next_root:
            return threshold
    return None


def decide_handover(issued: datetime, now: datetime, *, everybody_told: bool) -> bool:
    """Decide whether a new key that waits may be used (PROTOCOL 2.6).

    A peer that was not told takes entries all the same, since it fetches the chain once when it
    meets an unknown key; its own questions to us are answered. So waiting for everybody is a
    courtesy with an end, which lies well before the old key's.
    """
    return everybody_told or now - issued >= HANDOVER_AFTER


def decide_update(
    pinned: PinnedNode, envelope_values: Sequence[object], *, allow_demo: bool
) -> ChainUpdate:
    """Decide what becomes of documents that a node, or a relay of it, handed over.

    Args:
        pinned: the chain that is held.
        envelope_values: documents in ascending order; those that are held may be among them, since
            an answer may have been lost.

    Raises:
        SignatureRejected: ``E_NODE_VERSION`` (``params["version"]`` is the newest held),
            ``E_KEY_UNKNOWN`` or ``E_SIG_*``; also of a document that contradicts a held one where
            rule (c) does not apply: what came first stands.
        WireFormatError: for the shape, and ``E_SCHEMA`` for a demo document.
    """
    if not 1 <= len(envelope_values) <= MOST_POSTED:
        raise WireFormatError("E_SCHEMA", f"not 1 to {MOST_POSTED} node documents")
    standing, kept, conflict = pinned, len(pinned.documents), None
    offered = pinned.newest
    for value in envelope_values:
        offered = read_node_document(value)
        held = standing.documents[: offered.version][offered.version - 1 :]
        if held and held[0].hash == offered.hash:
            continue
        if not held:
            standing = extend_chain(standing, value, allow_demo=allow_demo)
            continue
        found = decide_conflict(standing, value, allow_demo=allow_demo)
        if found is None:
            raise SignatureRejected(
                "E_NODE_VERSION",
                f"version {offered.version} is held already, with other content",
                "Ask the node's operator by another channel; a key may be stolen.",
                version=standing.newest.version,
            )
        conflict = conflict or found
        if found.overruled.hash == offered.hash:
            break  # it lost, and what follows it falls with it
        kept = min(kept, offered.version - 1)
        standing = found.pinned
    return ChainUpdate(standing, kept, conflict, offered)


def revocations(pinned: PinnedNode) -> dict[KeyId, frozenset[Position]]:
    """Map every revoked kid of a chain to the positions up to which it counts."""
    kids = {key.kid for document in pinned.documents for key in document.revoked}
    return {kid: frozenset(pinned.last_good(kid) or ()) for kid in kids}


def _living(keys: Iterable[KeyRecord], issued: datetime) -> tuple[KeyRecord, ...]:
    """Leave out what has ended: readers take an ended key's last record from the chain."""
    return tuple(record for record in keys if record.naf >= issued)
