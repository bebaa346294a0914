"""PROTOCOL 4.5: invitations survive people; tokens do not show."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.identity.invitation import (
    Invitation,
    PairingRequest,
    read_invitation,
    read_pairing_request,
    token_digest,
    write_pairing_request,
)
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId, b64
from schemas.strict_json import strict_loads, write_json

SENT = Invitation(
    "https://hub.b.example/", NodeId("a2" * 26), b"t" * 16, datetime(2026, 3, 4, 10, tzinfo=UTC)
)
BODY = {
    "v": 1,
    "base": SENT.base,
    "node_id": SENT.node_id,
    "token": b64(SENT.token),
    "expires": "2026-03-04T10:00:00.000Z",
}


def packed(raw: bytes) -> str:
    return "tocsin1:" + base64.b32encode(raw).decode().lower().rstrip("=")


@given(st.binary(min_size=16, max_size=16))
def test_an_invitation_is_read_as_it_was_written(token):
    sent = Invitation(SENT.base, SENT.node_id, token, SENT.expires)
    assert read_invitation(sent.write()) == sent


@given(st.data())
def test_white_space_and_case_are_ignored(data):
    text = SENT.write()
    for _ in range(5):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from([" ", "\n", "\r\n  ", "\t"])) + text[at:]
    cased = "".join(letter.upper() if data.draw(st.booleans()) else letter for letter in text[:40])
    assert read_invitation(cased + text[40:]) == SENT


def test_unknown_members_are_ignored():
    assert read_invitation(packed(write_json(BODY | {"note": "welcome"}))) == SENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        SENT.write().removeprefix("tocsin1:"),
        SENT.write().replace("tocsin1:", "tocsin2:"),
        SENT.write()[:-3],
        SENT.write()[:-1] + ("3" if SENT.write()[-1] != "3" else "b"),
        SENT.write() + "!",
        SENT.write() + "a" * 5000,
        "tocsin1:",
        "tocsin1:é",
        packed(b"{}"),
        packed(b"[]"),
        packed(write_json(BODY)[:-1] + b',"v":1}'),
        *[packed(write_json(BODY | {name: None})) for name in BODY],
        packed(write_json(BODY | {"v": 2})),
        packed(write_json(BODY | {"token": b64(bytes(15))})),
        packed(write_json(BODY | {"base": "https://hub.b.example"})),
    ],
)
def test_whatever_else_is_pasted_has_one_code_and_a_remedy(text):
    with pytest.raises(WireFormatError) as rejected:
        read_invitation(text)
    assert rejected.value.code == "E_SCHEMA"
    assert rejected.value.remedy


def test_tokens_show_nowhere():
    request = PairingRequest(b"secret secret 16", ())
    sent = Invitation(SENT.base, SENT.node_id, b"secret secret 16", SENT.expires)
    assert "secret" not in f"{request} {sent}"
    assert b"secret".hex() not in token_digest(b"secret secret 16")


def test_digests_tell_tokens_apart():
    assert token_digest(bytes(16)) == token_digest(bytes(16)) != token_digest(b"t" * 16)


def test_a_pairing_request_is_read_as_it_was_written():
    documents = ({"payloadType": "t"}, {"payloadType": "u"})
    written = write_pairing_request(SENT.token, documents)
    assert read_pairing_request(strict_loads(written)) == PairingRequest(SENT.token, documents)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"token": "x"},
        {"token": b64(bytes(17))},
        {"node": []},
        {"node": {}},
        {"node": None},
    ],
)
def test_another_body_is_rejected(change):
    body = {"v": 1, "token": b64(SENT.token), "node": [{}]}
    with pytest.raises(WireFormatError) as rejected:
        read_pairing_request(body | change)
    assert rejected.value.code == "E_SCHEMA"
