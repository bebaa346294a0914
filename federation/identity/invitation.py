"""Invitations and the pairing request, as text and bytes (PROTOCOL 4.5).

Invariants:
* a token is 16 random bytes, kept here as a digest and shown in no ``repr``;
* white space and the case of letters are ignored, since people paste and retype invitations.

What it does not do: judge expiry or spend the token; that is the use-case with its clock and
its transaction.

>>> from datetime import UTC, datetime
>>> sent = Invitation("https://hub.b.example/", NodeId("a" * 52), bytes(16),
...                   datetime(2026, 3, 4, tzinfo=UTC))
>>> read_invitation(sent.write().upper()) == sent
True
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from federation.identity.base_address import read_base
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId, b32, b64
from schemas.members import (
    read_bytes,
    read_list,
    read_node_id,
    read_object,
    read_time,
    read_version,
)
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import write_wire_time

TOKEN_BYTES = 16
_PREFIX = "tocsin1:"
_MAX_CHARACTERS = 4096
_WHITE_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Invitation:
    """Where to pair, with whom, and the secret that allows it once."""

    base: str
    node_id: NodeId
    token: bytes = field(repr=False)
    expires: datetime

    def write(self) -> str:
        """Write the invitation as one line of text."""
        body = {
            "v": 1,
            "base": self.base,
            "node_id": self.node_id,
            "token": b64(self.token),
            "expires": write_wire_time(self.expires),
        }
        return _PREFIX + b32(write_json(body))


@dataclass(frozen=True, slots=True)
class PairingRequest:
    """The body of ``POST /pair``: the token and the joiner's documents, still unverified."""

    token: bytes = field(repr=False)
    documents: tuple[object, ...]


def read_invitation(text: str) -> Invitation:
    """Read an invitation that somebody pasted.

    Raises:
        WireFormatError: ``E_SCHEMA``, whatever is wrong with it.
    """
    packed = _WHITE_SPACE.sub("", text).lower()
    if not packed.startswith(_PREFIX) or len(packed) > _MAX_CHARACTERS:
        raise _unreadable(f"an invitation begins with {_PREFIX}")
    try:
        value = strict_loads(_read_b32(packed.removeprefix(_PREFIX)))
        body = read_object(value, "invitation")
        read_version(body)
        return Invitation(
            base=read_base(body.get("base")),
            node_id=read_node_id(body, "node_id"),
            token=read_bytes(body, "token", length=TOKEN_BYTES),
            expires=read_time(body, "expires"),
        )
    except WireFormatError as error:
        raise _unreadable(error.detail) from None


def token_digest(token: bytes) -> str:
    """Digest a token for storage: whoever reads our database can pair with nobody."""
    return hashlib.sha256(b"tocsin-token-v1\0" + token).hexdigest()


def write_pairing_request(token: bytes, documents: Sequence[object]) -> bytes:
    """Write the body of ``POST /pair``; ``documents`` are the envelopes' wire members."""
    return write_json({"v": 1, "token": b64(token), "node": list(documents)})


def read_pairing_request(value: object) -> PairingRequest:
    """Read the body of ``POST /pair``.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    body = read_object(value, "pairing request")
    read_version(body)
    documents = read_list(body, "node")
    if not documents:
        raise WireFormatError("E_SCHEMA", "node has no document", member="node")
    return PairingRequest(read_bytes(body, "token", length=TOKEN_BYTES), tuple(documents))


def _read_b32(text: str) -> bytes:
    try:
        raw = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raise WireFormatError("E_SCHEMA", "it is not base32") from None
    if b32(raw) != text:
        raise WireFormatError("E_SCHEMA", "it is cut off or mistyped at the end")
    return raw


def _unreadable(detail: str) -> WireFormatError:
    return WireFormatError(
        "E_SCHEMA",
        f"not a readable invitation: {detail}",
        "Ask for the invitation again and paste it whole.",
    )
