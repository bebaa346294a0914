"""PROTOCOL 2.3: the form of one node document."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from federation.identity.document_form import (
    Position,
    RevokedKey,
    derive_node_id,
    document_payload,
    read_node_document,
    rootset,
)
from federation.signing.keys import KeyRecord, key_id
from federation.signing.signer import seal
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, b64, is_node_id
from schemas.signed_envelope import HEAD_TYPE, NODE_TYPE
from schemas.strict_json import MAX_NODE_DOCUMENT_BYTES, write_json
from tests.support.signed_nodes import T0, T1, Owner, record_of, seeded

OWNER = Owner(1)
HASH = EntryHash("0f" * 32)


def payload(**changes: Any) -> dict[str, Any]:
    return document_payload(**OWNER.members(**changes))


def envelope_of(body: object) -> dict[str, object]:
    return seal(OWNER.root, NODE_TYPE, write_json(body)).to_json()


def code_of(body: object) -> str:
    with pytest.raises(WireFormatError) as rejected:
        read_node_document(envelope_of(body))
    return rejected.value.code


def test_a_document_says_what_it_was_built_from():
    revoked = RevokedKey(seeded(9).kid, "compromise", (Position(812, HASH),))
    members = OWNER.members(
        revoked=[revoked], epochs=[Position(90, HASH)], terms="ab" * 32, demo=True, wire=[1, 2]
    )
    envelope = seal(OWNER.root, NODE_TYPE, write_json(document_payload(**members)))
    document = read_node_document(envelope.to_json())
    assert document.keys == tuple(members["keys"])
    assert document.revoked == (revoked,)
    assert document.epochs == (Position(90, HASH),)
    assert (document.terms, document.demo, document.wire) == ("ab" * 32, True, (1, 2))
    assert (document.issued, document.expires) == (T0, T1)
    assert document.root_keys == (OWNER.root.public_key,)
    assert document.required_algs == {"ed25519"}
    assert document.base == "https://hub.registry.example/"
    assert document.hash == envelope.hash
    assert document.envelope == envelope


def test_what_says_nothing_is_left_out():
    assert not payload().keys() & {"epochs", "terms", "demo", "wire"}
    document = read_node_document(envelope_of(payload()))
    assert (document.epochs, document.terms, document.demo) == ((), None, False)
    assert document.wire == (1,)


def test_unknown_members_are_ignored_and_critical_ones_rejected():
    assert read_node_document(envelope_of(payload() | {"motto": "ring"}))
    assert code_of(payload() | {"!motto": "ring"}) == "E_SCHEMA"


REQUIRED = sorted(payload().keys() - {"revoked"})


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_member_is_rejected(name):
    body = payload()
    del body[name]
    assert code_of(body) == "E_SCHEMA"


@pytest.mark.parametrize("name", [*REQUIRED, "revoked", "epochs", "terms", "wire"])
@pytest.mark.parametrize("value", [None, True, 1.5, "text", [None], {"a": 1}], ids=repr)
def test_an_ill_typed_member_is_rejected(name, value):
    if name in {"name", "contact"} and value == "text":
        return
    assert code_of(payload() | {name: value}) == "E_SCHEMA"


PUB = b64(OWNER.root.public_key)


@pytest.mark.parametrize(
    "root",
    [
        {"threshold": 0, "keys": [PUB]},
        {"threshold": 2, "keys": [PUB]},
        {"threshold": 1, "keys": []},
        {"threshold": 2, "keys": [PUB, PUB]},
        {"threshold": True, "keys": [PUB]},
        {"threshold": 1, "keys": [PUB[:-4]]},
        {"threshold": 1, "keys": [PUB[:-1]]},
        {"threshold": 1, "keys": [b64(seeded(n).public_key) for n in range(9)]},
        {"keys": [PUB]},
    ],
)
def test_root_keys_are_distinct_and_meet_their_threshold(root):
    assert code_of(payload() | {"root": root}) == "E_SCHEMA"


def key(**changes: Any) -> dict[str, Any]:
    return payload()["keys"][0] | changes


@pytest.mark.parametrize(
    "keys",
    [
        [key(kid=seeded(9).kid)],
        [key(use="root")],
        [key(use="seal")],
        [key(alg="x25519", kid=key_id("x25519", OWNER.entry.public_key))],
        [key(pub="AAAA", kid=key_id("ed25519", bytes(3)))],
        [key(nbf="2026-03-01T10:00:00Z")],
        [key(), key()],
        [key(), key(use="http")],
        ["key"],
    ],
    ids=[
        "kid", "use", "ed25519-to-seal", "x25519-to-sign", "short", "time", "twice", "two-uses",
        "text",
    ],
)  # fmt: skip
def test_a_key_record_is_what_it_says(keys):
    assert code_of(payload() | {"keys": keys}) == "E_SCHEMA"


def test_sixty_four_keys_are_the_most():
    many = [record_of(seeded(n), "entry") for n in range(65)]
    assert read_node_document(envelope_of(payload(keys=many[:64])))
    assert code_of(payload(keys=many)) == "E_SCHEMA"


def test_a_key_of_an_algorithm_to_come_may_be_listed():
    pub = b"k" * 1312
    record = KeyRecord(key_id("ml-dsa-44", pub), "ml-dsa-44", pub, "entry", T0, T1)
    assert read_node_document(envelope_of(payload(keys=[record]))).keys == (record,)


@pytest.mark.parametrize(
    "change",
    [
        {"identities": ["indicator--be91c689-7e35-5356-8fc7-a7878fb4f71b"]},
        {"identities": ["identity--1"]},
        {"endpoints": {}},
        {"endpoints": {"base": "hub.registry.example"}},
        {"revoked": [{"kid": "x", "reason": "r", "last_good": []}]},
        {"revoked": [{"kid": OWNER.entry.kid, "reason": "r"}]},
        {"revoked": [{"kid": OWNER.entry.kid, "reason": "r", "last_good": []}] * 2},
        {"epochs": [{"seq": 0, "hash": HASH}]},
        {"epochs": [{"seq": 1, "hash": "0F" * 32}]},
        {"wire": [0]},
        {"wire": ["1"]},
        {"demo": 1},
        {"v": 2},
        {"version": 0},
        {"node_id": "A" * 52},
    ],
)
def test_members_have_their_forms(change):
    assert code_of(payload() | change) == "E_SCHEMA"


def test_a_document_is_not_larger_than_its_limit():
    assert code_of(payload(name="x" * MAX_NODE_DOCUMENT_BYTES)) == "E_TOO_BIG"


def test_another_payload_type_is_no_document():
    with pytest.raises(WireFormatError) as rejected:
        read_node_document(seal(OWNER.root, HEAD_TYPE, write_json(payload())).to_json())
    assert rejected.value.code == "E_TYPE"


def test_a_payload_that_parsers_read_differently_is_rejected():
    twice = write_json(payload()).replace(b'{"v":1,', b'{"v":1,"name":"Other",', 1)
    with pytest.raises(WireFormatError) as rejected:
        read_node_document(seal(OWNER.root, NODE_TYPE, twice).to_json())
    assert rejected.value.code == "E_JSON_DUPKEY"


def test_the_order_of_root_keys_says_nothing_and_the_threshold_does():
    a, b = seeded(1).public_key, seeded(2).public_key
    assert rootset(1, [a, b]) == rootset(1, [b, a]) != rootset(2, [a, b])


def test_a_node_id_names_both_root_and_successor():
    ids = {derive_node_id(bytes([a]) * 32, bytes([b]) * 32) for a in (1, 2) for b in (1, 2)}
    assert len(ids) == 4
    assert all(map(is_node_id, ids))


def test_times_are_written_to_the_millisecond():
    late = T0 + timedelta(microseconds=1999)
    assert payload(issued=late)["issued"] == "2026-03-01T10:00:00.001Z"
