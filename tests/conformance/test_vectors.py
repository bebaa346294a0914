"""PROTOCOL 2.10: our code against vectors that an independent program built from the text alone.

Keys, names, documents, envelopes, strict JSON, requests, pairing and sealing. What the vectors say
of feeds and entries is tested beside this module.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from nacl.public import PrivateKey

from federation.errors import ContentRejected, SignatureRejected
from federation.identity.fingerprint import voice_code, voice_indexes
from federation.identity.invitation import (
    Invitation,
    read_invitation,
    read_pairing_request,
    write_pairing_request,
)
from federation.identity.node_document import (
    PinnedNode,
    decide_conflict,
    derive_node_id,
    document_payload,
    extend_chain,
    pin_chain,
    rootset,
)
from federation.signing.keys import check_public_key, key_id, verify_envelope
from federation.signing.request_auth import SignedRequest, sign_request, verify_request
from federation.signing.sealing import open_released, open_sealed
from federation.signing.signer import SeedSigner, seal
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import (
    ENTRY_EXTENSION,
    NAMESPACE,
    FeedName,
    NodeId,
    entry_object_id,
    node_namespace,
    own_stix_id,
    read_b64,
)
from schemas.signed_envelope import (
    ACK_TYPE,
    ENTRY_TYPE,
    HEAD_TYPE,
    NODE_TYPE,
    RELAY_HEAD_TYPE,
    SignedEnvelope,
    read_envelope,
)
from schemas.strict_json import MAX_PAYLOAD_BYTES, strict_loads, write_json
from tests.support.shared_data import shared_path

Vectors = Mapping[str, Any]
Signers = Mapping[str, SeedSigner]


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return json.loads(shared_path("vectors/protocol.json").read_bytes())


@pytest.fixture(scope="module")
def more(vectors: Vectors) -> Vectors:
    return vectors["more"]


@pytest.fixture(scope="module")
def signers(vectors: Vectors) -> Signers:
    return {name: SeedSigner(bytes.fromhex(seed)) for name, seed in vectors["seeds_hex"].items()}


@pytest.fixture(scope="module")
def origin(vectors: Vectors) -> PinnedNode:
    return pin_chain(
        [vectors["node_document"]["envelope"]], expected=vectors["node_id"], allow_demo=False
    )


@pytest.fixture(scope="module")
def reader(more: Vectors) -> PinnedNode:
    return pin_chain(
        [more["reader"]["node_document"]], expected=more["reader"]["node_id"], allow_demo=False
    )


def sealing_entries(more: Vectors) -> list[Any]:
    found = [feed for feed in more["feeds"] if feed["feed"] == more["sealed"]["feed"]]
    return [strict_loads(entry["payload_utf8"].encode()) for entry in found[0]["entries"]]


# Keys and names.


def test_keys_and_their_ids(vectors, signers):
    for name, signer in signers.items():
        pub = read_b64(vectors["public_keys"][name])
        if name == "seal":
            private = PrivateKey(bytes.fromhex(vectors["seeds_hex"][name]))
            assert bytes(private.public_key) == pub
            assert key_id("x25519", pub) == vectors["kids"][name]
        else:
            assert signer.public_key == pub
            assert signer.kid == vectors["kids"][name]


def test_public_keys_that_must_not_be_pinned(vectors):
    for text in vectors["invalid_public_keys"]:
        for alg in ("ed25519", "x25519"):
            with pytest.raises(SignatureRejected) as rejected:
                check_public_key(alg, read_b64(text))
            assert rejected.value.code == "E_KEY_UNKNOWN"


def test_names(vectors, signers):
    this = rootset(1, [signers["root"].public_key])
    following = rootset(1, [signers["next"].public_key])
    assert this.hex() == vectors["rootset_hex"]
    assert following.hex() == vectors["next_root_hex"]
    node_id = derive_node_id(this, following)
    assert node_id == vectors["node_id"]
    assert str(NAMESPACE) == vectors["namespace"]
    assert vectors["extension_definition"] == ENTRY_EXTENSION
    assert str(node_namespace(node_id)) == vectors["node_namespace"]
    for feed in [vectors["feed"], *(feed["feed"] for feed in vectors["more"]["feeds"])]:
        assert str(FeedName.read(feed)) == feed
    assert FeedName.read(vectors["feed"]).collection_id == vectors["feed_collection_id"]
    for feed in vectors["more"]["feeds"]:
        assert FeedName.read(feed["feed"]).collection_id == feed["collection_id"]


def test_self_certifying_ids(vectors):
    claims = {
        stix_id: name
        for entry in vectors["entries"]
        for stix_id, name in strict_loads(entry["payload_utf8"].encode()).get("idn", {}).items()
    }
    assert claims
    for stix_id, name in claims.items():
        stix_type = stix_id.split("--")[0]
        assert own_stix_id(NodeId(vectors["node_id"]), stix_type, name) == stix_id


# Node documents.


def test_the_node_document_is_rebuilt_byte_for_byte(vectors, signers, origin):
    document = origin.newest
    payload = document_payload(
        node_id=document.node_id,
        version=document.version,
        prev=document.prev,
        issued=document.issued,
        expires=document.expires,
        name=document.name,
        domains=document.domains,
        contact=document.contact,
        root_threshold=document.root_threshold,
        root_keys=document.root_keys,
        next_root=document.next_root,
        keys=document.keys,
        required_algs=sorted(document.required_algs),
        identities=document.identities,
        base=document.base,
        terms=document.terms,
    )
    assert payload == vectors["node_document"]["payload"]
    envelope = seal(signers["root"], NODE_TYPE, write_json(payload))
    assert envelope.to_json() == vectors["node_document"]["envelope"]
    assert envelope.hash == document.hash == vectors["node_document"]["hash"]


def test_the_node_document_says_who_it_is(vectors, origin):
    assert origin.identities == (vectors["identity"],)
    assert {record.kid: record.use for record in origin.newest.keys} == {
        vectors["kids"][use]: use for use in ("entry", "http", "seal")
    }


def test_the_root_rotates_and_the_thief_loses_in_either_order(more, origin):
    rotation = more["root_rotation"]
    rotated = extend_chain(origin, rotation["envelope"], allow_demo=False)
    assert rotated.newest.hash == rotation["hash"]
    assert rotated.node_id == origin.node_id
    robbed = extend_chain(origin, rotation["thief"], allow_demo=False)
    for held, late in ((rotated, rotation["thief"]), (robbed, rotation["envelope"])):
        with pytest.raises(SignatureRejected) as rejected:
            extend_chain(held, late, allow_demo=False)
        assert rejected.value.code == "E_NODE_VERSION"
        conflict = decide_conflict(held, late, allow_demo=False)
        assert conflict is not None
        assert conflict.pinned == rotated
        assert conflict.overruled == robbed.newest


# Signed envelopes.

DECIDED_BY_THE_CHAIN = {"E_FEED", "E_GAP"}
"""Codes of envelopes that verify: the feed's rules find what is wrong with them."""


