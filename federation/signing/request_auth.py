"""Sign and verify requests between nodes, by RFC 9421 with one fixed profile (PROTOCOL 2.7).

Invariants:
* exactly one signature, labelled ``tocsin``, over exactly these components in this order:
  ``@method``, ``@target-uri``, ``tocsin-to`` and, when there is a body, ``content-digest``;
* the recipient is signed, so a request for B cannot be replayed to C;
* the target is base + raw request target: never rebuilt from ``Host``, never re-encoded;
* only the ``now`` that the caller gives decides on time.

What it does not do: remember nonces (``E_HTTP_REPLAY`` is the caller's, and only after all of
this held), or know which peer a key belongs to.

>>> target_uri("https://hub.b.example/", "/taxii2/?next=seq%3A0")
'https://hub.b.example/taxii2/?next=seq%3A0'
"""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, cast

import http_sf
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
)
from nacl.signing import VerifyKey

from federation.errors import SignatureRejected
from federation.signing.keys import ED25519
from federation.signing.signer import Signer
from schemas.identifiers import KeyId, NodeId, b64, is_key_id

LABEL = "tocsin"
TAG = "tocsin-fed-v1"
LIFETIME = timedelta(seconds=60)
CLOCK_SKEW = timedelta(seconds=300)
NONCE_MEMORY = timedelta(minutes=15)
"""How long the caller remembers a nonce of a key; longer than a request can stay fresh."""
MIN_NONCE_BYTES = 16
MAX_NONCE_BYTES = 48

_COMPONENTS = ("@method", "@target-uri", "tocsin-to")
_BODY_COMPONENTS = (*_COMPONENTS, "content-digest")
_PARAMETERS = ("created", "expires", "nonce", "keyid", "alg", "tag")
_NONCE = re.compile(r"([A-Za-z0-9+/]+)={0,2}")
_DIGEST = "sha-256"
_Member: TypeAlias = tuple[Any, dict[str, Any]]
"""A structured field's value and its parameters."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it arrived; header names in lower case, ``target_uri`` from our own base."""

    method: str
    target_uri: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """Whose key signed the request, and what the caller's nonce memory needs."""

    keyid: KeyId
    nonce: str
    created: datetime


def target_uri(base: str, raw_target: str) -> str:
    """Join our configured base and the request target as it was sent, untouched.

    Raises:
        SignatureRejected: ``E_HTTP_SIG`` for a target in another than the origin form.
    """
    if not raw_target.startswith("/"):
        raise _unsigned("the request target does not begin with /")
    return base.removesuffix("/") + raw_target


def sign_request(
    *,
    method: str,
    url: str,
    body: bytes | None,
    recipient: NodeId,
    signer: Signer,
    created: datetime,
    nonce: bytes,
) -> dict[str, str]:
    """Make the headers that sign a request to another node.

    Args:
        method: upper case.
        url: the exact URL that goes over the wire, percent-encoded already.
        body: the bytes sent, without Content-Encoding; None or empty when there is none.
        recipient: the node that the request is for.
        signer: of this node's http key.
        created: now; seconds count.
        nonce: 16 to 48 random bytes, never used before.

    Returns:
        ``Tocsin-To``, ``Content-Digest`` when there is a body, ``Signature-Input``, ``Signature``.

    Raises:
        ValueError: for a nonce of another length, or a URL that no RFC 3986 reader takes.
    """
    if not MIN_NONCE_BYTES <= len(nonce) <= MAX_NONCE_BYTES:
        raise ValueError(f"a nonce has {MIN_NONCE_BYTES} to {MAX_NONCE_BYTES} bytes")
    message = _Message(method, url, {"Tocsin-To": str(recipient)})
    library = HTTPMessageSigner(signature_algorithm=_LibsodiumEd25519)
    try:
        prepared = library.prepare(
            message,
            key_id=signer.kid,
            created=created,
            expires=created + LIFETIME,
            nonce=b64(nonce).rstrip("="),
            tag=TAG,
            label=LABEL,
            covered_component_ids=_COMPONENTS,
            body=body or None,
        )
        # The library's order of the parameters is its own affair. Ours is the protocol's, so
        # that equal requests have equal headers everywhere; ``apply`` checks that base and
        # parameters still belong together.
        ordered = _in_protocol_order(prepared.signature_params)
        base = prepared.signature_base.removesuffix(prepared.signature_params.encode("ascii"))
        prepared = replace(
            prepared, signature_base=base + ordered.encode("ascii"), signature_params=ordered
        )
        library.apply(message, prepared, signer.sign(prepared.signature_base))
    except HTTPMessageSignaturesException as error:
        raise ValueError(f"the request cannot be signed: {error}") from error
    return message.headers


