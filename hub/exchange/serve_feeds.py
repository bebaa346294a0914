"""Serve feeds to a peer: what it may know of, the pages, the heads (PROTOCOL 2.6).

Invariants:
* a peer reads a feed whole or not at all; what it may not read does not exist: one answer, found
  by the same statements, whether the feed is unknown or not for it (THREATS 46);
* a page is one snapshot and a join of stored bytes, never a parse and a dump;
* a foreign feed carries our signature over how far we serve it (relay head), so that serving
  what must not be relayed would be our own signed confession;
* what a blocked or suspended origin wrote is not relayed, nor what its origin took back;
* who is in no group of ours learns of none: not by a page, a listing, a head or a wake-up.

Decides nothing by itself: ``sharing.decide_feed_read`` and ``redistribution.decide_relay`` do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from federation.feeds.heads import relay_head_payload
from federation.policy.decision import Decision
from federation.policy.redistribution import decide_relay
from federation.policy.sharing import decide_feed_read
from federation.signing.signer import seal
from hub.errors import NotFound
from hub.exchange.own_feeds import write_anchor
from hub.exchange.served_turns import page_room, require_turn
from hub.node import Node
from hub.peers.admit import is_reading
from hub.peers.audiences import Naming, naming_of
from hub.peers.node_documents import find_document
from hub.peers.standing import standing_of
from hub.storage.queries.feeds import (
    FeedRow,
    find_feed_of_collection,
    list_feeds,
    records_after,
)
from hub.storage.queries.peers import PeerRow, find_peer, list_peers
from hub.storage.queries.urgency import list_urgencies, urgencies_of
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, NodeId
from schemas.markings import Tlp
from schemas.signed_envelope import RELAY_HEAD_TYPE
from schemas.strict_json import MAX_BODY_BYTES, MAX_INTEGER
from schemas.taxii.media_types import TAXII

MAX_PAGE = 100
MANY_LISTED = 500
"""Feeds whose heads fit into one answer for certain, each at its largest."""
MOST_LISTED = 8_000
"""Feeds in one listing: more have no room in an answer of 4 MiB, and readers refuse a larger one.
A peer finds the other feeds of its senders unlisted (PROTOCOL 2.6)."""
_BATCH = 16
"""Records read at a time, so that a page of large entries loads few that it has no room for."""
_ROOM_FOR_HEADS = 16_384
_CURSOR = re.compile(r"seq:(0|[1-9][0-9]{0,15})")
_COLLECTION = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_COLLECTION = "00000000-0000-0000-0000-000000000000"
_LIMIT = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a feed is asked for."""

    after_seq: int
    limit: int


