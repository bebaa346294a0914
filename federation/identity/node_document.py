"""Who a node is: its chain of documents, how it may grow, and which keys count (PROTOCOL 2.3).

Invariants:
* a chain's first document *is* the node's id: its root set and committed successor hash to it;
* each further document is signed by the root set before it, or by the one that it committed to;
* where both exist for one version, the committed one wins and the node is frozen, whichever
  arrived first: a thief who has the current root cannot keep the owner out;
* a key that was ever revoked stays revoked.

What it does not do: read a clock (expiry is the caller's question with ``now``), store or fetch
documents, or decide what an entry under a revoked key is worth (``federation.feeds``).

>>> pin_chain([], expected=None, allow_demo=False)
Traceback (most recent call last):
    ...
federation.errors.SignatureRejected: E_NODE_VERSION: a chain has at least one document
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from federation.errors import SignatureRejected
from federation.identity.document_form import (
    NodeDocument,
    Position,
    RevokedKey,
    derive_node_id,
    document_payload,
    read_node_document,
    rootset,
)
from federation.signing.keys import (
    ED25519,
    USE_ENTRY,
    USE_HTTP,
    USE_ROOT,
    USE_SEAL,
    KeyRecord,
    KeyRing,
    check_public_key,
    key_id,
    verify_envelope,
)
from schemas.errors import WireFormatError
from schemas.identifiers import ZERO_HASH, EntryHash, KeyId, NodeId, StixId

__all__ = [
    "Conflict",
    "NodeDocument",
    "PinnedNode",
    "Position",
    "RevokedKey",
    "decide_conflict",
    "derive_node_id",
    "document_payload",
    "extend_chain",
    "pin_chain",
    "read_node_document",
    "rootset",
]


@dataclass(frozen=True, slots=True)
class PinnedNode:
    """A node's verified documents 1…n. Make one by ``pin_chain`` alone."""

    documents: tuple[NodeDocument, ...]

    @property
    def node_id(self) -> NodeId:
        """The node's id, the same in every document."""
        return self.documents[0].node_id

    @property
    def newest(self) -> NodeDocument:
        """The document of the highest version."""
        return self.documents[-1]

    @property
    def identities(self) -> tuple[StixId, ...]:
        """The STIX identities that this node writes as."""
        return self.newest.identities

    def is_expired(self, now: datetime) -> bool:
        """Tell whether the newest document has expired: old entries verify, new ones do not."""
        return now > self.newest.expires

    def entry_ring(self) -> KeyRing:
        """Give the keys for entries, heads, acks and vouches, from all documents.

        A key that the newest document no longer lists ended when it was first left out, so that
        a newcomer can verify what was signed before. Other keys of the newest document are in
        the ring only to be told apart: signing with them is ``E_KEY_PURPOSE``.
        """
        newest = {record.kid: record for record in self.newest.keys}
        ended = {
            kid: record
            for kid, record in self._last_records().items()
            if record.use == USE_ENTRY and kid not in newest
        }
        return KeyRing(ended | newest, self.newest.required_algs)

    def http_ring(self) -> KeyRing:
        """Give the keys of the newest document alone; older http keys do not count."""
        return KeyRing(
            {record.kid: record for record in self.newest.keys}, self.newest.required_algs
        )

    def http_key(self, kid: KeyId, now: datetime) -> bytes | None:
        """Find a public key that may sign requests at this time; None when there is none."""
        for record in self.newest.keys:
            if record.kid == kid and record.use == USE_HTTP and record.is_valid_at(now):
                return record.pub
        return None

    def seal_keys(self, now: datetime) -> tuple[KeyRecord, ...]:
        """Give the keys that one may seal to at this time."""
        return tuple(
            record
            for record in self.newest.keys
            if record.use == USE_SEAL and record.is_valid_at(now)
        )

    def revocation(self, kid: KeyId) -> RevokedKey | None:
        """Find a kid's revocation; None when it is not revoked.

        The newest document that names the kid speaks, so that positions can be added. A later
        document that names it no more does not make it good again: a stolen key stays stolen.
        """
        for document in reversed(self.documents):
            for revoked in document.revoked:
                if revoked.kid == kid:
                    return revoked
        return None

    def last_good(self, kid: KeyId) -> tuple[Position, ...] | None:
        """Give the positions up to which a revoked kid counts; None when it is not revoked."""
        revoked = self.revocation(kid)
        return None if revoked is None else revoked.last_good

    def epoch_starts(self) -> frozenset[EntryHash]:
        """Give the hashes that the first entry of a later epoch may follow (``prev``)."""
        return frozenset(
            position.hash
            for document in self.documents
            for places in (document.epochs, *(key.last_good for key in document.revoked))
            for position in places
        )

    def _last_records(self) -> dict[KeyId, KeyRecord]:
        """The newest record of every kid, cut off at the first document without it."""
        records: dict[KeyId, KeyRecord] = {}
        listed: set[KeyId] = set()
        for document in self.documents:
            now_listed = {record.kid: record for record in document.keys}
            for kid in listed - now_listed.keys():
                records[kid] = _end_at(records[kid], document.issued)
            records |= now_listed
            listed = set(now_listed)
        return records


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two documents of one version: the chain that stands and the document that lost.

    The node is frozen and the operator told; the losing document is the evidence.
    """

    pinned: PinnedNode
    overruled: NodeDocument


def pin_chain(
    envelope_values: Sequence[object], *, expected: NodeId | None, allow_demo: bool
) -> PinnedNode:
    """Verify a node's whole chain, from the first document on.

    Args:
        envelope_values: the documents 1…n as ``strict_loads`` gave them.
        expected: the id that the node must have; None where the caller compares it itself.
        allow_demo: whether documents made for a demonstration are taken.

    Raises:
        SignatureRejected: ``E_NODE_VERSION``, ``E_KEY_UNKNOWN`` or ``E_SIG_*``.
        WireFormatError: for the shape, and ``E_SCHEMA`` for a demo document.
    """
    if not envelope_values:
        raise SignatureRejected("E_NODE_VERSION", "a chain has at least one document")
    first = _pin_first(envelope_values[0], expected, allow_demo)

    def extend(pinned: PinnedNode, value: object) -> PinnedNode:
        return extend_chain(pinned, value, allow_demo=allow_demo)

    return reduce(extend, envelope_values[1:], first)


def extend_chain(pinned: PinnedNode, envelope_value: object, *, allow_demo: bool) -> PinnedNode:
    """Add the next document to a chain.

    A document of a version that is held is ``E_NODE_VERSION``; ask ``decide_conflict`` then.

    Raises:
        SignatureRejected: ``E_NODE_VERSION`` (``params["version"]`` is the newest held),
            ``E_KEY_UNKNOWN`` or ``E_SIG_*``.
        WireFormatError: for the shape, and ``E_SCHEMA`` for a demo document.
    """
    document = _read_admissible(envelope_value, allow_demo)
    _check_successor(pinned.newest, document)
    return PinnedNode((*pinned.documents, document))


def decide_conflict(
    pinned: PinnedNode, envelope_value: object, *, allow_demo: bool
) -> Conflict | None:
    """Decide rule (c): of two documents of one version, the committed root set's wins.

    Both orders of arrival give the same chain and the same loser. Documents that the loser's
    chain had after it fall with it.

    Returns:
        None when the rule does not apply: the document is simply old, or held already, both
        follow the same rule, or its root set is one that the held chain has used since. Then the
        chain held stands and nothing is frozen.

    Raises:
        SignatureRejected, WireFormatError: the document is no valid one of any version held; an
            unsigned claim must not freeze anybody.
    """
    document = _read_admissible(envelope_value, allow_demo)
    # A first document cannot conflict: another one has another node id.
    if not 1 < document.version <= pinned.newest.version:
        return None
    before = pinned.documents[: document.version - 1]
    held = pinned.documents[document.version - 1]
    if held.hash == document.hash:
        return None
    _check_successor(before[-1], document)
    held_rotates = _rotates(before[-1], held)
    if held_rotates == _rotates(before[-1], document):
        return None
    # The committed root set is proof only as long as it lay apart. Once the held chain has taken
    # it into use, its key was online or is retired, and whoever has it could else take the node
    # back to a time before, in which nobody would know of the root set that came after.
    if any(later.rootset == document.rootset for later in pinned.documents[document.version :]):
        return None
    if held_rotates:
        return Conflict(pinned, document)
    return Conflict(PinnedNode((*before, document)), held)


def _pin_first(value: object, expected: NodeId | None, allow_demo: bool) -> PinnedNode:
    document = _read_admissible(value, allow_demo)
    # 1. It is the first.
    if document.version != 1 or document.prev != ZERO_HASH:
        raise SignatureRejected("E_NODE_VERSION", "the chain does not begin with version 1")
    # 2. It is the node's own: the id is nothing but a hash of these two.
    derived = derive_node_id(document.rootset, bytes.fromhex(document.next_root))
    if document.node_id != derived or expected not in (None, derived):
        raise SignatureRejected(
            "E_KEY_UNKNOWN",
            "the document's root keys do not make the expected node id",
            "Compare the fingerprint with the peer over another channel.",
        )
    # 3. Its root set signed it.
    _check_root_signatures(document, document)
    return PinnedNode((document,))


def _read_admissible(value: object, allow_demo: bool) -> NodeDocument:
    document = read_node_document(value)
    if document.demo and not allow_demo:
        raise WireFormatError(
            "E_SCHEMA",
            "the node document was made for a demonstration",
            "Its keys are public. Never pair a real node with one of a demonstration.",
        )
    # libsodium's opinion is asked once, here, so that a laxer verifier behind us is never fed a
    # point of small order (PROTOCOL 2.7).
    for pub in document.root_keys:
        check_public_key(ED25519, pub)
    for record in document.keys:
        check_public_key(record.alg, record.pub)
    return document


def _check_successor(held: NodeDocument, document: NodeDocument) -> None:
    # 1. Whose it is.
    if document.node_id != held.node_id:
        raise SignatureRejected("E_KEY_UNKNOWN", "the document names another node")
    # 2. It follows what we hold, in number, hash and time.
    if (
        document.version != held.version + 1
        or document.prev != held.hash
        or document.issued < held.issued
    ):
        raise SignatureRejected(
            "E_NODE_VERSION",
            f"the document does not follow version {held.version}",
            version=held.version,
        )
    # 3. Its root set is the held one (a), or the one that was committed to (b). In case (b) no
    #    old signature is asked for, so that the loss of the current root is survivable.
    if document.rootset != held.rootset and not _rotates(held, document):
        raise SignatureRejected("E_KEY_UNKNOWN", "nobody committed to this root set")
    # 4. That root set signed it.
    _check_root_signatures(document, held)


def _rotates(held: NodeDocument, document: NodeDocument) -> bool:
    """Tell rule (b) from rule (a)."""
    return document.rootset != held.rootset and document.rootset.hex() == held.next_root


def _check_root_signatures(document: NodeDocument, held: NodeDocument) -> None:
    """Check the threshold of the document's own root set, which the caller has authorised.

    Root keys have no time of their own, so none is checked; ``issued`` orders the documents.
    """
    records = [
        KeyRecord(key_id(ED25519, pub), ED25519, pub, USE_ROOT, held.issued, document.expires)
        for pub in document.root_keys
    ]
    ring = KeyRing({record.kid: record for record in records}, frozenset())
    signed = verify_envelope(document.envelope, ring, USE_ROOT)
    if len(signed) < document.root_threshold:
        raise SignatureRejected(
            "E_SIG_NONE",
            f"{len(signed)} of {document.root_threshold} root signatures are there",
        )


def _end_at(record: KeyRecord, at: datetime) -> KeyRecord:
    return KeyRecord(
        record.kid, record.alg, record.pub, record.use, record.nbf, min(record.naf, at)
    )
