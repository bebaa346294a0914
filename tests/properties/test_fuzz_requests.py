"""Whatever stands in the headers of a request: it is verified or refused, by strangers and peers.

The headers are all that a stranger can make a node parse before it knows who asks (THREATS 47).
"""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from federation.errors import SignatureRejected
from federation.signing.request_auth import SignedRequest, sign_request, verify_request
from schemas.identifiers import NodeId
from tests.support.signed_nodes import T0, seeded

US = NodeId("a" * 52)
SIGNER = seeded(3)
URL = "https://hub.b.example/federation/v1/wake"
BODY = b'{"heads":[]}'
SIGNED = {
    name.lower(): text
    for name, text in sign_request(
        method="POST", url=URL, body=BODY, recipient=US, signer=SIGNER, created=T0, nonce=bytes(16)
    ).items()
}
PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            "", ",", ";", "=", "(", ")", '"', ":", "?1", "()", "tocsin=", "tocsin=()", "sig=:AA==:",
            ";created", ";created=1", ";created=999999999999999", ";created=-1", ";created=1.0",
            ";nonce", ';nonce=""', ";keyid=tok", ";alg=ed25519", ";bs", ";sf", ';key="a"', ";req",
            '"@method"', '"@query-param";name="a"', '"tocsin-to"', "tocsin-to", '"@target-uri"',
            "sha-256=:AA==:", "sha-512=:AA==:", "%", "\\", "\x00", "\u20ac", "@1659578233",
            "(" * 300,
        ]
    ),
)  # fmt: skip


@st.composite
def bent(draw: st.DrawFn) -> dict[str, str]:
    headers = dict(SIGNED)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(SIGNED)))
        text = headers.get(name, "")
        act = draw(st.sampled_from(["cut", "put", "drop", "whole", "word", "twice"]))
        at = draw(st.integers(0, len(text)))
        if act == "cut":
            headers[name] = text[:at] + text[at + draw(st.integers(1, 20)) :]
        elif act == "put":
            headers[name] = text[:at] + draw(PIECES) + text[at:]
        elif act == "drop":
            headers.pop(name, None)
        elif act == "whole":
            headers[name] = draw(PIECES)
        elif act == "twice":
            headers[name] = f"{text}, {text}"
        else:
            words = re.findall(r"[^;,= ]+", text) or [""]
            headers[name] = text.replace(draw(st.sampled_from(words)), draw(PIECES), 1)
    return headers


@settings(max_examples=300, deadline=None)
@given(bent())
def test_t47_bent_headers_are_refused_or_say_the_same(headers):
    request = SignedRequest("POST", URL, headers, BODY)
    try:
        verified = verify_request(
            request, recipient=US, now=T0, find_key=lambda _kid: SIGNER.public_key
        )
    except SignatureRejected as refused:
        assert refused.code in {"E_HTTP_SIG", "E_HTTP_TO", "E_HTTP_TIME"}  # noqa: PT017
        return
    assert verified.keyid == SIGNER.kid
    assert headers["tocsin-to"] == US