def verified_entry(value: object, origin: PinnedNode) -> SignedEnvelope:
    envelope = read_envelope(value, ENTRY_TYPE)
    assert verify_envelope(envelope, origin.entry_ring(), "entry")
    return envelope


def test_envelopes_that_must_be_rejected(vectors, origin):
    for case in vectors["must_reject"]:
        if case["error"] in DECIDED_BY_THE_CHAIN:
            assert verified_entry(case["envelope"], origin)
            continue
        with pytest.raises(TocsinError) as rejected:
            verified_entry(case["envelope"], origin)
        assert rejected.value.code == case["error"], case["what"]


def test_entries_verify_and_have_their_hash_and_id(vectors, signers, origin):
    feed = FeedName.read(vectors["feed"])
    for seq, entry in enumerate(vectors["entries"], start=1):
        envelope = verified_entry(entry["envelope"], origin)
        assert envelope.payload == entry["payload_utf8"].encode()
        assert envelope.hash == entry["pae_sha256"]
        assert entry_object_id(feed, seq, envelope.hash) == entry["taxii_object_id"]
        assert seal(signers["entry"], ENTRY_TYPE, envelope.payload) == envelope


def test_further_entries_verify_and_have_their_hash(more, origin):
    for feed in more["feeds"]:
        for entry in feed["entries"]:
            envelope = verified_entry(entry["envelope"], origin)
            assert envelope.payload == entry["payload_utf8"].encode()
            assert envelope.hash == entry["hash"]