def read_page_request(parameters: Iterable[tuple[str, str]]) -> PageRequest:
    """Read ``next`` and ``limit``; no other parameter, since a filtered page has gaps.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    given = list(parameters)
    values = dict(given)
    if len(values) != len(given) or not values.keys() <= {"next", "limit"}:
        raise WireFormatError("E_SCHEMA", "a feed takes next and limit, once each, and no other")
    cursor = _CURSOR.fullmatch(values.get("next", "seq:0"))
    limit = _LIMIT.fullmatch(values.get("limit", str(MAX_PAGE)))
    if cursor is None or limit is None or int(cursor[1]) > MAX_INTEGER:
        raise WireFormatError("E_SCHEMA", "next is seq:<n> in decimal, limit a number from 1")
    return PageRequest(int(cursor[1]), min(int(limit[0]), MAX_PAGE))


def fed_api_root() -> dict[str, object]:
    """Build the API root resource of the fed root (TAXII 2.1 §4.2)."""
    return {
        "title": "Feeds for peers",
        "versions": [TAXII],
        "max_content_length": MAX_BODY_BYTES,
    }


def list_collections_for(node: Node, peer: PeerRow) -> dict[str, object]:
    """List the feeds that a peer may know of, as TAXII collections (TAXII 2.1 §5.1)."""
    with node.database.read() as tx:
        feeds = _listed_feeds(tx, peer)
        urgencies = list_urgencies(tx)
        naming = naming_of(tx, peer.node_id)
    collections = [
        _collection(feed, peer, urgencies.get(feed.feed_row), naming)
        for feed in feeds[:MOST_LISTED]
    ]
    return {"collections": collections} if collections else {}


def find_collection_for(node: Node, peer: PeerRow, collection_id: str) -> dict[str, object]:
    """Describe one feed as a TAXII collection (TAXII 2.1 §5.2).

    Raises:
        NotFound: ``E_NOT_FOUND``, unknown or not for this peer.
    """
    with node.database.read() as tx:
        feed = _readable_feed(tx, peer, collection_id)
        naming = naming_of(tx, peer.node_id)
        return _collection(feed, peer, urgencies_of(tx, feed.feed_row), naming)


def read_feed_page(node: Node, peer: PeerRow, collection_id: str, request: PageRequest) -> bytes:
    """Write one page of a feed as the bytes of a TAXII envelope.

    Raises:
        NotFound: ``E_NOT_FOUND``, unknown or not for this peer; ``E_ERASED`` when the next entry
            was erased at this node alone.
    """
    now = node.now()
    with node.database.read() as tx:
        feed = _readable_feed(tx, peer, collection_id)
        require_turn(tx, node, feed, request.after_seq)
        heads = _page_heads(node, feed, peer, now)
        begin = naming_of(tx, peer.node_id).begins_after(feed.name) if feed.own else 0
        if request.after_seq < begin:
            # Who joined later reads from there on; the entry before, as a hash, pins the place.
            heads.append(b'"x_tocsin_anchor":' + write_anchor(tx, node, feed, begin, now))
            request = replace(request, after_seq=begin)
        records, last = records_that_fit(tx, feed, request, page_room(node) - _ROOM_FOR_HEADS)
    members = [b'"more":true,"next":"seq:%d"' % last if last < feed.last_seq else b'"more":false']
    if records:
        members.append(b'"objects":[' + b",".join(records) + b"]")
    return b"{" + b",".join([*members, *heads]) + b"}"


def heads_for(node: Node, peer: PeerRow, feed: str | None) -> bytes:
    """Write the newest heads held of what a peer may know of, or of one feed it may read.

    Raises:
        WireFormatError: ``E_SCHEMA`` when ``feed`` is no feed's name.
        NotFound: ``E_NOT_FOUND``, unknown or not for this peer.
    """
    wanted = None if feed is None else FeedName.read(feed)
    with node.database.read() as tx:
        if wanted is None:
            feeds = _listed_feeds(tx, peer)
        else:
            feeds = [_readable_feed(tx, peer, wanted.collection_id)]
    return b'{"heads":[' + b",".join(_that_fit(row.head for row in feeds if row.head)) + b"]}"


def _that_fit(heads: Iterable[bytes]) -> Iterator[bytes]:
    """Leave out what an answer has no room for: a head only saves its reader a page."""
    room = MAX_BODY_BYTES - _ROOM_FOR_HEADS
    for head in heads:
        if len(head) < room:
            room -= len(head) + 1
            yield head


def own_heads_for(tx: Transaction, peer: PeerRow) -> list[bytes]:
    """List the heads of this node's own feeds that a peer may read, for a wake-up."""
    return [feed.head for feed in own_feeds_for(tx, peer) if feed.head is not None]


def own_feeds_for(tx: Transaction, peer: PeerRow) -> list[FeedRow]:
    """List this node's own feeds that a peer may read, of which there is something to serve."""
    naming = naming_of(tx, peer.node_id)
    return [
        feed
        for feed in list_feeds(tx, own=True)
        if _is_servable(feed) and _decide(feed, peer, None, naming).allowed
    ]


def find_document_of_other(
    node: Node, peer: PeerRow, node_id: NodeId, version: int | None
) -> bytes:
    """Find a document of another node for a peer that may read a feed of it here.

    Raises:
        NotFound: ``E_NOT_FOUND``, unknown or not for this peer.
    """
    with node.database.read() as tx:
        readable = {feed.node_id for feed in _listed_feeds(tx, peer)}
        # Its own and ours are no secret before it: the one it wrote, the other is public.
        if node_id not in readable | {node.node_id, peer.node_id}:
            raise NotFound("E_NOT_FOUND", "no feed of that node is shared with this peer")
        return find_document(tx, node_id, version)


def feeds_shown_to(tx: Transaction, peer: PeerRow) -> list[FeedRow]:
    """List the feeds that a peer is shown: those that it may read and that can be served."""
    return _listed_feeds(tx, peer)


def may_read(tx: Transaction, feed: FeedRow, peer: PeerRow) -> bool:
    """Tell whether a peer may read a feed here, whether or not there is anything to serve."""
    return _decide(feed, peer, find_peer(tx, feed.node_id), naming_of(tx, peer.node_id)).allowed


def may_read_as(feed: FeedRow, peer: PeerRow, origin: PeerRow | None, naming: Naming) -> bool:
    """Tell whether a peer may read a feed that can be served, from rows that were read before."""
    return _is_servable(feed) and _decide(feed, peer, origin, naming).allowed


def _listed_feeds(tx: Transaction, peer: PeerRow) -> list[FeedRow]:
    origins = {row.node_id: row for row in list_peers(tx)}
    naming = naming_of(tx, peer.node_id)
    feeds = [
        feed
        for feed in list_feeds(tx)
        if _is_servable(feed) and _decide(feed, peer, origins.get(feed.node_id), naming).allowed
    ]
    if len(feeds) <= MANY_LISTED:
        return feeds
    # Own ones first, then those of peers: what strangers make up must not crowd them out.
    return sorted(feeds, key=lambda feed: (not feed.own, feed.node_id not in origins))


