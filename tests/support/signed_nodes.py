"""Nodes made from fixed seeds, whose documents a test can write and sign as it needs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nacl.public import PrivateKey

from federation.identity.node_document import derive_node_id, document_payload, rootset
from federation.signing.keys import KeyRecord, key_id
from federation.signing.signer import SeedSigner, seal
from schemas.identifiers import ZERO_HASH, NodeId
from schemas.signed_envelope import NODE_TYPE, SignedEnvelope
from schemas.strict_json import write_json

T0 = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
T1 = datetime(2027, 3, 1, 10, 0, tzinfo=UTC)


def seeded(number: int) -> SeedSigner:
    """A signer from the seed that repeats one byte."""
    return SeedSigner(bytes([number]) * 32)


def record_of(signer: SeedSigner, use: str, *, nbf: datetime = T0, naf: datetime = T1) -> KeyRecord:
    return KeyRecord(signer.kid, signer.alg, signer.public_key, use, nbf, naf)


def seal_record(private_key: bytes) -> KeyRecord:
    pub = bytes(PrivateKey(private_key).public_key)
    return KeyRecord(key_id("x25519", pub), "x25519", pub, "seal", T0, T1)


@dataclass(frozen=True)
class Owner:
    """The keys that one organisation holds; five seeds from one number on."""

    number: int = 1
    root: SeedSigner = field(init=False)
    following_root: SeedSigner = field(init=False)
    entry: SeedSigner = field(init=False)
    http: SeedSigner = field(init=False)
    seal_key: bytes = field(init=False)

    def __post_init__(self) -> None:
        for offset, name in enumerate(("root", "following_root", "entry", "http")):
            object.__setattr__(self, name, seeded(self.number + offset))
        object.__setattr__(self, "seal_key", bytes([self.number + 4]) * 32)

    @property
    def node_id(self) -> NodeId:
        return derive_node_id(
            rootset(1, [self.root.public_key]), rootset(1, [self.following_root.public_key])
        )

    def members(self, **changes: Any) -> dict[str, Any]:
        """The keyword arguments of the first document, with changes."""
        return {
            "node_id": self.node_id,
            "version": 1,
            "prev": ZERO_HASH,
            "issued": T0,
            "expires": T1,
            "name": "Example Registry",
            "domains": ["registry.example"],
            "contact": "security@registry.example",
            "root_threshold": 1,
            "root_keys": [self.root.public_key],
            "next_root": rootset(1, [self.following_root.public_key]).hex(),
            "keys": [
                record_of(self.entry, "entry"),
                record_of(self.http, "http"),
                seal_record(self.seal_key),
            ],
            "required_algs": ["ed25519"],
            "identities": ["identity--be91c689-7e35-5356-8fc7-a7878fb4f71b"],
            "base": "https://hub.registry.example/",
        } | changes

    def document(self, *signers: SeedSigner, **changes: Any) -> SignedEnvelope:
        """A document signed by the root, or by the signers named."""
        payload = write_json(document_payload(**self.members(**changes)))
        return seal(signers or (self.root,), NODE_TYPE, payload)

    def after(self, held: SignedEnvelope, *signers: SeedSigner, **changes: Any) -> SignedEnvelope:
        """The document of version 2 that follows ``held``."""
        return self.document(*signers, **({"version": 2, "prev": held.hash} | changes))
