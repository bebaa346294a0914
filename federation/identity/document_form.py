"""The form of one node document: its members, its derived names, its builder (PROTOCOL 2.3).

Invariants:
* every kid is recomputed, and at most 64 keys and 8 root keys are taken;
* a document that was read says nothing yet about who signed it.

What it does not do: decide whether a document belongs to a node or follows another
(``federation.identity.node_document``), or judge its expiry, which needs a clock.

>>> derive_node_id(rootset(1, [bytes(32)]), bytes(32)) == derive_node_id(
...     rootset(1, [bytes(32)]), bytes(32))
True
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from federation.identity.base_address import read_base
from federation.signing.keys import (
    ED25519,
    KEY_BYTES,
    USE_ENTRY,
    USE_HTTP,
    USE_SEAL,
    X25519,
    KeyRecord,
    key_id,
)
from schemas.errors import WireFormatError
from schemas.identifiers import (
    EntryHash,
    KeyId,
    NodeId,
    StixId,
    b32,
    b64,
    is_key_id,
    is_stix_id,
    stix_type_of,
)
from schemas.members import (
    has_twice,
    read_bytes,
    read_bytes_of,
    read_hash,
    read_integer,
    read_list,
    read_node_id,
    read_object,
    read_signed_object,
    read_text,
    read_texts,
    read_time,
)
from schemas.signed_envelope import NODE_TYPE, SignedEnvelope, read_envelope
from schemas.strict_json import MAX_NODE_DOCUMENT_BYTES, strict_loads
from schemas.timestamps import write_wire_time

MAX_ROOT_KEYS = 8
MAX_KEYS = 64
_USES = frozenset({USE_ENTRY, USE_HTTP, USE_SEAL})


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a chain that names no feed: its seq and hash (PROTOCOL 2.3)."""

    seq: int
    hash: EntryHash


@dataclass(frozen=True, slots=True)
class RevokedKey:
    """A key that no longer counts, except up to these positions."""

    kid: KeyId
    reason: str
    last_good: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class NodeDocument:
    """One version of what a node says about itself."""

    node_id: NodeId
    version: int
    prev: EntryHash
    issued: datetime
    expires: datetime
    name: str
    domains: tuple[str, ...]
    contact: str
    root_threshold: int
    root_keys: tuple[bytes, ...]
    next_root: str
    keys: tuple[KeyRecord, ...]
    required_algs: frozenset[str]
    identities: tuple[StixId, ...]
    base: str
    revoked: tuple[RevokedKey, ...]
    epochs: tuple[Position, ...]
    terms: str | None
    demo: bool
    wire: tuple[int, ...]
    envelope: SignedEnvelope
    hash: EntryHash

    @property
    def rootset(self) -> bytes:
        """The digest of this document's root keys and threshold."""
        return rootset(self.root_threshold, self.root_keys)


def rootset(threshold: int, pubs: Sequence[bytes]) -> bytes:
    """Digest a root set; the order of the keys says nothing (PROTOCOL 2.3)."""
    head = b"tocsin-rootset-v1\0" + bytes([threshold])
    return hashlib.sha256(head + b"".join(sorted(pubs))).digest()


def derive_node_id(rootset_v1: bytes, next_root_v1: bytes) -> NodeId:
    """Derive a node's name from its first root set and the successor it committed to."""
    digest = hashlib.sha256(b"tocsin-node-v1\0" + rootset_v1 + next_root_v1).digest()
    return NodeId(b32(digest))


def document_payload(
    *,
    node_id: NodeId,
    version: int,
    prev: EntryHash,
    issued: datetime,
    expires: datetime,
    name: str,
    domains: Sequence[str],
    contact: str,
    root_threshold: int,
    root_keys: Sequence[bytes],
    next_root: str,
    keys: Sequence[KeyRecord],
    required_algs: Sequence[str],
    identities: Sequence[str],
    base: str,
    revoked: Sequence[RevokedKey] = (),
    epochs: Sequence[Position] = (),
    terms: str | None = None,
    demo: bool = False,
    wire: Sequence[int] = (1,),
) -> dict[str, object]:
    """Build a node document's payload, for ``write_json`` and the root signature.

    Optional members that say nothing are left out: no epochs, no terms, no demonstration and the
    wire version 1 alone.
    """
    payload: dict[str, object] = {
        "v": 1,
        "node_id": node_id,
        "version": version,
        "prev": prev,
        "issued": write_wire_time(issued),
        "expires": write_wire_time(expires),
        "name": name,
        "domains": list(domains),
        "contact": contact,
        "root": {"threshold": root_threshold, "keys": [b64(pub) for pub in root_keys]},
        "next_root": next_root,
        "keys": [_write_key(record) for record in keys],
        "required_algs": list(required_algs),
        "identities": list(identities),
        "endpoints": {"base": base},
        "revoked": [key_member(key) for key in revoked],
    }
    optional: dict[str, object] = {
        "epochs": [position_member(position) for position in epochs],
        "terms": terms,
        "demo": demo,
        "wire": list(wire) if tuple(wire) != (1,) else None,
    }
    return payload | {name: value for name, value in optional.items() if value}


