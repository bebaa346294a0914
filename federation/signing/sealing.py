"""Open sealed entries: who may, and what makes a sealed entry false (PROTOCOL 2.8).

Invariants:
* the inner entry is its author's: signed under an entry key of the feed's origin, for this very
  feed and seq, and for this very node, so that a recipient cannot pass it on as addressed to a
  third party (surreptitious forwarding) and nobody can transplant it;
* every recipient has the same plaintext: the cipher does not commit to a key, so its digest is
  in the signed outer entry;
* to whom an entry is not addressed it is opaque, and no error.

What it does not do: seal, judge the inner kind and policy (``federation.feeds``), or keep keys.

>>> blank = {"alg": ALGORITHM, "n": "A" * 32, "ct": "AAAA", "ph": "0" * 64, "to": []}
>>> open_sealed(blank, feed=FeedName(NodeId("a" * 52), "s-" + "b" * 26), seq=1,
...             own_node_id=NodeId("c" * 52), seal_keys={}, ring=KeyRing({}, frozenset())) is None
True
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from federation.errors import ContentRejected, SignatureRejected
from federation.signing.keys import USE_ENTRY, KeyRing, verify_envelope
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, KeyId, NodeId, is_key_id, is_node_id
from schemas.members import (
    read_bytes,
    read_hash,
    read_list,
    read_object,
    read_signed_object,
    read_text,
)
from schemas.signed_envelope import INNER_TYPE, SignedEnvelope, read_envelope
from schemas.strict_json import strict_loads

ALGORITHM = "x25519-xchacha20poly1305-v1"
NONCE_BYTES = 24
CEK_BYTES = 32
WRAP_BYTES = 80
BLOCK_BYTES = 512
MAX_ANONYMOUS_WRAPS = 32
MAX_LIVE_KEYS = 3
"""An anonymous entry costs a trial of each live key on each wrap, so both are bounded."""

_ANONYMOUS = KeyId("")
_END_OF_PLAINTEXT = b"\x80"
_RELEASED_LABELS = ("clear", "green")


@dataclass(frozen=True, slots=True)
class Wrap:
    """The content key, sealed to one recipient; the kid is empty when nobody is named."""

    kid: KeyId
    sealed_key: bytes


@dataclass(frozen=True, slots=True)
class SealedContent:
    """The ``sealed`` member of an outer entry, of sound shape."""

    alg: str
    nonce: bytes
    ciphertext: bytes
    plaintext_hash: EntryHash
    to: tuple[Wrap, ...]
    ack_terms: EntryHash | None


@dataclass(frozen=True, slots=True)
class InnerEntry:
    """What the author wrote for the recipients; its content rules are still to be checked."""

    envelope: SignedEnvelope
    kid: KeyId
    to_nodes: tuple[NodeId, ...]
    body: Mapping[str, object]


def read_sealed(value: object) -> SealedContent:
    """Read the shape of a ``sealed`` member; anybody can, addressed or not.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    body = read_object(value, "sealed")
    wraps = tuple(_read_wrap(read_object(wrap, "sealed.to[]")) for wrap in read_list(body, "to"))
    if sum(wrap.kid == _ANONYMOUS for wrap in wraps) > MAX_ANONYMOUS_WRAPS:
        raise WireFormatError("E_SCHEMA", f"more than {MAX_ANONYMOUS_WRAPS} anonymous wraps")
    return SealedContent(
        alg=read_text(body, "alg"),
        nonce=read_bytes(body, "n", length=NONCE_BYTES),
        ciphertext=read_bytes(body, "ct"),
        plaintext_hash=read_hash(body, "ph"),
        to=wraps,
        ack_terms=read_hash(body, "ack") if "ack" in body else None,
    )


def open_sealed(
    sealed: Mapping[str, object],
    *,
    feed: FeedName,
    seq: int,
    own_node_id: NodeId,
    seal_keys: Mapping[KeyId, bytes],
    ring: KeyRing,
) -> InnerEntry | None:
    """Open a sealed entry that may be addressed to this node (PROTOCOL 2.8).

    Args:
        sealed: the ``sealed`` member of an outer entry that was verified already.
        feed: the outer entry's feed.
        seq: the outer entry's place in it.
        own_node_id: this node.
        seal_keys: this node's live private sealing keys, 32 bytes each.
        ring: the entry keys of the feed's origin.

    Returns:
        None when no wrap is for this node, which includes an entry that waits for its ack.

    Raises:
        ContentRejected: ``E_SEALED``, or ``E_SCHEMA`` for the shape.
    """
    content = _read_content(sealed)
    # 1. Unwrap.
    cek = _unwrap(content, seal_keys)
    if cek is None:
        return None
    # 2. to 5. Decrypt, compare the digest, verify the author, compare the place.
    inner = _open(content, cek, feed=feed, seq=seq, ring=ring)
    # 6. The author meant this node. A wrap alone proves nothing: any recipient can make one.
    if own_node_id not in inner.to_nodes:
        raise _false("the author did not address this node")
    return inner


