"""The life of keys: documents, revocation by position, epochs and the root (PROTOCOL 2.3)."""

from __future__ import annotations

from typing import Any

from tests.support.wire.feeds import Feed, add_story, holds, id_of, learn, pull, stored
from tests.support.wire.organisations import (
    Key,
    Organisation,
    Subject,
    at,
    b64,
    hash_of,
    payload_of,
    rootset,
    signed,
)


def build() -> Subject:
    subject = Subject("Key life cycle: documents, revocation, epochs, the root (PROTOCOL 2.3)")
    _documents(subject)
    _roots(subject)
    _rotated_keys(subject)
    _revoked_keys(subject)
    _epochs(subject)
    return subject


def _add(
    subject: Subject, what: str, origin: Organisation, *offered: dict[str, Any], **expect: Any
) -> None:
    """A vector of documents that a node hands over to who holds its first."""
    given = {"held": origin.documents[:1], "offered": list(offered)}
    subject.add(what, "documents", given, expect)


def _renewed(origin: Organisation, *new: str) -> list[dict[str, Any]]:
    """The key records of a document that lists a new entry key beside the old, or instead."""
    uses = {"entry": "entry", "entry 2": "entry", "http": "http", "http 2": "http"}
    return [origin.key(name).record(uses[name]) for name in new]


def _documents(subject: Subject) -> None:
    origin = Organisation("documents")

    def accepted(what: str, *signers: Key, **changes: Any) -> None:
        document = origin.document(*signers, **changes)
        _add(subject, what, origin, document, version=2, newest=hash_of(document), frozen=False)

    def refused(what: str, code: str, *signers: Key, **changes: Any) -> None:
        _add(subject, what, origin, origin.document(*signers, **changes), code=code)

    accepted("a new entry key beside the old", keys=_renewed(origin, "entry", "entry 2", "http"))
    accepted("a new http key", keys=_renewed(origin, "entry", "http 2"))
    accepted("an optional member that is unknown is ignored", later={"a": 1})
    accepted("issued at the same time as the one before", issued=at())
    accepted("a key of an algorithm to come", keys=[*_renewed(origin, "entry", "http"), _coming()])
    accepted("signed by an unknown key too", origin.key("root"), origin.key("http"))

    other = Organisation("another node")
    refused("signed by no root key", "E_KEY_UNKNOWN", origin.key("entry"))
    refused("of another node", "E_KEY_UNKNOWN", node_id=other.node_id)
    refused("a version is left out", "E_NODE_VERSION", version=3)
    refused("another prev", "E_NODE_VERSION", prev="e" * 64)
    refused("issued before the one before", "E_NODE_VERSION", issued=at(-1))
    refused("a kid that is not its key's", "E_SCHEMA", keys=[_renewed(origin, "entry")[0] | {
        "kid": origin.key("http").kid}])  # fmt: skip
    refused("two records of one kid", "E_SCHEMA", keys=_renewed(origin, "entry", "entry"))
    refused("65 keys", "E_SCHEMA", keys=[
        Key(bytes([number]) * 32).record("entry") for number in range(1, 66)])  # fmt: skip
    refused("a key of an unknown use", "E_SCHEMA", keys=[origin.key("entry").record("later")])
    refused("an ed25519 key for sealing", "E_SCHEMA", keys=[origin.key("entry").record("seal")])
    refused("a key that libsodium refuses", "E_KEY_UNKNOWN", keys=[_small_order()])
    refused("a critical member", "E_SCHEMA", **{"!later": 1})
    refused("made for a demonstration", "E_SCHEMA", demo=True)
    refused("revoked without positions", "E_SCHEMA", revoked=[{"kid": "a" * 26, "reason": "lost"}])
    refused("a time of another form", "E_SCHEMA", issued="2026-03-02T10:00:00Z")
    refused("of over 64 KiB", "E_TOO_BIG", later="x" * 65_536)
    document = origin.document()
    stated = signed("entry", payload_of(document), origin.key("root"))
    _add(subject, "signed as an entry", origin, stated, code="E_TYPE")

    first, second = origin.document(name="One"), origin.document(name="Another")
    _add(subject, "held documents pass silently", origin, origin.documents[0], first,
         version=2, newest=hash_of(first), frozen=False)  # fmt: skip
    _add(subject, "of two documents under one root set the first stands", origin, first, second,
         code="E_NODE_VERSION")  # fmt: skip


def _small_order() -> dict[str, Any]:
    record = Key(bytes(32)).record("entry")
    pub = b"\x01" + bytes(31)
    key = Key(bytes(32))
    key.pub = pub
    return record | {"pub": b64(pub), "kid": _kid("ed25519", pub)}


def _coming() -> dict[str, Any]:
    pub = bytes(1312)
    record = Key(bytes(32)).record("entry", alg="ml-dsa-44", pub=b64(pub))
    return record | {"kid": _kid("ml-dsa-44", pub)}


def _kid(alg: str, pub: bytes) -> str:
    import hashlib

    from tests.support.wire.organisations import b32

    return b32(hashlib.sha256(b"tocsin-kid-v1\0" + alg.encode() + b"\0" + pub).digest())[:26]


def _roots(subject: Subject) -> None:
    origin = Organisation("roots")
    rotation = origin.rotation()
    thiefs = origin.document(keys=_renewed(origin, "entry 2", "http 2"))
    stands = {"version": 2, "newest": hash_of(rotation)}
    _add(subject, "the root that was committed to", origin, rotation, **stands, frozen=False)
    _add(subject, "rule (c): the thief comes first", origin, thiefs, rotation, **stands, frozen=True)
    _add(subject, "rule (c): the thief comes last", origin, rotation, thiefs, **stands, frozen=True)
    robbed = Organisation("roots")
    robbed.documents.append(thiefs)
    later = robbed.document(keys=_renewed(robbed, "entry 2", "http 2"), name="Thief")
    _add(subject, "rule (c): what the thief wrote after it falls with it", origin, thiefs, later,
         rotation, **stands, frozen=True)  # fmt: skip

    stranger = {"threshold": 1, "keys": [b64(origin.key("stranger").pub)]}
    uncommitted = origin.document(origin.key("stranger"), root=stranger)
    _add(subject, "a root set that nobody committed to", origin, uncommitted, code="E_KEY_UNKNOWN")
    new_root = payload_of(rotation)["root"]
    by_old = origin.document(origin.key("root"), root=new_root)
    _add(subject, "a new root set that the old one signed", origin, by_old, code="E_KEY_UNKNOWN")

    names = ("root", "root b", "root c")
    several = Organisation("roots")
    keys = [several.key(name) for name in names]
    held = {"threshold": 2, "keys": [b64(key.pub) for key in keys]}
    joint = Organisation("joint roots", root=held) if False else _joint()
    two = joint.document(joint.key("root"), joint.key("root c"))
    _add(subject, "two of three root keys", joint, two, version=2, newest=hash_of(two), frozen=False)
    one = joint.document(joint.key("root"))
    _add(subject, "one of three root keys where two are needed", joint, one, code="E_SIG_NONE")
    bad = two | {"signatures": [two["signatures"][0], two["signatures"][1] | {
        "sig": two["signatures"][0]["sig"]}]}  # fmt: skip
    _add(subject, "one good signature of a root key, and a bad one", joint, bad, code="E_SIG_BAD")