def verify_request(
    request: SignedRequest,
    *,
    recipient: NodeId,
    now: datetime,
    find_key: Callable[[KeyId], bytes | None],
) -> VerifiedRequest:
    """Verify a request from another node, in the protocol's order of checks (PROTOCOL 2.7).

    Args:
        request: as it arrived.
        recipient: this node.
        now: our clock.
        find_key: gives the raw public key of a peer's http key, None when there is none.

    Raises:
        SignatureRejected: ``E_HTTP_SIG``, ``E_HTTP_TO`` or ``E_HTTP_TIME``.
    """
    # 1. Shape: one signature, its components and its parameters.
    stated = _read_profile(request)
    # 2. For us.
    if request.headers.get("tocsin-to") != recipient:
        raise SignatureRejected("E_HTTP_TO", "the request is meant for another node")
    # 3. Fresh. ``expires`` was compared with ``created`` and is not asked again: two tests of
    #    freshness with different tolerances would disagree at the edge.
    created = _read_created(stated.created, now)
    # 4. A key we know, the body's digest, the signature.
    public_key = find_key(stated.keyid)
    if public_key is None:
        raise _unsigned("no peer has this http key")
    _check_digest(request)
    _check_signature(request, public_key)
    # 5. The nonce is the caller's: remembered only now, so that nobody without a key can fill
    #    its memory or spend somebody's nonce.
    return VerifiedRequest(stated.keyid, stated.nonce, created)


@dataclass(frozen=True, slots=True)
class _Profile:
    """What a signature states, before anything of it is proven."""

    created: int
    nonce: str
    keyid: KeyId


@dataclass(frozen=True, slots=True)
class _Message:
    """A request in the form that the library reads and writes."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


class _LibsodiumEd25519(HTTPSignatureAlgorithm):
    """Ed25519 by libsodium, as for everything else that is signed here."""

    algorithm_id = ED25519

    def __init__(self, public_key: bytes | None = None, private_key: object = None) -> None:
        del private_key  # signing goes through our Signer
        self._public_key = public_key or b""

    def verify(self, signature: bytes, message: bytes) -> None:
        VerifyKey(self._public_key).verify(message, signature)


class _OneKey(HTTPSignatureKeyResolver):
    """The key that was found for the request's keyid."""

    def __init__(self, public_key: bytes) -> None:
        self._public_key = public_key

    def resolve_public_key(self, key_id: str) -> bytes:
        del key_id
        return self._public_key


class _Verifier(HTTPMessageVerifier):
    """The library's verifier without its wall clock; ``verify_request`` has judged the time."""

    max_clock_skew = CLOCK_SKEW

    def validate_created_and_expires(self, sig_input: object, max_age: object = None) -> None:
        """Leave time to step 3 of ``verify_request``, which knows our clock."""


def _read_profile(request: SignedRequest) -> _Profile:
    if request.body and (request.method == "GET" or "content-encoding" in request.headers):
        raise _unsigned("a body of GET, or one with a Content-Encoding")
    inputs = _read_field(request, "signature-input")
    signatures = _read_field(request, "signature")
    if list(inputs) != [LABEL] or list(signatures) != [LABEL]:
        raise _unsigned(f"not exactly one signature labelled {LABEL}")
    components, parameters = inputs[LABEL]
    signature, signature_parameters = signatures[LABEL]
    if not isinstance(signature, bytes) or signature_parameters:
        raise _unsigned("the signature is not bytes alone")
    expected = _BODY_COMPONENTS if request.body else _COMPONENTS
    if components != [(name, {}) for name in expected]:
        raise _unsigned("the components are not the fixed ones", components=list(expected))
    return _read_parameters(parameters)


