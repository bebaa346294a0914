"""Which entry an operator means: by its hash, or by its feed and its place."""

from __future__ import annotations

from dataclasses import dataclass

from hub.errors import NotFound
from hub.node import Node
from hub.peers.feed_names import resolve_feed
from hub.storage.queries.feeds import (
    EntryRow,
    FeedRow,
    feed_of_row,
    find_entry,
    find_entry_of_hash,
    find_feed,
)
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, FeedName, is_hash
from schemas.strict_json import MAX_INTEGER


@dataclass(frozen=True, slots=True)
class EntryReference:
    """An entry's hash, or its feed and seq."""

    text: str
    hash: EntryHash | None = None
    feed: FeedName | None = None
    seq: int = 0


def read_entry_reference(node: Node, text: str) -> EntryReference:
    """Read a hash or ``FEED/SEQ``, with FEED as everywhere: ``green``, ``PEER/green`` and so on.

    Raises:
        NotFound: ``E_ENTRY_UNKNOWN``, ``E_FEED_UNKNOWN``, ``E_PEER_UNKNOWN``.
        Conflict: ``E_PEER_AMBIGUOUS``.
    """
    said = text.strip()
    if is_hash(said.lower()):
        return EntryReference(text, hash=EntryHash(said.lower()))
    name, _, number = said.rpartition("/")
    if not name or not number.isdecimal() or int(number[:17]) > MAX_INTEGER:
        raise _unknown(text)
    return EntryReference(text, feed=resolve_feed(node, name), seq=int(number[:17]))


def find_referenced(tx: Transaction, meant: EntryReference) -> tuple[FeedRow, EntryRow]:
    """Find the entry that is meant.

    Raises:
        NotFound: ``E_ENTRY_UNKNOWN``.
    """
    if meant.hash is not None:
        entry = find_entry_of_hash(tx, meant.hash)
        feed = None if entry is None else feed_of_row(tx, entry.feed_row)
    else:
        feed = None if meant.feed is None else find_feed(tx, meant.feed)
        entry = None if feed is None else find_entry(tx, feed.feed_row, meant.seq)
    if feed is None or entry is None:
        raise _unknown(meant.text)
    return feed, entry


def _unknown(text: str) -> NotFound:
    return NotFound(
        "E_ENTRY_UNKNOWN",
        f"no entry {text} is held here",
        "`tocsin objects show STIX_ID` lists the entries that carried an object.",
    )
