"""Places in own chains, as many as a node document has room for (PROTOCOL 2.3).

A document has 64 KiB, which is some six hundred places. A revocation must never fail for that, and
a key may have signed in more feeds.

Invariants:
* to leave a place out voids what the key signed in that feed, a thief's entries and our own; it
  makes nothing of a thief's good;
* the feeds that are written to keep theirs before those that are closed or have ended, and these
  by how late they were written to;
* where epochs begin is said in as many documents as it takes, since the places of all count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from federation.identity.document_form import Position, RevokedKey
from federation.identity.node_document import PinnedNode
from federation.identity.rotation import NextDocument, positions_that_fit
from federation.signing.signer import Signer
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.peers.own_document import Moment, moment_of, sign_next
from hub.storage.queries.feeds import FeedRow, list_feeds
from hub.storage.transaction import Transaction
from schemas.identifiers import ZERO_HASH
from schemas.strict_json import MAX_INTEGER

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def with_last_good(
    moment: Moment, change: NextDocument, positions: Mapping[FeedRow, Position]
) -> tuple[NextDocument, list[FeedRow]]:
    """Give the key that a change revokes its positions, as far as they fit.

    Args:
        change: revokes the key as the first of ``revoked``, without positions yet.

    Returns:
        The change with them, and the feeds whose positions were left out.
    """
    order = sorted(
        positions, key=lambda feed: (feed.state == "open", feed.last_ts or _NEVER), reverse=True
    )
    places = [positions[feed] for feed in order]
    count = positions_that_fit(moment.own.newest, change, moment.issued, places)
    kept = {feed.feed_row for feed in order[:count]}
    last_good = (place for feed, place in positions.items() if feed.feed_row in kept)
    key, *others = change.revoked
    key = replace(key, last_good=tuple(dict.fromkeys(last_good)))
    return replace(change, revoked=(key, *others)), order[count:]


def has_room_for_revocation(tx: Transaction, node: Node, now: datetime) -> bool:
    """Tell whether a document could hold a place of every feed that the entry key has signed in.

    With a quarter to spare, so that it is told in time.
    """
    own = pinned(tx, node.node_id).newest
    kid = node.keys.entry.kid
    since = next((record.nbf for record in own.keys if record.kid == kid), own.issued)
    signed = [f for f in list_feeds(tx, own=True) if f.last_ts is not None and f.last_ts >= since]
    places = [Position(MAX_INTEGER, ZERO_HASH)] * (len(signed) * 5 // 4)
    change = NextDocument(revoked=(RevokedKey(kid, "", ()),))
    return positions_that_fit(own, change, now, places) == len(places)


def sign_epochs(
    tx: Transaction, node: Node, places: Sequence[Position], root: Sequence[Signer], *, actor: str
) -> PinnedNode:
    """Name where epochs begin, in one document or in as many as it takes."""
    rest = list(dict.fromkeys(places))
    while True:
        moment = moment_of(tx, node)
        # One at the least: a document without room for it is refused by ``sign_next``.
        fit = max(1, positions_that_fit(moment.own.newest, NextDocument(), moment.issued, rest))
        change = NextDocument(epochs=tuple(rest[:fit]))
        own = sign_next(tx, node, moment, change, root, actor=actor)
        rest = rest[fit:]
        if not rest:
            return own