def read_node_document(envelope_value: object) -> NodeDocument:
    """Read one node document's shape; no signature is verified here.

    The signed bytes are parsed before any signature is checked, against the usual order: a first
    document carries its own root keys, and nobody else knows them. ``strict_loads`` with a limit
    of 64 KiB is all that unsigned bytes reach.

    Raises:
        WireFormatError: those of ``read_envelope`` and ``strict_loads``, and ``E_SCHEMA``.
    """
    envelope = read_envelope(envelope_value, NODE_TYPE, MAX_NODE_DOCUMENT_BYTES)
    parsed = strict_loads(envelope.payload, max_bytes=MAX_NODE_DOCUMENT_BYTES)
    body = read_signed_object(parsed, "node document")
    threshold, root_keys = _read_root(body)
    return NodeDocument(
        node_id=read_node_id(body, "node_id"),
        version=read_integer(body, "version", least=1),
        prev=read_hash(body, "prev"),
        issued=read_time(body, "issued"),
        expires=read_time(body, "expires"),
        name=read_text(body, "name"),
        domains=read_texts(body, "domains"),
        contact=read_text(body, "contact"),
        root_threshold=threshold,
        root_keys=root_keys,
        next_root=read_hash(body, "next_root"),
        keys=_read_keys(body),
        required_algs=frozenset(read_texts(body, "required_algs")),
        identities=_read_identities(body),
        base=read_base(read_object(body.get("endpoints"), "endpoints").get("base")),
        revoked=_read_revoked(body),
        epochs=_read_positions(body, "epochs") if "epochs" in body else (),
        terms=read_hash(body, "terms") if "terms" in body else None,
        demo=_read_demo(body),
        wire=_read_wire(body),
        envelope=envelope,
        hash=envelope.hash,
    )


def _write_key(record: KeyRecord) -> dict[str, object]:
    return {
        "kid": record.kid,
        "alg": record.alg,
        "pub": b64(record.pub),
        "use": record.use,
        "nbf": write_wire_time(record.nbf),
        "naf": write_wire_time(record.naf),
    }


def key_member(key: RevokedKey) -> dict[str, object]:
    """Write a revoked key as a document says it."""
    positions = [position_member(position) for position in key.last_good]
    return {"kid": key.kid, "reason": key.reason, "last_good": positions}


def position_member(position: Position) -> dict[str, object]:
    """Write a position as a document says it."""
    return {"seq": position.seq, "hash": position.hash}


def _read_root(body: Mapping[str, object]) -> tuple[int, tuple[bytes, ...]]:
    root = read_object(body.get("root"), "root")
    threshold = read_integer(root, "threshold", least=1)
    pubs = tuple(
        read_bytes_of(text, "root.keys", length=KEY_BYTES) for text in read_list(root, "keys")
    )
    # One person's key listed twice would meet a threshold of two.
    if has_twice(pubs) or not threshold <= len(pubs) <= MAX_ROOT_KEYS:
        raise WireFormatError(
            "E_SCHEMA", f"root is not a threshold over 1 to {MAX_ROOT_KEYS} distinct keys"
        )
    return threshold, pubs


def _read_keys(body: Mapping[str, object]) -> tuple[KeyRecord, ...]:
    values = read_list(body, "keys")
    if len(values) > MAX_KEYS:
        raise WireFormatError("E_SCHEMA", f"more than {MAX_KEYS} keys")
    records = tuple(_read_key(read_object(value, "key record")) for value in values)
    if has_twice(record.kid for record in records):
        raise WireFormatError("E_SCHEMA", "two key records of one kid")
    return records


def _read_key(body: Mapping[str, object]) -> KeyRecord:
    alg, use = read_text(body, "alg"), read_text(body, "use")
    # A key of an algorithm to come may be listed beside ours; nothing under it is accepted.
    is_for_sealing = {ED25519: False, X25519: True}.get(alg)
    if use not in _USES or is_for_sealing not in (None, use == USE_SEAL):
        raise WireFormatError("E_SCHEMA", "a key record's use is unknown or not its algorithm's")
    length = None if is_for_sealing is None else KEY_BYTES
    pub = read_bytes(body, "pub", length=length)
    kid = key_id(alg, pub)
    if body.get("kid") != kid:
        raise WireFormatError("E_SCHEMA", "a kid is not the one of its key")
    return KeyRecord(kid, alg, pub, use, read_time(body, "nbf"), read_time(body, "naf"))


def _read_identities(body: Mapping[str, object]) -> tuple[StixId, ...]:
    ids = read_texts(body, "identities")
    if not all(is_stix_id(text) and stix_type_of(text) == "identity" for text in ids):
        raise WireFormatError("E_SCHEMA", "identities has something else than ids of identities")
    return tuple(StixId(text) for text in ids)


def _read_positions(body: Mapping[str, object], name: str) -> tuple[Position, ...]:
    places = [read_object(value, f"{name}[]") for value in read_list(body, name)]
    return tuple(
        Position(read_integer(place, "seq", least=1), read_hash(place, "hash")) for place in places
    )


def _read_revoked(body: Mapping[str, object]) -> tuple[RevokedKey, ...]:
    if "revoked" not in body:
        return ()
    values = [read_object(value, "revoked[]") for value in read_list(body, "revoked")]
    revoked = tuple(
        RevokedKey(
            KeyId(read_text(value, "kid")),
            read_text(value, "reason"),
            _read_positions(value, "last_good"),
        )
        for value in values
    )
    if has_twice(key.kid for key in revoked) or not all(is_key_id(key.kid) for key in revoked):
        raise WireFormatError("E_SCHEMA", "revoked names something else than distinct kids")
    return revoked


def _read_demo(body: Mapping[str, object]) -> bool:
    demo = body.get("demo", False)
    if not isinstance(demo, bool):
        raise WireFormatError("E_SCHEMA", "demo is neither true nor false")
    return demo


def _read_wire(body: Mapping[str, object]) -> tuple[int, ...]:
    if "wire" not in body:
        return (1,)
    return tuple(
        read_integer({"wire": version}, "wire", least=1) for version in read_list(body, "wire")
    )
