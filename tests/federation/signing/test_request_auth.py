"""PROTOCOL 2.7: one fixed profile of RFC 9421, checked in the protocol's order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from http_message_signatures import ContentDigest, HTTPMessageSigner, HTTPSignatureAlgorithm
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import SignatureRejected
from federation.signing.request_auth import (
    SignedRequest,
    VerifiedRequest,
    sign_request,
    target_uri,
    verify_request,
)
from schemas.identifiers import NodeId
from tests.support.signed_nodes import seeded

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
HERE = NodeId("a2" * 26)
ELSEWHERE = NodeId("b3" * 26)
BASE = "https://hub.b.example/"
SIGNER = seeded(5)
BODY = b'{"heads":[]}'
KEYS = {SIGNER.kid: SIGNER.public_key}


def signed(
    method: str = "POST",
    target: str = "/federation/v1/wake",
    body: bytes | None = BODY,
    *,
    recipient: NodeId = HERE,
    created: datetime = NOW,
    nonce: bytes = b"n" * 16,
) -> SignedRequest:
    url = target_uri(BASE, target)
    headers = sign_request(
        method=method,
        url=url,
        body=body,
        recipient=recipient,
        signer=SIGNER,
        created=created,
        nonce=nonce,
    )
    return SignedRequest(method, url, {name.lower(): text for name, text in headers.items()}, body)


def verify(request: SignedRequest, now: datetime = NOW) -> VerifiedRequest:
    return verify_request(request, recipient=HERE, now=now, find_key=KEYS.get)


def code_of(request: SignedRequest, now: datetime = NOW) -> str:
    with pytest.raises(SignatureRejected) as rejected:
        verify(request, now)
    return rejected.value.code


def with_header(request: SignedRequest, name: str, text: str | None) -> SignedRequest:
    headers = dict(request.headers)
    if text is None:
        headers.pop(name, None)
    else:
        headers[name] = text
    return replace(request, headers=headers)


def with_input(request: SignedRequest, old: str, new: str) -> SignedRequest:
    stated = request.headers["signature-input"]
    assert old in stated
    return with_header(request, "signature-input", stated.replace(old, new))


@pytest.mark.parametrize(
    ("method", "body"),
    [("GET", None), ("POST", BODY), ("POST", None), ("POST", b"")],
    ids=["get", "post", "post-bare", "post-empty"],
)
def test_a_signed_request_verifies(method, body):
    verified = verify(signed(method, body=body))
    assert verified.keyid == SIGNER.kid
    assert verified.created == NOW
    assert verified.nonce == "bm5ubm5ubm5ubm5ubm5ubg"


def test_the_signed_components_are_fixed():
    with_body, without = signed(), signed("GET", body=None)
    prefix = 'tocsin=("@method" "@target-uri" "tocsin-to"'
    assert with_body.headers["signature-input"].startswith(prefix + ' "content-digest");created=')
    assert without.headers["signature-input"].startswith(prefix + ");created=")
    assert "content-digest" not in without.headers


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/taxii2/fed/collections/c/objects/?next=seq%3A100&limit=50",
        "/taxii2/?a=%2F%2f&b=%7E~&c=a+b&d=",
        "/federation/v1/heads?",
        "/%E2%82%AC//x/../y?q='(a)'",
        "/x?feed=zf2m/green/1",
    ],
)
def test_the_target_is_signed_as_sent_and_never_normalised(target):
    request = signed("GET", target, None)
    assert verify(request)
    assert request.target_uri == BASE.removesuffix("/") + target


@pytest.mark.parametrize(
    ("sent", "arrived"),
    [
        ("/x?next=seq%3A0", "/x?next=seq:0"),
        ("/x?a=%2f", "/x?a=%2F"),
        ("/x", "/x?"),
        ("/x/../y", "/y"),
        ("/x?a=1&b=2", "/x?b=2&a=1"),
    ],
)
def test_an_equivalent_target_is_another_target(sent, arrived):
    request = replace(signed("GET", sent, None), target_uri=target_uri(BASE, arrived))
    assert code_of(request) == "E_HTTP_SIG"


@pytest.mark.parametrize("raw", ["", "*", "https://evil.example/", "hub.b.example:443"])
def test_only_the_origin_form_of_a_target_is_taken(raw):
    with pytest.raises(SignatureRejected) as rejected:
        target_uri(BASE, raw)
    assert rejected.value.code == "E_HTTP_SIG"


@pytest.mark.parametrize("target", ["/a b", '/a"b', "/é", "/a%2"])
def test_a_target_that_needs_encoding_is_neither_signed_nor_verified(target):
    with pytest.raises(ValueError, match="cannot be signed"):
        signed("GET", target, None)
    broken = replace(signed("GET", "/", None), target_uri=BASE + target[1:])
    assert code_of(broken) == "E_HTTP_SIG"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"method": "post"},
        {"body": b'{"heads":[1]}'},
        {"body": None},
        {"body": b""},
        {"target_uri": "https://hub.c.example/federation/v1/wake"},
        {"target_uri": "http://hub.b.example/federation/v1/wake"},
        {"target_uri": "https://hub.b.example:443/federation/v1/wake"},
    ],
)
def test_whatever_is_changed_breaks_the_signature(change):
    assert code_of(replace(signed(), **change)) == "E_HTTP_SIG"


def test_a_request_for_one_node_is_nothing_to_another():
    assert code_of(signed(recipient=ELSEWHERE)) == "E_HTTP_TO"
    assert code_of(with_header(signed(), "tocsin-to", None)) == "E_HTTP_TO"
    redirected = with_header(signed(recipient=ELSEWHERE), "tocsin-to", HERE)
    assert code_of(redirected) == "E_HTTP_SIG"


@pytest.mark.parametrize("seconds", [-300, -61, 0, 300])
def test_five_minutes_to_either_side_are_fresh(seconds):
    assert verify(signed(), NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 301, 10**9])
def test_more_is_not(seconds):
    assert code_of(signed(), NOW + timedelta(seconds=seconds)) == "E_HTTP_TIME"


def test_a_number_that_is_no_date_is_merely_far_away():
    far = with_input(
        signed(),
        ";created=1772359200;expires=1772359260",
        ";created=999999999999000;expires=999999999999060",
    )
    assert code_of(far) == "E_HTTP_TIME"


@pytest.mark.parametrize("length", [16, 48])
def test_nonces_have_sixteen_to_forty_eight_bytes(length):
    assert verify(signed(nonce=bytes(length)))


@pytest.mark.parametrize("length", [0, 15, 49])
def test_other_nonces_are_not_signed(length):
    with pytest.raises(ValueError, match="16 to 48"):
        signed(nonce=bytes(length))


MUTATIONS = [
    ("tocsin=", "sig1="),
    ('"@method" "@target-uri"', '"@target-uri" "@method"'),
    ('"@method" ', ""),
    (' "content-digest"', ""),
    (' "content-digest")', ' "content-digest" "date")'),
    ('"@method" ', '"@method" "@method" '),
    ('"@method"', '"@method";req'),
    ('"content-digest"', '"content-digest";sf'),
    (";expires=1772359260", ""),
    (";expires=1772359260", ";expires=1772359261"),
    (";expires=1772359260", ";expires=1772359260.0"),
    (";created=1772359200", ';created="1772359200"'),
    (";created=1772359200", ";created=1772359200;created=1772359200"),
    (";created=1772359200", ";created"),
    (";nonce=", ";nonce2="),
    ("bm5ubm5ubm5ubm5ubm5ubg", "bm5ubm5ubm5ubm5ubm5u"),
    ("bm5ubm5ubm5ubm5ubm5ubg", "bm5ubm5ubm5ubm5ubm5ubg="),
    ("bm5ubm5ubm5ubm5ubm5ubg", "bm5ubm5ubm5ubm5ubm5_bg"),
    ("bm5ubm5ubm5ubm5ubm5ubg", "A" * 66),
    ('"bm5ubm5ubm5ubm5ubm5ubg"', ":bm5ubm5ubm5ubm5ubm5ubg==:"),
    (";alg=", ";algo="),
    ('"ed25519"', '"hmac-sha256"'),
    ('"ed25519"', "ed25519"),
    ("tocsin-fed-v1", "tocsin-fed-v2"),
    ('"tocsin-fed-v1"', "tocsin-fed-v1"),
    (';tag="tocsin-fed-v1"', ';tag="tocsin-fed-v1";extra=1'),
    (";keyid=", ";key="),
    (SIGNER.kid, SIGNER.kid.upper()),
    (SIGNER.kid, seeded(6).kid),
    ("tocsin=", "tocsin=1, tocsin="),
    ("tocsin=", "other=1, tocsin="),
    ("tocsin=(", "tocsin=(("),
    ("tocsin=", "tocsin=é"),
]


@pytest.mark.parametrize(("old", "new"), MUTATIONS)
def test_another_profile_is_rejected(old, new):
    assert code_of(with_input(signed(), old, new)) == "E_HTTP_SIG"


class _SeedAlgorithm(HTTPSignatureAlgorithm):
    """Sign with the test's own key, so that any profile can be signed well."""

    algorithm_id = "ed25519"

    def __init__(self, public_key=None, private_key=None):
        pass


