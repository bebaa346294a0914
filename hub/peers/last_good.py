"""Name positions in own chains: up to where entries are this node's own (PROTOCOL 2.3).

A place is said as ``FEED/SEQ``, where FEED is the feed's full name, its audience and epoch, or its
audience alone for the newest epoch: ``green/812``, ``green/1/812``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from federation.identity.document_form import Position
from hub.errors import Conflict, NotFound
from hub.storage.queries.feeds import (
    FeedRow,
    create_feed,
    entry_hashes,
    find_feed,
    list_feeds,
)
from hub.storage.queries.own_signing import list_feed_checks
from hub.storage.queries.void_entries import entries_of
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, FeedName, KeyId, NodeId
from schemas.strict_json import strict_loads

_LONGEST_SEQ = 15


def choose_last_good(
    tx: Transaction, node_id: NodeId, kid: KeyId, said: Sequence[str]
) -> dict[FeedRow, Position]:
    """Choose up to where the own feeds that a key has signed in are this node's own.

    Args:
        said: places where the default, the last entry held, is not meant; 0 for a feed of which
            nothing is this node's own.

    Raises:
        NotFound: ``E_FEED_UNKNOWN``.
        Conflict: ``E_POSITION``.
    """
    own = [feed for feed in list_feeds(tx, own=True) if feed.last_seq > 0]
    found = {
        feed: Position(feed.last_seq, feed.last_hash) for feed in own if _has_signed(tx, feed, kid)
    }
    for text in said:
        *name, number = text.removeprefix(f"{node_id}/").split("/")
        feed = _find(own, name, text)
        hashes = _hashes_at(tx, feed, number)
        if feed in found and number == "0":
            del found[feed]
            continue
        if feed not in found or not hashes:
            raise Conflict(
                "E_POSITION",
                f"{text} is no place in an own feed that this key has signed in",
                "Write it as FEED/SEQ, such as green/812; `tocsin feed list` names the feeds.",
            )
        found[feed] = Position(int(number), hashes[int(number)])
    return found


def choose_ends(
    tx: Transaction, node_id: NodeId, said: Sequence[str] | None
) -> dict[FeedRow, Position]:
    """Choose where own open feeds end that go on in a new epoch.

    A feed of which this node holds nothing any more, after a restore, ends where a peer has told
    that it does: with a head that this node signed.

    Args:
        said: the feeds; None for all.

    Raises:
        NotFound: ``E_FEED_UNKNOWN``.
    """
    ends: dict[FeedRow, Position] = {}
    for check in list_feed_checks(tx):
        feed = FeedName.read(check.feed)
        held = find_feed(tx, feed) or create_feed(tx, feed, own=True)
        if held.last_seq == 0:
            ends[held] = Position(check.seq, check.hash)
    for held in list_feeds(tx, own=True):
        if held.last_seq > 0 and held.state == "open":
            ends[held] = Position(held.last_seq, held.last_hash)
    if said is None:
        return ends
    names = (text.removeprefix(f"{node_id}/") for text in said)
    chosen = [_find(list(ends), name.split("/"), name) for name in names]
    return {feed: ends[feed] for feed in chosen}


def _find(own: Sequence[FeedRow], name: Sequence[str], text: str) -> FeedRow:
    matching = [
        feed
        for feed in own
        if [feed.audience] == list(name[:1])
        and (len(name) == 1 or [str(feed.epoch)] == list(name[1:]))
    ]
    if not matching:
        raise NotFound(
            "E_FEED_UNKNOWN", f"{text} names no own feed with entries", "Run `tocsin feed list`."
        )
    return max(matching, key=lambda feed: feed.epoch)


def _hashes_at(tx: Transaction, feed: FeedRow, number: str) -> dict[int, EntryHash]:
    # What is longer is no seq, and more than Python reads as a number.
    is_seq = number.isascii() and number.isdecimal() and len(number) <= _LONGEST_SEQ
    return entry_hashes(tx, feed.feed_row, [int(number)]) if is_seq else {}


def _has_signed(tx: Transaction, feed: FeedRow, kid: KeyId) -> bool:
    # A head counts too: of a feed whose entries were erased it is all that is left to see.
    if feed.head is not None and _is_signed(strict_loads(feed.head), kid):
        return True
    entries = entries_of(tx, feed.feed_row)
    return any(
        _is_signed(strict_loads(entry.record).get("dsse"), kid) for entry in entries if entry.record
    )


def _is_signed(envelope: Mapping[str, Any] | None, kid: KeyId) -> bool:
    signatures = [] if envelope is None else envelope["signatures"]
    return any(signature["keyid"] == kid for signature in signatures)