def find_readable(tx: Transaction, peer: PeerRow, feed: FeedName) -> FeedRow | None:
    """Find a feed that a peer may read here; None whether it is unknown or not for this peer."""
    try:
        return _readable_feed(tx, peer, feed.collection_id)
    except NotFound:
        return None


def _readable_feed(tx: Transaction, peer: PeerRow, collection_id: str) -> FeedRow:
    """Find a feed that a peer may read; an unknown one costs the same statements as a refused."""
    # What is no id is asked for as one that nobody has: PostgreSQL takes no NUL, and a refusal has
    # to cost the same statements.
    if _COLLECTION.fullmatch(collection_id) is None:
        collection_id = _NO_COLLECTION
    feed = find_feed_of_collection(tx, collection_id)
    origin = find_peer(tx, collection_id if feed is None else feed.node_id)
    naming = naming_of(tx, peer.node_id)  # asked for whatever feed, known or not
    if feed is None or not _is_servable(feed) or not _decide(feed, peer, origin, naming).allowed:
        raise NotFound("E_NOT_FOUND", "no feed of this collection is shared with this peer")
    return feed


def _is_servable(feed: FeedRow) -> bool:
    """Tell whether there is something whole to serve: an entry and a head to check the end by."""
    return feed.last_seq > 0 and feed.head is not None


def _decide(feed: FeedRow, peer: PeerRow, origin: PeerRow | None, naming: Naming) -> Decision:
    name, standing = feed.name, standing_of(peer)
    if feed.own:
        return decide_feed_read(
            name,
            highest=Tlp(feed.highest_tlp),
            peer=standing,
            named=naming.names(name),
        )
    # An origin that is no peer counts as known, and its feeds are relayed as it signed.
    passed_on = origin is None or (origin.relay_on and is_reading(origin))
    return decide_relay(
        name,
        relay=feed.relay or "none",
        peer=standing,
        # What release 0.1 stopped relaying waits for its stubs (``relaying_again``).
        relay_on=passed_on and not feed.relay_stopped,
    )


def _collection(
    feed: FeedRow, peer: PeerRow, urgencies: Mapping[str, int] | None, naming: Naming
) -> dict[str, object]:
    # The last seq of each urgency, so that who holds less asks for this feed first. A hint that
    # says nothing to anybody but the feed's readers, to whom every entry says it too: so nothing
    # of what came before a reader's part.
    begin = naming.begins_after(feed.name) if feed.own else 0
    seen = {word: seq for word, seq in (urgencies or {}).items() if seq > begin}
    hint = {"x_tocsin_urgency": seen} if seen else {}
    return hint | {
        "id": feed.collection_id,
        "title": str(feed.name),
        "can_read": True,
        # An origin may push entries of its own (PROTOCOL 2.6), here and where none is listed yet.
        "can_write": feed.node_id == peer.node_id,
        "media_types": [TAXII],
        "x_tocsin_feed": feed.feed,
    }


def _page_heads(node: Node, feed: FeedRow, peer: PeerRow, now: datetime) -> list[bytes]:
    assert feed.head is not None  # noqa: S101 - narrowed for mypy; a feed without one is not served
    heads = [b'"x_tocsin_head":' + feed.head]
    # Giving an origin its own entries is not relaying, so there is nothing to confess.
    if not feed.own and feed.node_id != peer.node_id:
        payload = relay_head_payload(node.node_id, feed.name, feed.last_seq, feed.last_hash, now)
        statement = seal(node.keys.entry, RELAY_HEAD_TYPE, payload)
        heads.append(b'"x_tocsin_relay_head":' + statement.to_bytes())
    return heads


def records_that_fit(
    tx: Transaction, feed: FeedRow, request: PageRequest, room: int
) -> tuple[list[bytes], int]:
    """Read the records that fit, and the seq of the last one."""
    records: list[bytes] = []
    last = request.after_seq
    while len(records) < request.limit:
        batch = records_after(tx, feed.feed_row, last, min(_BATCH, request.limit - len(records)))
        for seq, _hash, record in batch:
            if not record:
                if records:
                    return records, last
                # No later entry of the feed takes it back, so no stub may stand here; of a foreign
                # feed others may have it. It is no secret to who may read the feed.
                raise NotFound("E_ERASED", "an entry of this feed was erased here")
            room -= len(record) + 1
            if room < 0 and records:
                return records, last
            records.append(record)
            last = seq
        if len(batch) < _BATCH:
            break
    return records, last