def open_released(
    sealed: Mapping[str, object], *, feed: FeedName, seq: int, cek: bytes, ring: KeyRing
) -> InnerEntry:
    """Open an embargoed entry with the content key that its author has published.

    Every holder may, so ``to_nodes`` is not asked; what makes it public is the label that the
    author's own signature names for afterwards.

    Raises:
        ContentRejected: ``E_SEALED``; ``E_SCHEMA`` for the shape; ``E_POLICY`` when the inner
            ``policy.release`` names neither clear nor green.
    """
    inner = _open(_read_content(sealed), cek, feed=feed, seq=seq, ring=ring)
    policy = inner.body.get("policy")
    release = policy.get("release") if isinstance(policy, dict) else None
    if not isinstance(release, dict) or release.get("tlp") not in _RELEASED_LABELS:
        raise ContentRejected("E_POLICY", "a released entry names no label for afterwards")
    return inner


def _open(
    content: SealedContent, cek: bytes, *, feed: FeedName, seq: int, ring: KeyRing
) -> InnerEntry:
    # 2. Decrypt; the additional data ties the ciphertext to its feed and seq.
    place = f"{feed}\0{seq}".encode("ascii")
    try:
        padded = crypto_aead_xchacha20poly1305_ietf_decrypt(
            content.ciphertext, b"tocsin-seal-v1\0" + place, content.nonce, cek
        )
    except (CryptoError, ValueError, TypeError):
        raise _false("the content key does not open the ciphertext") from None
    # 3. The plaintext that the outer signature commits to.
    if hashlib.sha256(padded).hexdigest() != content.plaintext_hash:
        raise _false("the plaintext is not the one that the outer entry states")
    # 4. The author's signature, under the origin's keys, on bytes of the inner type. Its key's
    #    time and revocation are the outer entry's, which the same origin signed.
    try:
        envelope = read_envelope(strict_loads(_unpad(padded)), INNER_TYPE)
        records = verify_envelope(envelope, ring, USE_ENTRY)
        parsed = strict_loads(envelope.payload)
    except (WireFormatError, SignatureRejected) as error:
        raise _false(f"the inner entry does not verify: {error}") from None
    # 5. The same place as the outer entry.
    if (
        not isinstance(parsed, dict)
        or parsed.get("feed") != str(feed)
        or type(parsed.get("seq")) is not int
        or parsed["seq"] != seq
    ):
        raise _false("the inner entry was made for another place")
    try:
        body = read_signed_object(parsed, "inner entry")
        to_nodes = _read_nodes(body)
    except WireFormatError as error:
        raise ContentRejected(error.code, error.detail) from None
    return InnerEntry(envelope, records[0].kid, to_nodes, body)


def _unwrap(content: SealedContent, seal_keys: Mapping[KeyId, bytes]) -> bytes | None:
    for wrap in content.to:
        if wrap.kid in seal_keys:
            cek = _open_wrap(wrap, seal_keys[wrap.kid])
            if cek is None:
                raise _false("the wrap for this node's key does not open")
            return cek
    # Anonymous mode: a wrap that does not open is somebody else's, or a dummy.
    trials = list(seal_keys.values())[:MAX_LIVE_KEYS]
    opened = (
        _open_wrap(wrap, key) for wrap in content.to if wrap.kid == _ANONYMOUS for key in trials
    )
    return next((cek for cek in opened if cek is not None), None)


def _open_wrap(wrap: Wrap, private_key: bytes) -> bytes | None:
    try:
        return SealedBox(PrivateKey(private_key)).decrypt(wrap.sealed_key)
    except CryptoError:
        return None


def _unpad(padded: bytes) -> bytes:
    plain = padded.rstrip(b"\0")
    if len(padded) % BLOCK_BYTES or not plain.endswith(_END_OF_PLAINTEXT):
        raise _false("the plaintext is not padded as it should be")
    return plain.removesuffix(_END_OF_PLAINTEXT)


def _read_content(sealed: Mapping[str, object]) -> SealedContent:
    try:
        content = read_sealed(sealed)
    except WireFormatError as error:
        raise ContentRejected(error.code, error.detail) from None
    if content.alg != ALGORITHM:
        raise _false("an algorithm of sealing that is unknown here")
    return content


def _read_wrap(body: Mapping[str, object]) -> Wrap:
    kid = read_text(body, "kid")
    if kid != _ANONYMOUS and not is_key_id(kid):
        raise WireFormatError("E_SCHEMA", "a wrap's kid is neither empty nor a key id")
    return Wrap(KeyId(kid), read_bytes(body, "w", length=WRAP_BYTES))


def _read_nodes(body: Mapping[str, object]) -> tuple[NodeId, ...]:
    nodes = tuple(
        NodeId(node)
        for node in read_list(body, "to_nodes")
        if isinstance(node, str) and is_node_id(node)
    )
    if len(nodes) != len(read_list(body, "to_nodes")):
        raise WireFormatError("E_SCHEMA", "to_nodes has something else than node ids")
    return nodes


def _false(detail: str) -> ContentRejected:
    return ContentRejected("E_SEALED", detail)
