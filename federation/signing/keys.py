"""Which keys may sign what, and whether a signed envelope holds (PROTOCOL 2.2).

Invariants:
* the algorithm comes from the key record, never from the message;
* one failing signature under a known key rejects the whole envelope, however many others hold;
* verification is libsodium's alone: other libraries accept public keys that it refuses, so a
  mixture could make honest nodes disagree on one envelope.

What it does not do: know a clock. Whether a key was valid at the time an entry states, or is
revoked, is judged where the entry's place in its chain is known (``federation.feeds``).

>>> key_id("ed25519", bytes(32)) == key_id("x25519", bytes(32))
False
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_scalarmult
from nacl.exceptions import BadSignatureError, CryptoError
from nacl.signing import VerifyKey

from federation.errors import SignatureRejected
from schemas.identifiers import KeyId, b32
from schemas.signed_envelope import Signature, SignedEnvelope

ED25519 = "ed25519"
X25519 = "x25519"
KEY_BYTES = 32

USE_ROOT = "root"
USE_ENTRY = "entry"
USE_HTTP = "http"
USE_SEAL = "seal"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A public key with its purpose and its time (PROTOCOL 2.3)."""

    kid: KeyId
    alg: str
    pub: bytes
    use: str
    nbf: datetime
    naf: datetime

    def is_valid_at(self, at: datetime) -> bool:
        """Tell whether ``nbf`` ≤ ``at`` ≤ ``naf``."""
        return self.nbf <= at <= self.naf


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys that count for one node, and the algorithms that must all have signed."""

    keys: Mapping[KeyId, KeyRecord]
    required_algs: frozenset[str]


def key_id(alg: str, pub: bytes) -> KeyId:
    """Derive a key's id from its algorithm and public part (PROTOCOL 2.2)."""
    digest = hashlib.sha256(b"tocsin-kid-v1\0" + alg.encode("utf-8") + b"\0" + pub).digest()
    return KeyId(b32(digest)[:26])


def check_public_key(alg: str, pub: bytes) -> None:
    """Check that libsodium takes a public key (PROTOCOL 2.3, 2.7).

    A key of an algorithm that we cannot check passes: no signature under it is ever accepted.

    Raises:
        SignatureRejected: ``E_KEY_UNKNOWN``, such as for a point of small order, under which
            lax verifiers accept signatures that nobody made.
    """
    if alg == ED25519:
        taken = len(pub) == KEY_BYTES and crypto_core_ed25519_is_valid_point(pub)
    elif alg == X25519:
        taken = len(pub) == KEY_BYTES and _gives_a_secret(pub)
    else:
        taken = True
    if not taken:
        raise SignatureRejected("E_KEY_UNKNOWN", f"libsodium refuses this {alg} public key")


def verify_envelope(envelope: SignedEnvelope, ring: KeyRing, use: str) -> tuple[KeyRecord, ...]:
    """Verify every signature under a key that we know (PROTOCOL 2.2).

    The caller does the rest: the shape (``read_envelope``), the choice of the ring by the
    *expected* origin, and the key's time and revocation.

    Args:
        envelope: of sound shape and of the expected payload type.
        ring: the keys of the expected origin's pinned document.
        use: the purpose that the keys must have: ``root``, ``entry`` or ``http``.

    Returns:
        The records of the keys whose signatures hold, in the envelope's order, at least one.

    Raises:
        SignatureRejected: ``E_KEY_UNKNOWN``, ``E_KEY_PURPOSE``, ``E_SIG_BAD``, or
            ``E_SIG_NONE`` when a required algorithm is missing.
    """
    # 1. Keys we know. Signatures under unknown keyids are ignored beside a known one, so that a
    #    peer with newer keys can sign for older and newer receivers at once.
    known = [
        (signature, ring.keys[signature.keyid])
        for signature in envelope.signatures
        if signature.keyid in ring.keys
    ]
    if not known:
        raise SignatureRejected(
            "E_KEY_UNKNOWN",
            "no keyid of the envelope is in the pinned node document",
            "The peer may have new keys: fetch its node documents once and try again.",
        )
    # 2. Purpose, of every known key.
    if any(record.use != use for _, record in known):
        raise SignatureRejected("E_KEY_PURPOSE", f"a signing key is not for the purpose {use}")
    # 3. What we cannot check we do not wave through.
    unchecked = {record.alg for _, record in known} | ring.required_algs
    if unchecked - {ED25519}:
        raise SignatureRejected(
            "E_KEY_UNKNOWN",
            "an algorithm of this node is unknown here",
            "Update Tocsin: this node signs with an algorithm that this version cannot check.",
            algorithms=sorted(unchecked - {ED25519}),
        )
    # 4. Signatures. One that fails rejects all: a good one beside it proves that somebody with
    #    a valid key let a wrong statement travel.
    message = envelope.pae
    if not all(_holds(signature, record, message) for signature, record in known):
        raise SignatureRejected("E_SIG_BAD", "a signature under a known key does not hold")
    # 5. Every required algorithm, so that a hybrid period cannot be downgraded.
    if ring.required_algs - {record.alg for _, record in known}:
        raise SignatureRejected("E_SIG_NONE", "a required algorithm has not signed")
    return tuple(record for _, record in known)


def _holds(signature: Signature, record: KeyRecord, message: bytes) -> bool:
    try:
        VerifyKey(record.pub).verify(message, signature.sig)
    except BadSignatureError:
        return False
    return True


def _gives_a_secret(pub: bytes) -> bool:
    """Tell whether a key agreement with ``pub`` depends on the other side's secret at all."""
    try:
        crypto_scalarmult(bytes(range(KEY_BYTES)), pub)
    except (CryptoError, RuntimeError):
        return False
    return True
