"""How the events of the audit hang together: one hash a link.

Decides what a link is made of. Nothing here reads a database or a clock.

Invariants:
* a link covers its place, the link before it, the instant, the code, the facts and the personal
  details of its event, so that none can be changed, put in, taken out or moved without changing
  every later link;
* personal details (who did it, and what people wrote) go in through a salted hash alone: with the
  salt and the words gone, the link stands as before and says nothing of them.

What it does not do: keep somebody who owns the database and the whole chain from writing a new
chain from some point on. Heads that were written elsewhere show that (``hub.audit.heads``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from hub.storage.dialects import to_micros

FIRST: Final = bytes(32)
"""What the first link takes for the one before it."""
SALT_SIZE: Final = 16

PERSONAL: Final = frozenset({"by", "contact", "name", "note", "reason", "remark"})
"""Params in which people are named or write freely; all others are facts."""

_DOMAIN: Final = b"tocsin-audit-v1\x00"


@dataclass(frozen=True, slots=True)
class Digests:
    """The hashes of what an event says: its facts, and its personal details."""

    facts: bytes
    personal: bytes


def digest_event(actor: str, params: Mapping[str, Any], salt: bytes) -> Digests:
    """Hash what an event says.

    Args:
        actor: who did it.
        params: values that JSON has.
        salt: random bytes; with them gone the personal part cannot be guessed either.
    """
    words = [actor, {name: params[name] for name in PERSONAL & params.keys()}]
    return Digests(digest_facts(params), hashlib.sha256(salt + _written(words)).digest())


def digest_facts(params: Mapping[str, Any]) -> bytes:
    """Hash the facts of an event."""
    return hashlib.sha256(_written({n: v for n, v in params.items() if n not in PERSONAL})).digest()


def link_of(seq: int, previous: bytes, at: datetime, code: str, digests: Digests) -> bytes:
    """Return the hash of a link.

    Args:
        seq: its place, from 1 on.
        previous: the link before it; ``FIRST`` for the first.
    """
    said = code.encode()
    parts = (
        _DOMAIN, previous, seq.to_bytes(8, "big"), to_micros(at).to_bytes(8, "big", signed=True),
        len(said).to_bytes(2, "big"), said, digests.facts, digests.personal,
    )  # fmt: skip
    return hashlib.sha256(b"".join(parts)).digest()


def _written(value: object) -> bytes:
    # Sorted, since a database may give members back in another order. It is compared with itself
    # alone and never leaves the node, so it need not be canonical JSON.
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
