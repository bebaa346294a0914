"""DSSE envelopes: the shape, the bytes that are signed and their hash (PROTOCOL 2.2).

Invariants:
* nobody canonicalises: what is signed are the stored payload bytes;
* the caller says which payload type it expects, the message never decides;
* the hash leaves the signatures out, so that a second signature makes no second entry.

What it does not do: verify a signature (``federation.signing.keys``) or read the payload.

>>> pae("t", b"abc")
b'DSSEv1 1 t 3 abc'
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, KeyId, b64, read_b64
from schemas.strict_json import MAX_PAYLOAD_BYTES, write_json

NODE_TYPE = "application/vnd.tocsin.node.v1+json"
ENTRY_TYPE = "application/vnd.tocsin.entry.v1+json"
INNER_TYPE = "application/vnd.tocsin.inner.v1+json"
HEAD_TYPE = "application/vnd.tocsin.head.v1+json"
RELAY_HEAD_TYPE = "application/vnd.tocsin.relayhead.v1+json"
ACK_TYPE = "application/vnd.tocsin.ack.v1+json"
VOUCH_TYPE = "application/vnd.tocsin.vouch.v1+json"
CARRIED_TYPE = "application/vnd.tocsin.carried.v1+json"

MAX_SIGNATURES = 4
SIGNATURE_BYTES = 64

_ENVELOPE_MEMBERS = frozenset({"payloadType", "payload", "signatures"})
_SIGNATURE_MEMBERS = frozenset({"keyid", "sig"})


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature and the id of the key that made it."""

    keyid: KeyId
    sig: bytes


@dataclass(frozen=True, slots=True)
class SignedEnvelope:
    """A DSSE envelope of sound shape; nothing is said about its signatures' truth."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def pae(self) -> bytes:
        """The bytes that every signature of this envelope signs."""
        return pae(self.payload_type, self.payload)

    @property
    def hash(self) -> EntryHash:
        """SHA-256 of the pre-authentication encoding, without the signatures."""
        return EntryHash(hashlib.sha256(self.pae).hexdigest())

    def to_json(self) -> dict[str, object]:
        """Give the envelope's wire members."""
        return {
            "payloadType": self.payload_type,
            "payload": b64(self.payload),
            "signatures": [
                {"keyid": signature.keyid, "sig": b64(signature.sig)}
                for signature in self.signatures
            ],
        }

    def to_bytes(self) -> bytes:
        """Write the envelope as JSON."""
        return write_json(self.to_json())


def pae(payload_type: str, payload: bytes) -> bytes:
    """Build DSSE's pre-authentication encoding; lengths are counts of bytes (PROTOCOL 2.2)."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read_envelope(
    value: object, expected_type: str, max_payload: int = MAX_PAYLOAD_BYTES
) -> SignedEnvelope:
    """Read a signed envelope's shape; the first failure decides the code (PROTOCOL 2.2).

    Args:
        value: what ``strict_loads`` gave for the envelope.
        expected_type: the payload type that the caller is prepared to read.
        max_payload: the limit of the decoded payload in bytes.

    Raises:
        WireFormatError: ``E_TYPE``, ``E_SIG_NONE``, ``E_B64``, ``E_TOO_BIG`` or ``E_SIG_LEN``.
    """
    # 1. Exactly these members and types.
    payload_type, payload_text, signature_texts = _read_members(value)
    # 2. The type that the caller expects, so that no head can pass for an entry.
    if payload_type != expected_type:
        raise WireFormatError("E_TYPE", "another payloadType than expected", expected=expected_type)
    # 3. Canonical base64, of every member.
    payload = read_b64(payload_text)
    signatures = tuple(Signature(KeyId(keyid), read_b64(sig)) for keyid, sig in signature_texts)
    # 4. Size of what was signed.
    if len(payload) > max_payload:
        raise WireFormatError("E_TOO_BIG", f"payload is larger than {max_payload} bytes")
    # 5. Length of the signatures.
    if any(len(signature.sig) != SIGNATURE_BYTES for signature in signatures):
        raise WireFormatError("E_SIG_LEN", f"a signature is not {SIGNATURE_BYTES} bytes long")
    return SignedEnvelope(payload_type, payload, signatures)


def _read_members(value: object) -> tuple[str, str, list[tuple[str, str]]]:
    if not isinstance(value, dict) or set(value) | {"signatures"} != _ENVELOPE_MEMBERS:
        raise WireFormatError("E_TYPE", "not an object of payloadType, payload and signatures")
    payload_type, payload = value["payloadType"], value["payload"]
    signatures = value.get("signatures", [])
    if (
        not isinstance(payload_type, str)
        or not isinstance(payload, str)
        or not isinstance(signatures, list)
    ):
        raise WireFormatError("E_TYPE", "a member of the envelope has another type")
    if not signatures:
        raise WireFormatError("E_SIG_NONE", "the envelope has no signature")
    if len(signatures) > MAX_SIGNATURES:
        raise WireFormatError("E_TYPE", f"more than {MAX_SIGNATURES} signatures")
    pairs = [_read_signature(signature) for signature in signatures]
    if len({keyid for keyid, _ in pairs}) != len(pairs):
        raise WireFormatError("E_TYPE", "two signatures under one keyid")
    return payload_type, payload, pairs


def _read_signature(value: object) -> tuple[str, str]:
    if not isinstance(value, dict) or set(value) != _SIGNATURE_MEMBERS:
        raise WireFormatError("E_TYPE", "a signature is not an object of keyid and sig")
    keyid, sig = value["keyid"], value["sig"]
    if not isinstance(keyid, str) or not isinstance(sig, str):
        raise WireFormatError("E_TYPE", "keyid or sig is not text")
    return keyid, sig
