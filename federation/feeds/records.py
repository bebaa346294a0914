"""The TAXII object that carries an entry between peers (PROTOCOL 2.6).

Everything outside ``dsse`` is a hint. Invariant: ``read_record`` accepts exactly what
``entry_record`` would write for the entry inside, so that a wrong hint never misleads a reader.

What it does not do: verify the entry (``federation.feeds.entry``) or carry the stubs of erased
entries (``federation.feeds.stubs``).

>>> sorted(hints_of(FeedName(NodeId("a" * 52), "clear"), 1, EntryHash("0" * 64), "t"))[:3]
['created', 'extensions', 'feed']
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from federation.errors import ChainBroken
from federation.feeds.entry import OpenedEntry
from schemas.identifiers import ENTRY_EXTENSION, EntryHash, FeedName, NodeId, entry_object_id
from schemas.signed_envelope import SignedEnvelope
from schemas.strict_json import write_json
from schemas.timestamps import write_wire_time

ENTRY_OBJECT_TYPE = "x-tocsin-entry"

__all__ = ["ENTRY_OBJECT_TYPE", "NodeId", "check_hints", "entry_record", "hints_of"]


def hints_of(feed: FeedName, seq: int, entry_hash: EntryHash, ts: str) -> dict[str, object]:
    """Build the members of the TAXII object beside ``dsse``."""
    return {
        "type": ENTRY_OBJECT_TYPE,
        "spec_version": "2.1",
        "id": entry_object_id(feed, seq, entry_hash),
        "created": ts,
        "modified": ts,
        "extensions": {ENTRY_EXTENSION: {"extension_type": "new-sdo"}},
        "feed": str(feed),
        "seq": seq,
        "hash": entry_hash,
    }


def entry_record(
    feed: FeedName,
    seq: int,
    ts: datetime,
    envelope: SignedEnvelope,
    entry_hash: EntryHash | None = None,
) -> bytes:
    """Write the TAXII object of an entry; it is kept and served as these bytes.

    Args:
        entry_hash: the envelope's, where it was computed before.
    """
    hints = hints_of(feed, seq, entry_hash or envelope.hash, write_wire_time(ts))
    return write_json({**hints, "dsse": envelope.to_json()})


def check_hints(value: Mapping[str, object], entry: OpenedEntry) -> None:
    """Check that the hints around an entry are what they must be.

    Members that the specification does not name are ignored (PROTOCOL 2.1).

    Raises:
        ChainBroken: ``E_FEED``.
    """
    header = entry.header
    expected = hints_of(header.feed, header.seq, entry.hash, write_wire_time(header.ts))
    for name, right in expected.items():
        if value.get(name) != right:
            raise ChainBroken(
                "E_FEED",
                f"the entry's TAXII object says another {name} than the signed entry",
                "Tell the operator of the node that served it.",
                member=name,
            )