def well_signed(
    components=("@method", "@target-uri", "tocsin-to", "content-digest"),
    *,
    label: str = "tocsin",
    lifetime: int = 60,
    **parameters: Any,
) -> SignedRequest:
    """A request with a true signature over another profile, as a peer's own program may make."""
    headers = {"Tocsin-To": HERE, "Date": "Sun, 01 Mar 2026 10:00:00 GMT"}
    request = SignedRequest("POST", BASE + "federation/v1/wake", headers, BODY)
    message = SimpleNamespace(method=request.method, url=request.target_uri, headers=headers)
    library = HTTPMessageSigner(signature_algorithm=_SeedAlgorithm)
    ContentDigest.add(headers, BODY)
    stated = {"nonce": "bm5ubm5ubm5ubm5ubm5ubg", "tag": "tocsin-fed-v1"} | parameters
    prepared = library.prepare(
        message,
        key_id=SIGNER.kid,
        created=NOW,
        expires=NOW + timedelta(seconds=lifetime),
        label=label,
        covered_component_ids=components,
        use_existing_digest=True,
        **stated,
    )
    library.apply(message, prepared, SIGNER.sign(prepared.signature_base))
    return replace(request, headers={name.lower(): text for name, text in headers.items()})


def test_the_order_of_the_parameters_is_free():
    request = well_signed()
    assert request.headers["signature-input"] != signed().headers["signature-input"]
    assert verify(request)


