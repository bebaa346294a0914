"""Whether an origin's wider version overrides its narrower word on an object (PROTOCOL 3.3).

Decides: of a wide and a narrow version the narrow one counts, until a later entry in the wide feed
names, by ``supersedes``, the entry that carried the narrow one or the ``restrict`` that made it so.

Invariants:
* only entries of the same origin count, and only a version later than the narrow one;
* the order of arrival does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.exchange.held_versions import is_mark
from hub.storage.queries import objects as stored
from hub.storage.queries.feeds import EntryRow, find_entry, find_entry_of_hash
from hub.storage.queries.objects import ObjectRow
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, FeedName, read_b64
from schemas.strict_json import strict_loads


def overrides(
    tx: Transaction, superseded: EntryHash | None, wider: ObjectRow, narrower: ObjectRow
) -> bool:
    """Tell whether a wider version, whose entry names another, overrides a narrower one."""
    if superseded is None or not (wider.follows(narrower) or is_mark(narrower)):
        return False
    old = find_entry_of_hash(tx, superseded)
    if old is None:
        return False
    carriages = stored.carriages_of(tx, [narrower.object_row])
    if any((c.feed_row, c.seq) == (old.feed_row, old.seq) for c in carriages):
        return True
    return _restricts(old, wider)


def overtook(tx: Transaction, wider: ObjectRow, narrower: ObjectRow, carrier: EntryHash) -> bool:
    """Tell whether a wider version that came before a narrower one overrides it all the same.

    Args:
        carrier: the entry that brings the narrower one now.
    """
    if not wider.follows(narrower):
        return False
    for carriage in stored.carriages_of(tx, [wider.object_row]):
        named = _payload_of(find_entry(tx, carriage.feed_row, carriage.seq)).get("supersedes")
        if named == carrier:
            return True
        old = find_entry_of_hash(tx, EntryHash(named)) if isinstance(named, str) else None
        if old is not None and _restricts(old, wider):
            return True
    return False


def _restricts(entry: EntryRow, row: ObjectRow) -> bool:
    """Tell whether an entry is its origin's ``restrict`` of this object."""
    if entry.kind != "restrict" or entry.state != "stored":
        return False
    payload = _payload_of(entry)
    ids = payload.get("ids")
    return (
        isinstance(ids, list)
        and row.stix_id in ids
        and FeedName.read(payload.get("feed")).node_id == row.origin
    )


def _payload_of(entry: EntryRow | None) -> Mapping[str, object]:
    """Read the payload of an entry that was verified when it came; a stub has none."""
    dsse = strict_loads(entry.record).get("dsse") if entry is not None and entry.record else None
    payload = strict_loads(read_b64(dsse["payload"])) if dsse else {}
    return payload if isinstance(payload, dict) else {}