def _read_parameters(parameters: Mapping[str, object]) -> _Profile:
    if set(parameters) != set(_PARAMETERS):
        raise _unsigned("the parameters are not the fixed ones", parameters=list(_PARAMETERS))
    created, expires = parameters["created"], parameters["expires"]
    nonce, keyid = parameters["nonce"], parameters["keyid"]
    if (
        type(created) is not int
        or type(expires) is not int
        or expires - created != LIFETIME.total_seconds()
    ):
        raise _unsigned("expires is not created plus 60 seconds")
    if not isinstance(nonce, str) or not _is_nonce(nonce):
        raise _unsigned("the nonce is not base64 of 16 to 48 bytes")
    if not isinstance(keyid, str) or not is_key_id(keyid):
        raise _unsigned("the keyid is no key id")
    # A token compares equal to the string of its letters, so the type is asked too.
    for name, value in (("alg", ED25519), ("tag", TAG)):
        if not isinstance(parameters[name], str) or parameters[name] != value:
            raise _unsigned(f"{name} is not the string {value}")
    return _Profile(created, nonce, KeyId(keyid))


def _read_field(request: SignedRequest, name: str) -> dict[str, _Member]:
    return _read_dictionary(request.headers.get(name, ""), name)


def _read_dictionary(text: str, what: str) -> dict[str, _Member]:
    """Parse a structured dictionary (RFC 9651); a key named twice is refused at every level."""

    def reject_twice(key: str, context: str) -> None:
        raise _unsigned(f"{what} names {key} twice", context=context)

    try:
        parsed = http_sf.parse(
            text.encode("ascii"), tltype="dictionary", on_duplicate_key=reject_twice
        )
    except ValueError:
        raise _unsigned(f"{what} is no structured dictionary") from None
    return cast("dict[str, _Member]", parsed)


def _is_nonce(text: str) -> bool:
    match = _NONCE.fullmatch(text)
    if match is None:
        return False
    bare = match[1]
    padded = bare + "=" * (-len(bare) % 4)
    try:
        raw = b64decode(padded, validate=True)
    except binascii.Error:
        return False
    return MIN_NONCE_BYTES <= len(raw) <= MAX_NONCE_BYTES and text in (bare, padded)


def _read_created(created: int, now: datetime) -> datetime:
    # Compared as numbers first: a number of fifteen digits is no date.
    if abs(created - now.timestamp()) > CLOCK_SKEW.total_seconds():
        raise SignatureRejected(
            "E_HTTP_TIME",
            "the request was made more than 300 seconds from now",
            "Compare both nodes' clocks.",
            seconds=round(created - now.timestamp()),
        )
    return datetime.fromtimestamp(created, UTC)


def _check_digest(request: SignedRequest) -> None:
    if not request.body:
        return
    members = _read_field(request, "content-digest")
    digest = hashlib.sha256(request.body).digest()
    # Exactly one member: with two, two readers could check different ones.
    if list(members) != [_DIGEST] or members[_DIGEST][0] != digest:
        raise _unsigned("the content digest is not the body's sha-256 alone")


def _check_signature(request: SignedRequest, public_key: bytes) -> None:
    message = _Message(request.method, request.target_uri, dict(request.headers))
    verifier = _Verifier(signature_algorithm=_LibsodiumEd25519, key_resolver=_OneKey(public_key))
    try:
        verifier.verify(
            message,
            expect_tag=TAG,
            expect_label=LABEL,
            max_age=None,
            require_components=_BODY_COMPONENTS if request.body else _COMPONENTS,
        )
    except HTTPMessageSignaturesException:
        raise _unsigned("the signature does not hold") from None


def _in_protocol_order(signature_params: str) -> str:
    """Order the library's ``@signature-params`` value as the protocol lists the parameters."""
    components, parameters = _read_dictionary(f"{LABEL}={signature_params}", "parameters")[LABEL]
    ordered = {name: parameters[name] for name in _PARAMETERS}
    written = http_sf.ser({LABEL: (components, ordered)})
    return written.removeprefix(f"{LABEL}=")


def _unsigned(detail: str, **params: object) -> SignatureRejected:
    return SignatureRejected("E_HTTP_SIG", detail, "", **params)
