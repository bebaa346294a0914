"""Stubs: what stands in the place of an entry whose bytes its origin took back (PROTOCOL 2.4).

Decides what a stub says.

Invariants:
* nobody signed a stub: its hash counts once the next entry's ``prev`` names it, its right to exist
  once the entry that it points to names its seq;
* a stub can hide an entry but never bring one in, so what comes behind it waits until it has its
  right, as if the entry were missing;
* only ``erase``, and ``restrict`` with ``stop_relay``, give that right
  (``EntryContent.seqs_taken_back``).

What it does not do: place it in the chain (``chain.place_stub``), keep what waits
(``hub.exchange.held_pages``), or choose what is erased.

>>> is_stub({"dsse": None, "stub": 9}), is_stub({"dsse": {}}), is_stub({})
(True, False, False)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from federation.errors import ChainBroken
from federation.feeds.records import hints_of
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName
from schemas.members import read_hash, read_integer, read_text
from schemas.strict_json import write_json
from schemas.timestamps import read_wire_time, write_wire_time

LEAVES_NO_STUB = frozenset({"erase", "restrict"})
"""Kinds that cannot be erased: they are what gives stubs their right."""


@dataclass(frozen=True, slots=True)
class Stub:
    """A place in the chain without its entry, as its sender says it.

    Attributes:
        seq: the place.
        hash: of the entry that was there.
        by: the seq of the later entry that names it.
        created: the ``ts`` of that entry.
    """

    seq: int
    hash: EntryHash
    by: int
    created: str


def is_stub(value: Mapping[str, object]) -> bool:
    """Tell whether a TAXII object of a feed is a stub: its ``dsse`` is there and null."""
    return value.get("dsse", value) is None


def read_stub(value: Mapping[str, object], feed: FeedName) -> Stub:
    """Read a stub whose hints agree with each other.

    Raises:
        WireFormatError: ``E_SCHEMA``.
        ChainBroken: ``E_FEED`` for a wrong hint.
    """
    stub = Stub(
        seq=read_integer(value, "seq", least=1),
        hash=read_hash(value, "hash"),
        by=read_integer(value, "stub", least=1),
        created=read_text(value, "created"),
    )
    if stub.by <= stub.seq:
        raise WireFormatError("E_SCHEMA", "stub is not a later entry", member="stub")
    read_wire_time(stub.created)
    for name, right in hints_of(feed, stub.seq, stub.hash, stub.created).items():
        if value.get(name) != right:
            raise ChainBroken("E_FEED", f"the stub says a wrong {name}", member=name)
    return stub


def stub_record(feed: FeedName, seq: int, entry_hash: EntryHash, *, by: int, ts: datetime) -> bytes:
    """Write the TAXII object of a stub; it is kept and served as these bytes.

    Args:
        by: the seq of the later entry that names it.
        ts: the time of that entry.
    """
    hints = hints_of(feed, seq, entry_hash, write_wire_time(ts))
    return write_json({**hints, "dsse": None, "stub": by})
