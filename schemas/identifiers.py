"""Names on the wire: nodes, keys, feeds, entries, STIX ids, and how each is derived.

Everything here can be recomputed by anyone from public values (PROTOCOL 2.2 to 2.6), so no
registry hands out names.

>>> feed = FeedName(NodeId("a" * 52), "green", 1)
>>> str(feed) == "a" * 52 + "/green/1"
True
>>> FeedName.read(str(feed)) == feed
True
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import NewType

from schemas.errors import WireFormatError

NodeId = NewType("NodeId", str)
KeyId = NewType("KeyId", str)
StixId = NewType("StixId", str)
EntryHash = NewType("EntryHash", str)
"""SHA-256 of the pre-authentication encoding, 64 lower-case hex digits (PROTOCOL 2.2)."""

NAMESPACE = uuid.UUID("f324f0d3-4aa9-4b99-9b9a-6fd867b60a54")
"""Fixed for ever (PROTOCOL 2.4)."""
ZERO_HASH = EntryHash("0" * 64)
ENTRY_EXTENSION = "extension-definition--90ae7a15-b38f-4f8d-abcd-7d43606af969"

_B32 = "a-z2-7"
_NODE_ID = re.compile(rf"[{_B32}]{{52}}")
_KEY_ID = re.compile(rf"[{_B32}]{{26}}")
_FEED = re.compile(rf"([{_B32}]{{52}})/(clear|green|[gds]-[{_B32}]{{26}})/([1-9][0-9]{{0,8}})")
_HASH = re.compile(r"[0-9a-f]{64}")
_STIX_TYPE = re.compile(r"[a-z][a-z0-9-]{1,248}[a-z0-9]")
_STIX_UUID = re.compile(r"--[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_STIX_UUID_LENGTH = 38
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


def b32(raw: bytes) -> str:
    """Encode as RFC 4648 base32, lower case, without padding (PROTOCOL 2)."""
    return base64.b32encode(raw).decode("ascii").lower().rstrip("=")


def b64(raw: bytes) -> str:
    """Encode as standard base64 with padding (PROTOCOL 2)."""
    return base64.b64encode(raw).decode("ascii")


def read_b64(text: str) -> bytes:
    """Decode canonical standard base64 with padding.

    Raises:
        WireFormatError: ``E_B64`` when the text is not the one canonical form; a second spelling
            of the same bytes would let two nodes disagree on what they hold (PROTOCOL 2).
    """
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # of which ``binascii.Error`` is one
        raise WireFormatError("E_B64", "not standard base64 with padding") from None
    if b64(raw) != text:
        raise WireFormatError("E_B64", "base64 is not in its canonical form")
    return raw


def is_node_id(text: object) -> bool:
    """Tell whether ``text`` has the form of a node id: 52 base32 characters."""
    return isinstance(text, str) and _NODE_ID.fullmatch(text) is not None


def is_key_id(text: object) -> bool:
    """Tell whether ``text`` has the form of a key id: 26 base32 characters."""
    return isinstance(text, str) and _KEY_ID.fullmatch(text) is not None


def is_hash(text: object) -> bool:
    """Tell whether ``text`` is 64 lower-case hex digits."""
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def is_stix_id(text: object) -> bool:
    """Tell whether ``text`` has the form ``type--uuid`` (STIX 2.1 §2.9)."""
    if not isinstance(text, str):
        return False
    # The end first, whose length is known: one expression would try each hyphen as the border.
    border = len(text) - _STIX_UUID_LENGTH
    return (
        _STIX_UUID.fullmatch(text, border) is not None
        and _STIX_TYPE.fullmatch(text, 0, border) is not None
    )


def stix_type_of(stix_id: str) -> str:
    """Name the type before ``--`` of a STIX id."""
    return stix_id.split("--", 1)[0]


@dataclass(frozen=True, slots=True, order=True)
class FeedName:
    """``node_id "/" audience "/" epoch`` (PROTOCOL 2.4)."""

    node_id: NodeId
    audience: str
    epoch: int = 1

    def __str__(self) -> str:
        return f"{self.node_id}/{self.audience}/{self.epoch}"

    @classmethod
    def read(cls, text: object) -> FeedName:
        """Read a feed's name.

        Raises:
            WireFormatError: ``E_SCHEMA`` when it is not of the form above.
        """
        match = _FEED.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise WireFormatError("E_SCHEMA", "feed is not node_id/audience/epoch")
        return cls(NodeId(match[1]), match[2], int(match[3]))

    @property
    def kind(self) -> str:
        """``clear``, ``green``, ``group``, ``direct`` or ``sealed``."""
        prefixes = {"g-": "group", "d-": "direct", "s-": "sealed"}
        return prefixes.get(self.audience[:2], self.audience)

    @property
    def collection_id(self) -> str:
        """The TAXII collection id at every node that serves this feed (PROTOCOL 2.6)."""
        return str(uuid.uuid5(NAMESPACE, f"feed:{self}"))


def direct_audience(peer: NodeId) -> str:
    """Name the audience of the direct feed to one peer (PROTOCOL 2.4)."""
    return f"d-{peer[:26]}"


def entry_object_id(feed: FeedName, seq: int, entry_hash: EntryHash) -> str:
    """Derive the id of the TAXII object that carries an entry (PROTOCOL 2.6)."""
    return f"x-tocsin-entry--{uuid.uuid5(NAMESPACE, f'{feed}:{seq}:{entry_hash}')}"


def node_namespace(node_id: NodeId) -> uuid.UUID:
    """Derive the UUID namespace in which a node names its own STIX objects (PROTOCOL 2.4)."""
    return _namespace_of(node_id)


@lru_cache(maxsize=1024)
def _namespace_of(node_id: NodeId) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"node:{node_id}")


def own_stix_id(node_id: NodeId, stix_type: str, name: str) -> StixId:
    """Derive a self-certifying STIX id; ``name`` has 12 random characters or more (2.4)."""
    return StixId(f"{stix_type}--{uuid5_text(node_namespace(node_id), f'{stix_type}:{name}')}")


def uuid5_text(namespace: uuid.UUID, name: str) -> str:
    """Write ``uuid.uuid5``: it is asked for each object, and the class takes ten times as long."""
    raw = namespace.bytes + name.encode("utf-8")
    text = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
    # Version 5 in the 13th digit, the variant in the upper bits of the 17th (RFC 9562 §5.5).
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"
