"""PROTOCOL 2.2: the DSSE envelope's shape and its signed bytes; the first failure decides."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import WireFormatError
from schemas.identifiers import KeyId
from schemas.signed_envelope import (
    ENTRY_TYPE,
    HEAD_TYPE,
    Signature,
    SignedEnvelope,
    pae,
    read_envelope,
)
from schemas.strict_json import strict_loads

SIG = base64.b64encode(bytes(64)).decode()
GOOD = {"payloadType": ENTRY_TYPE, "payload": "e30=", "signatures": [{"keyid": "a", "sig": SIG}]}


def code_of(value: object, **limits: int) -> str:
    with pytest.raises(WireFormatError) as rejected:
        read_envelope(value, ENTRY_TYPE, **limits)
    return rejected.value.code


def test_the_encoding_is_that_of_the_dsse_specification():
    # The example of DSSE's protocol.md.
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_count_bytes():
    assert pae("é", "ü".encode()) == b"DSSEv1 2 \xc3\xa9 2 \xc3\xbc"


@given(st.text(max_size=8), st.binary(max_size=8), st.text(max_size=8), st.binary(max_size=8))
def test_no_two_statements_share_an_encoding(type_a, payload_a, type_b, payload_b):
    same = pae(type_a, payload_a) == pae(type_b, payload_b)
    assert same == ((type_a, payload_a) == (type_b, payload_b))


def test_an_envelope_is_read_and_written_back():
    envelope = read_envelope(GOOD, ENTRY_TYPE)
    assert envelope.payload == b"{}"
    assert envelope.to_json() == GOOD
    assert strict_loads(envelope.to_bytes()) == GOOD


def test_the_hash_leaves_the_signatures_out():
    one = read_envelope(GOOD, ENTRY_TYPE)
    other = SignedEnvelope(one.payload_type, one.payload, (Signature(KeyId("b"), bytes(64)),))
    assert one.hash == other.hash == hashlib.sha256(one.pae).hexdigest()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"keys": []}, "E_TYPE"),
        ({"payload": None}, "E_TYPE"),
        ({"payload": {}}, "E_TYPE"),
        ({"payloadType": 1}, "E_TYPE"),
        ({"payloadType": HEAD_TYPE}, "E_TYPE"),
        ({"signatures": None}, "E_TYPE"),
        ({"signatures": {}}, "E_TYPE"),
        ({"signatures": []}, "E_SIG_NONE"),
        ({"signatures": ["a"]}, "E_TYPE"),
        ({"signatures": [{"keyid": "a"}]}, "E_TYPE"),
        ({"signatures": [{"keyid": "a", "sig": SIG, "alg": "none"}]}, "E_TYPE"),
        ({"signatures": [{"keyid": 1, "sig": SIG}]}, "E_TYPE"),
        ({"signatures": [{"keyid": "a", "sig": SIG}] * 2}, "E_TYPE"),
        ({"signatures": [{"keyid": f"{n}", "sig": SIG} for n in range(5)]}, "E_TYPE"),
        ({"payload": "e31="}, "E_B64"),
        ({"payload": "e30"}, "E_B64"),
        ({"payload": "e30\n="}, "E_B64"),
        ({"signatures": [{"keyid": "a", "sig": SIG[:-1]}]}, "E_B64"),
        ({"signatures": [{"keyid": "a", "sig": "AAAA"}]}, "E_SIG_LEN"),
        ({"signatures": [{"keyid": "a", "sig": ""}]}, "E_SIG_LEN"),
    ],
)
def test_another_shape_is_rejected(change, code):
    assert code_of(GOOD | change) == code


@pytest.mark.parametrize("value", [None, [], "", {}, {"signatures": []}])
def test_what_is_no_envelope_is_rejected(value):
    assert code_of(value) == "E_TYPE"


def test_missing_signatures_have_their_own_code():
    assert code_of({name: GOOD[name] for name in ("payloadType", "payload")}) == "E_SIG_NONE"


def test_the_payload_has_a_limit():
    assert read_envelope(GOOD, ENTRY_TYPE, 2).payload == b"{}"
    assert code_of(GOOD, max_payload=1) == "E_TOO_BIG"


def test_the_first_failure_decides():
    short = [{"keyid": "a", "sig": "AAAA"}]
    assert code_of(GOOD | {"payloadType": HEAD_TYPE, "payload": "e31="}) == "E_TYPE"
    assert code_of(GOOD | {"payload": "e31=", "signatures": short}) == "E_B64"
    assert code_of(GOOD | {"signatures": short}, max_payload=1) == "E_TOO_BIG"
