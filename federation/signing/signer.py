"""Who can sign: the interface of key custody and the signer that holds a seed.

The rules and use-cases know the interface alone, so that a key may live in this process, in a
signer worker or in hardware.

>>> signer = SeedSigner(bytes(32))
>>> envelope = seal(signer, "t", b"{}")
>>> envelope.signatures[0].keyid == signer.kid
True
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nacl.signing import SigningKey

from federation.signing.keys import ED25519, key_id
from schemas.identifiers import KeyId
from schemas.signed_envelope import Signature, SignedEnvelope, pae


class Signer(Protocol):
    """One key that can sign; where its secret lies is its own affair."""

    @property
    def kid(self) -> KeyId:
        """The key's id."""
        ...

    @property
    def alg(self) -> str:
        """The algorithm that the key record states."""
        ...

    @property
    def public_key(self) -> bytes:
        """The raw public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign the message's very bytes."""
        ...


class SeedSigner:
    """An Ed25519 key made from a seed of 32 bytes; shows its id only, never the secret."""

    __slots__ = ("_key", "alg", "kid", "public_key")

    def __init__(self, seed: bytes) -> None:
        self._key = SigningKey(seed)
        self.alg: str = ED25519
        self.public_key: bytes = bytes(self._key.verify_key)
        self.kid: KeyId = key_id(ED25519, self.public_key)

    def __repr__(self) -> str:
        return f"SeedSigner(kid={self.kid!r})"

    def sign(self, message: bytes) -> bytes:
        """Sign with Ed25519 (RFC 8032): deterministic, so it needs no random source."""
        return bytes(self._key.sign(message).signature)


def seal(signers: Signer | Sequence[Signer], payload_type: str, payload: bytes) -> SignedEnvelope:
    """Sign a payload's bytes with one or several keys (PROTOCOL 2.2)."""
    several: Sequence[Signer] = signers if isinstance(signers, Sequence) else (signers,)
    message = pae(payload_type, payload)
    return SignedEnvelope(
        payload_type,
        payload,
        tuple(Signature(signer.kid, signer.sign(message)) for signer in several),
    )
