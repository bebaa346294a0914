"""Keys, signed envelopes and node documents, from PROTOCOL 2.2 and 2.3 and the standard library.

Every key comes from a seed that a name makes, so that anybody can build the same bytes again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from nacl.public import PrivateKey
from nacl.signing import SigningKey

NAMESPACE = uuid.UUID("f324f0d3-4aa9-4b99-9b9a-6fd867b60a54")
ZEROS = "0" * 64
BEGINNING = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
TYPES = "application/vnd.tocsin.{}.v1+json"
MARKINGS = {
    "clear": "94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "e828b379-4e03-4974-9ac4-e53a884c97c1",
}


def at(minutes: float = 0, *, days: int = 0) -> str:
    """The wire's time so long after the first documents were issued."""
    then = BEGINNING + timedelta(minutes=minutes, days=days)
    return then.strftime("%Y-%m-%dT%H:%M:%S.") + f"{then.microsecond // 1000:03d}Z"


def b32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().lower().rstrip("=")


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def as_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def random_looking(*parts: object) -> bytes:
    """32 bytes that these parts make, for seeds, nonces and random names."""
    return hashlib.sha256(("tocsin vectors " + " ".join(map(str, parts))).encode()).digest()


def kid_of(alg: str, pub: bytes) -> str:
    return b32(hashlib.sha256(b"tocsin-kid-v1\0" + alg.encode() + b"\0" + pub).digest())[:26]


class Key:
    """One key; ``alg`` is ``x25519`` for sealing, ``ed25519`` for all else."""

    def __init__(self, seed: bytes, alg: str = "ed25519") -> None:
        self.seed, self.alg = seed, alg
        if alg == "x25519":
            self.pub = bytes(PrivateKey(seed).public_key)
        else:
            self.pub = bytes(SigningKey(seed).verify_key)
        self.kid = kid_of(alg, self.pub)

    def record(self, use: str, **changes: Any) -> dict[str, Any]:
        return {
            "kid": self.kid,
            "alg": self.alg,
            "pub": b64(self.pub),
            "use": use,
            "nbf": at(),
            "naf": at(days=365),
        } | changes


def pae(payload_type: str, payload: bytes) -> bytes:
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def signed(kind: str, stated: object, *keys: Key) -> dict[str, Any]:
    """A signed envelope over the JSON of ``stated``, or over bytes as they are."""
    payload_type = TYPES.format(kind)
    payload = stated if isinstance(stated, bytes) else as_json(stated)
    message = pae(payload_type, payload)
    return {
        "payloadType": payload_type,
        "payload": b64(payload),
        "signatures": [
            {"keyid": key.kid, "sig": b64(SigningKey(key.seed).sign(message).signature)}
            for key in keys
        ],
    }


def hash_of(envelope: dict[str, Any]) -> str:
    payload = base64.b64decode(envelope["payload"])
    return hashlib.sha256(pae(envelope["payloadType"], payload)).hexdigest()


def payload_of(envelope: dict[str, Any]) -> dict[str, Any]:
    stated: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return stated


def rootset(*keys: Key, threshold: int = 1) -> bytes:
    head = b"tocsin-rootset-v1\0" + bytes([threshold])
    return hashlib.sha256(head + b"".join(sorted(key.pub for key in keys))).digest()


class Organisation:
    """One node's keys and the documents that it has published.

    Args:
        roots: the names of its first root keys, and how many of them have to sign.
    """

    def __init__(
        self, name: str, *, roots: tuple[str, ...] = ("root",), threshold: int = 1, **first: Any
    ) -> None:
        self.name, self.threshold = name, threshold
        self.keys: dict[str, Key] = {}
        self.documents: list[dict[str, Any]] = []
        self.roots = [self.key(use) for use in roots]
        first_set = rootset(*self.roots, threshold=threshold)
        roots_hashed = first_set, rootset(self.key("next root"))
        self.node_id = b32(hashlib.sha256(b"tocsin-node-v1\0" + b"".join(roots_hashed)).digest())
        self.publish(**first)

    def key(self, use: str) -> Key:
        """The key of that use; ``entry 2`` is the second entry key."""
        if use not in self.keys:
            alg = "x25519" if use == "seal" else "ed25519"
            self.keys[use] = Key(random_looking(self.name, use), alg)
        return self.keys[use]

    def document(self, *signers: Key, **changes: Any) -> dict[str, Any]:
        """The document that follows the newest; a member that is None is left out."""
        held = self.documents[-1] if self.documents else None
        stated = {
            "v": 1,
            "node_id": self.node_id,
            "version": len(self.documents) + 1,
            "prev": hash_of(held) if held else ZEROS,
            "issued": at(days=len(self.documents)),
            "expires": at(days=365),
            "name": self.name,
            "domains": ["registry.example"],
            "contact": "security@registry.example",
            "root": {"threshold": self.threshold, "keys": [b64(key.pub) for key in self.roots]},
            "next_root": rootset(self.key("next root")).hex(),
            "keys": [self.key(use).record(use) for use in ("entry", "http", "seal")],
            "required_algs": ["ed25519"],
            "identities": [self.stix_id("identity", "the-node-itself")],
            "endpoints": {"base": "https://hub.registry.example/"},
            "revoked": [],
        } | changes
        kept = {name: value for name, value in stated.items() if value is not None}
        return signed("node", kept, *(signers or self.roots[: self.threshold]))

    def publish(self, *signers: Key, **changes: Any) -> dict[str, Any]:
        document = self.document(*signers, **changes)
        self.documents.append(document)
        return document

    def rotation(self, **changes: Any) -> dict[str, Any]:
        """The next document under the root set that was committed to."""
        new_root = {"threshold": 1, "keys": [b64(self.key("next root").pub)]}
        following = rootset(self.key("root after next")).hex()
        stated = {"root": new_root, "next_root": following} | changes
        return self.document(self.key("next root"), **stated)

    def stix_id(self, stix_type: str, name: str) -> str:
        own = uuid.uuid5(NAMESPACE, f"node:{self.node_id}")
        return f"{stix_type}--{uuid.uuid5(own, f'{stix_type}:{name}')}"

    def described(self) -> dict[str, Any]:
        """What a reader of the vectors needs to know of it."""
        return {
            "node_id": self.node_id,
            "seeds_hex": {use: key.seed.hex() for use, key in self.keys.items()},
            "documents": self.documents,
        }


class Subject:
    """One file of vectors: its organisations and its cases."""

    def __init__(self, about: str) -> None:
        self.about = about
        self.organisations: dict[str, tuple[Organisation, int]] = {}
        self.vectors: list[dict[str, Any]] = []

    def organisation(self, name: str, **first: Any) -> Organisation:
        """One that the reader knows from the start, by its first document."""
        made = Organisation(name, **first)
        self.knows(made)
        return made

    def knows(self, organisation: Organisation) -> None:
        """Let the reader know it by the documents that it has published so far."""
        self.organisations[organisation.name] = organisation, len(organisation.documents)

    def add(self, what: str, reads: str, given: dict[str, Any], expect: object) -> None:
        self.vectors.append({"what": what, "reads": reads, "input": given, "expect": expect})

    def written(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "organisations": {
                name: made.described() | {"documents": made.documents[:known]}
                for name, (made, known) in self.organisations.items()
            },
            "vectors": self.vectors,
        }