def test_both_sides_of_a_fork_verify(vectors, origin):
    forked = verified_entry(vectors["fork_of_seq_2"], origin)
    assert forked.hash != vectors["entries"][1]["pae_sha256"]


def test_heads_acks_and_relay_heads_verify_under_who_signed_them(vectors, more, origin, reader):
    stated = [
        (vectors["head"], HEAD_TYPE, origin, reader),
        (more["relay_head"], RELAY_HEAD_TYPE, reader, origin),
        *((ack, ACK_TYPE, reader, origin) for ack in more["acks"]),
    ]
    for vector, payload_type, by, not_by in stated:
        envelope = read_envelope(vector["envelope"], payload_type)
        assert verify_envelope(envelope, by.entry_ring(), "entry")
        assert strict_loads(envelope.payload) == vector["payload"]
        assert write_json(vector["payload"]) == envelope.payload
        with pytest.raises(SignatureRejected) as rejected:
            verify_envelope(envelope, not_by.entry_ring(), "entry")
        assert rejected.value.code == "E_KEY_UNKNOWN"


# Strict JSON.


def test_json_that_must_be_rejected(vectors):
    for code, text in vectors["strict_json_reject"]:
        with pytest.raises(WireFormatError) as rejected:
            strict_loads(base64.b64decode(text), max_bytes=MAX_PAYLOAD_BYTES)
        assert rejected.value.code == code


# Requests.


def request_vectors(vectors: Vectors) -> list[Vectors]:
    return [vectors["http_signature"], vectors["more"]["http_get"]]


def signed_at(vector: Vectors) -> datetime:
    stated = re.search(r";created=(\d+);", vector["headers"]["Signature-Input"])
    assert stated is not None
    return datetime.fromtimestamp(int(stated[1]), UTC)


def arrived(vector: Vectors, **changes: str) -> SignedRequest:
    headers = {name.lower(): text for name, text in vector["headers"].items()}
    body = vector.get("body_utf8")
    return SignedRequest(
        vector["method"],
        vector["url"],
        headers | changes,
        None if body is None else body.encode(),
    )


def test_requests_are_signed_header_for_header(vectors, signers):
    for vector in request_vectors(vectors):
        stated = re.search(r'nonce="([^"]+)"', vector["headers"]["Signature-Input"])
        assert stated is not None
        headers = sign_request(
            method=vector["method"],
            url=vector["url"],
            body=arrived(vector).body,
            recipient=vector["headers"]["Tocsin-To"],
            signer=signers["http"],
            created=signed_at(vector),
            nonce=base64.b64decode(stated[1] + "=" * (-len(stated[1]) % 4)),
        )
        assert headers == vector["headers"]


def test_the_signature_base_is_the_one_that_is_signed(vectors, signers):
    for vector in request_vectors(vectors):
        signature = vector["headers"]["Signature"].removeprefix("tocsin=:").removesuffix(":")
        made = signers["http"].sign(vector["signature_base"].encode())
        assert made == base64.b64decode(signature)


def test_requests_verify_and_their_mutations_do_not(vectors, origin):
    for vector in request_vectors(vectors):
        at = signed_at(vector)
        recipient = vector["headers"]["Tocsin-To"]

        def verify(request: SignedRequest, at=at, recipient=recipient):
            return verify_request(
                request,
                recipient=recipient,
                now=at,
                find_key=lambda kid: origin.http_key(kid, at),
            )

        assert verify(arrived(vector)).keyid == vectors["kids"]["http"]
        inputs = vector["headers"]["Signature-Input"]
        other_node = "a2" * 26
        for change, code in [
            ({"signature-input": inputs.replace("tocsin=", "sig1=")}, "E_HTTP_SIG"),
            ({"signature-input": inputs.replace("nonce=", "nonces=")}, "E_HTTP_SIG"),
            ({"signature-input": inputs.replace(';alg="ed25519"', "")}, "E_HTTP_SIG"),
            ({"signature-input": inputs.replace(' "tocsin-to"', "")}, "E_HTTP_SIG"),
            ({"signature": "tocsin=:" + "A" * 86 + "==:"}, "E_HTTP_SIG"),
            ({"tocsin-to": other_node}, "E_HTTP_TO"),
        ]:
            with pytest.raises(SignatureRejected) as rejected:
                verify(arrived(vector, **change))
            assert rejected.value.code == code