def test_padding_of_the_nonce_is_optional():
    assert verify(well_signed(nonce="bm5ubm5ubm5ubm5ubm5ubg==")).nonce.endswith("==")


@pytest.mark.parametrize(
    "profile",
    [
        {"components": ("@method", "@target-uri", "tocsin-to")},
        {"components": ("@target-uri", "@method", "tocsin-to", "content-digest")},
        {"components": ("@method", "@target-uri", "tocsin-to", "content-digest", "date")},
        {"components": ("@method", "@target-uri", "content-digest")},
        {"components": ("@method", "@target-uri", "tocsin-to", '"content-digest";sf')},
        {"label": "sig1"},
        {"lifetime": 61},
        {"lifetime": 600},
        {"nonce": "c2hvcnQ"},
        {"nonce": None},
        {"nonce": "bm5ubm5ubm5ubm5ubm5ubg="},
        {"tag": "tocsin-fed-v2"},
        {"tag": None},
        {"include_alg": False},
    ],
    ids=str,
)
def test_a_true_signature_over_another_profile_is_rejected(profile):
    assert code_of(well_signed(**profile)) == "E_HTTP_SIG"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("signature-input", None),
        ("signature", None),
        ("signature", ""),
        ("signature", "tocsin=1"),
        ("signature", "tocsin=:AAAA:"),
        ("signature", 'tocsin="AAAA"'),
        ("signature", "other=:AAAA:"),
        ("signature", "tocsin=:AAAA:;x=1"),
        ("signature", "tocsin=:AAAA:, tocsin=:AAAA:"),
        ("content-digest", None),
        ("content-digest", ""),
        ("content-digest", "sha-256=:AAAA:"),
        ("content-digest", "sha-512=:AAAA:"),
        ("content-encoding", "gzip"),
    ],
)
def test_other_headers_are_rejected(name, text):
    assert code_of(with_header(signed(), name, text)) == "E_HTTP_SIG"


def test_a_second_digest_is_rejected_though_both_may_hold():
    request = signed()
    twice = with_header(
        request, "content-digest", request.headers["content-digest"] + ", sha-512=:AAAA:"
    )
    with pytest.raises(SignatureRejected, match="sha-256 alone"):
        verify(twice)


def test_a_body_of_get_is_rejected():
    assert code_of(signed("GET", body=BODY)) == "E_HTTP_SIG"


def test_the_order_of_the_checks_is_the_protocols():
    late = NOW + timedelta(hours=1)
    misdirected = signed(recipient=ELSEWHERE)
    assert code_of(with_input(misdirected, "tocsin=", "sig1="), late) == "E_HTTP_SIG"
    assert code_of(misdirected, late) == "E_HTTP_TO"
    assert code_of(with_header(signed(), "signature", "tocsin=:AAAA:"), late) == "E_HTTP_TIME"


def test_an_unknown_key_is_asked_for_only_when_the_rest_is_in_order():
    asked = []

    def find_key(kid):
        asked.append(kid)

    for request, times in ((signed(recipient=ELSEWHERE), 0), (signed(), 1)):
        with pytest.raises(SignatureRejected):
            verify_request(request, recipient=HERE, now=NOW, find_key=find_key)
        assert len(asked) == times


def test_equal_requests_have_equal_headers():
    assert signed() == signed()


@given(st.binary(min_size=1, max_size=64), st.binary(min_size=16, max_size=48))
def test_whatever_body_and_nonce_are_signed_verify(body, nonce):
    assert verify(signed(body=body, nonce=nonce)).keyid == SIGNER.kid


@given(st.text(max_size=80))
def test_no_header_text_does_more_than_be_rejected(text):
    for name in ("signature-input", "signature", "content-digest"):
        assert code_of(with_header(signed(), name, text)) == "E_HTTP_SIG"
