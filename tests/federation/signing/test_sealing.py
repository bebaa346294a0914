"""PROTOCOL 2.8: a sealed entry opens for whom its author addressed, where its author put it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt
from nacl.public import PrivateKey, PublicKey, SealedBox

from federation.errors import ContentRejected
from federation.signing.keys import KeyRing, key_id
from federation.signing.sealing import ALGORITHM, InnerEntry, open_released, open_sealed
from federation.signing.signer import SeedSigner, seal
from schemas.identifiers import FeedName, KeyId, NodeId, b64
from schemas.signed_envelope import ENTRY_TYPE, INNER_TYPE
from schemas.strict_json import write_json
from tests.support.signed_nodes import record_of, seeded

AUTHOR, OTHER = seeded(1), seeded(2)
RING = KeyRing({AUTHOR.kid: record_of(AUTHOR, "entry")}, frozenset({"ed25519"}))
FEED = FeedName(NodeId("a2" * 26), "s-" + "c4" * 13)
HERE, THERE = NodeId("b3" * 26), NodeId("d5" * 26)
KEY = PrivateKey(bytes([7]) * 32)
KID = key_id("x25519", bytes(KEY.public_key))
CEK, NONCE = b"k" * 32, b"n" * 24
POLICY = {
    "tlp": "red",
    "relay": "none",
    "release": {"at": "2026-04-01T00:00:00.000Z", "tlp": "clear"},
}


def inner(**changes: Any) -> dict[str, Any]:
    return {
        "v": 1,
        "feed": str(FEED),
        "seq": 4,
        "to_nodes": [HERE],
        "nonce": b64(bytes(16)),
        "kind": "put",
        "policy": POLICY,
    } | changes


def wrap(kid: str = KID, public: PublicKey = KEY.public_key, cek: bytes = CEK) -> dict[str, str]:
    return {"kid": kid, "w": b64(SealedBox(public).encrypt(cek))}


def sealed(
    body: dict[str, Any] | None = None,
    *,
    signer: SeedSigner = AUTHOR,
    payload_type: str = INNER_TYPE,
    to: list[dict[str, str]] | None = None,
    place: str = f"{FEED}\0004",
    plain: bytes | None = None,
    ph: str | None = None,
) -> dict[str, Any]:
    if plain is None:
        payload = write_json(inner() if body is None else body)
        plain = seal(signer, payload_type, payload).to_bytes() + b"\x80"
        plain += bytes(-len(plain) % 512)
    aad = b"tocsin-seal-v1\0" + place.encode()
    return {
        "alg": ALGORITHM,
        "n": b64(NONCE),
        "ct": b64(crypto_aead_xchacha20poly1305_ietf_encrypt(plain, aad, NONCE, CEK)),
        "ph": ph or hashlib.sha256(plain).hexdigest(),
        "to": [wrap()] if to is None else to,
    }


def open_here(value: dict[str, Any], keys: dict[KeyId, bytes] | None = None) -> InnerEntry | None:
    return open_sealed(
        value,
        feed=FEED,
        seq=4,
        own_node_id=HERE,
        seal_keys={KID: bytes(KEY)} if keys is None else keys,
        ring=RING,
    )


def code_of(value: dict[str, Any]) -> str:
    with pytest.raises(ContentRejected) as rejected:
        open_here(value)
    return rejected.value.code


@pytest.mark.parametrize("kid", [KID, ""], ids=["named", "anonymous"])
def test_a_recipient_reads_what_the_author_wrote(kid):
    opened = open_here(sealed(to=[wrap("", OTHER_PUBLIC), wrap(kid)]))
    assert opened is not None
    assert opened.body == inner()
    assert opened.kid == AUTHOR.kid
    assert opened.to_nodes == (HERE,)


OTHER_PUBLIC = PrivateKey(bytes([8]) * 32).public_key


@pytest.mark.parametrize(
    "to",
    [[], [wrap("", OTHER_PUBLIC)], [wrap(key_id("x25519", bytes(OTHER_PUBLIC)), OTHER_PUBLIC)]],
    ids=["waits-for-ack", "anonymous", "named"],
)
def test_to_whom_it_is_not_addressed_it_is_opaque(to):
    assert open_here(sealed(to=to)) is None


def test_a_node_without_live_keys_reads_nothing():
    assert open_here(sealed(), keys={}) is None


def test_anonymous_wraps_are_tried_with_every_live_key():
    keys = {KeyId(f"{n}" * 26): bytes([n]) * 32 for n in (2, 3)} | {KID: bytes(KEY)}
    assert open_here(sealed(to=[wrap("")]), keys) is not None


@pytest.mark.parametrize(
    "value",
    [
        sealed(inner(to_nodes=[THERE])),
        sealed(inner(to_nodes=[])),
        sealed(inner(seq=5)),
        sealed(inner(seq=True)),
        sealed(inner(feed=f"{FEED.node_id}/green/1")),
        sealed(signer=OTHER),
        sealed(payload_type=ENTRY_TYPE),
        sealed(place=f"{FEED}\0005"),
        sealed(place=f"{FEED.node_id}/{FEED.audience}/2\0004"),
        sealed(ph="0" * 64),
        sealed(to=[wrap(cek=b"x" * 32)]),
        sealed(to=[wrap(KID, OTHER_PUBLIC)]),
        sealed(plain=bytes(512)),
        sealed(plain=b""),
        sealed(plain=b"{}\x80"),
        sealed(plain=b"{}" + bytes(510)),
        sealed(plain=(b"no json\x80" + bytes(512))[:512]),
        sealed() | {"alg": "rot13"},
        sealed() | {"ct": ""},
    ],
    ids=[
        "surreptitious-forwarding", "nobody", "other-seq", "boolean-seq", "other-feed",
        "other-author", "other-type", "transplanted-seq", "transplanted-epoch", "other-plaintext",
        "other-content-key", "wrap-of-another", "blank", "empty", "short-block", "no-end-mark",
        "no-json", "other-algorithm", "no-ciphertext",
    ],
)  # fmt: skip
def test_a_false_entry_is_rejected(value):
    assert code_of(value) == "E_SEALED"


@pytest.mark.parametrize(
    "change",
    [
        {"alg": None},
        {"n": b64(bytes(12))},
        {"n": "?"},
        {"ct": 1},
        {"ph": "0"},
        {"to": None},
        {"to": ["w"]},
        {"to": [{"kid": "short", "w": wrap()["w"]}]},
        {"to": [{"kid": KID, "w": b64(bytes(79))}]},
        {"to": [wrap("")] * 33},
        {"ack": "terms"},
    ],
)
def test_a_malformed_one_is_rejected_by_everybody(change):
    assert code_of(sealed() | change) == "E_SCHEMA"


@pytest.mark.parametrize("change", [{"!new": 1}, {"v": 2}, {"to_nodes": "all"}, {"to_nodes": [1]}])
def test_an_inner_entry_of_another_form_is_rejected(change):
    assert code_of(sealed(inner(**change))) == "E_SCHEMA"


def test_a_released_entry_opens_for_every_holder():
    value = sealed(inner(to_nodes=[THERE]), to=[])
    assert open_released(value, feed=FEED, seq=4, cek=CEK, ring=RING).body["kind"] == "put"


@pytest.mark.parametrize(
    "policy",
    [{"tlp": "red"}, {"release": {"tlp": "amber"}}, {"release": "clear"}, None, []],
)
def test_a_release_needs_the_authors_label_for_afterwards(policy):
    with pytest.raises(ContentRejected) as rejected:
        open_released(sealed(inner(policy=policy)), feed=FEED, seq=4, cek=CEK, ring=RING)
    assert rejected.value.code == "E_POLICY"


@pytest.mark.parametrize("cek", [b"x" * 32, b"", b"k" * 31])
def test_a_false_content_key_releases_nothing(cek):
    with pytest.raises(ContentRejected) as rejected:
        open_released(sealed(), feed=FEED, seq=4, cek=cek, ring=RING)
    assert rejected.value.code == "E_SEALED"