# Pairing.


def test_the_invitation_is_read_and_written(more):
    pairing = more["pairing"]
    invitation = read_invitation(pairing["invitation"])
    stated = pairing["invitation_payload"]
    assert invitation == Invitation(
        stated["base"],
        stated["node_id"],
        read_b64(stated["token"]),
        datetime.fromisoformat(stated["expires"]),
    )
    assert invitation.write() == pairing["invitation"]


def test_the_pairing_request_carries_the_joiners_chain(vectors, more):
    stated = more["pairing"]["request"]
    request = read_pairing_request(stated)
    assert request.token == read_b64(stated["token"])
    joiner = pin_chain(request.documents, expected=None, allow_demo=False)
    assert joiner.node_id == vectors["node_id"]
    written = write_pairing_request(request.token, request.documents)
    assert strict_loads(written) == stated
    assert more["pairing"]["answer"]["node_id"] == more["pairing"]["invitation_payload"]["node_id"]


def test_the_words_for_the_telephone(more, origin, reader):
    assert list(voice_indexes(origin.node_id, reader.node_id)) == more["voice_indexes"]
    words = "cousin hamster rich expose praise bike stereo doll"
    assert voice_code(reader.node_id, origin.node_id) == words


# Sealed entries.


def seal_keys_of(more: Vectors, reader: PinnedNode) -> dict[Any, bytes]:
    seed = bytes.fromhex(more["reader"]["seal_seed_hex"])
    (record,) = [record for record in reader.newest.keys if record.use == "seal"]
    assert bytes(PrivateKey(seed).public_key) == record.pub
    return {record.kid: seed}


def test_the_recipient_reads_the_sealed_entry(more, origin, reader):
    opened = open_sealed(
        sealing_entries(more)[0]["sealed"],
        feed=FeedName.read(more["sealed"]["feed"]),
        seq=more["sealed"]["seq"],
        own_node_id=reader.node_id,
        seal_keys=seal_keys_of(more, reader),
        ring=origin.entry_ring(),
    )
    assert opened is not None
    assert opened.body == more["sealed"]["inner_payload"]
    assert opened.to_nodes == (reader.node_id,)


def test_sealed_entries_that_must_be_rejected(more, origin, reader):
    for case in more["sealed"]["must_reject"]:
        with pytest.raises(ContentRejected) as rejected:
            open_sealed(
                case["sealed"],
                feed=FeedName.read(more["sealed"]["feed"]),
                seq=more["sealed"]["seq"],
                own_node_id=reader.node_id,
                seal_keys=seal_keys_of(more, reader),
                ring=origin.entry_ring(),
            )
        assert rejected.value.code == "E_SEALED", case["what"]


def test_the_embargoed_entry_opens_by_its_release_alone(more, origin, reader):
    _, embargoed, release, *_ = sealing_entries(more)
    feed, ring = FeedName.read(more["sealed"]["feed"]), origin.entry_ring()
    before = open_sealed(
        embargoed["sealed"],
        feed=feed,
        seq=embargoed["seq"],
        own_node_id=reader.node_id,
        seal_keys=seal_keys_of(more, reader),
        ring=ring,
    )
    assert before is None
    assert release["release"]["seq"] == embargoed["seq"]
    cek = read_b64(release["release"]["cek"])
    after = open_released(embargoed["sealed"], feed=feed, seq=embargoed["seq"], cek=cek, ring=ring)
    assert after.body["policy"]["release"]["tlp"] == "clear"
