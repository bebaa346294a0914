"""Take in what an origin posts of its own feeds: Add Objects on the fed root (PROTOCOL 2.6 "Push").

For nodes that nobody can reach. The order is the specification's: (1) whose feed is this address;
(2) the whole body: shape and signed envelope of each object; (3) the entries in their order, by the
very checks of a pull, until the first that fails at chain level; (4) the status, complete at once.

Invariants:
* an origin posts its own feeds and no other; all else is the one 404, found by the same statements;
* an entry that came by push is judged, stored and counted like one that was pulled, but nobody
  waits until it is due;
* what is answered 202 is on the disk; who repeats it gets ``dup`` and nothing is stored twice;
* whether its objects wait in quarantine is not told: that is our trust, and none of its business.

Where a group was joined later, ``x_tocsin_anchor`` beside the objects says where our chain begins,
as it does beside a page.

What it does not do: sealed feeds (a later release).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from federation.feeds.entry import open_signed
from federation.feeds.stubs import is_stub, read_stub
from federation.identity.node_document import PinnedNode
from federation.transport.peer_answers import FeedPage
from hub.errors import NotFound, RateLimited
from hub.exchange.receive import Way, receive_page
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.storage.queries.feeds import find_feed_of_collection
from hub.storage.queries.peers import PeerRow, find_peer, update_peer
from hub.storage.queries.pushes import find_push_status, forget_push_statuses, store_push_status
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import FeedName, direct_audience, is_stix_id
from schemas.signed_envelope import ENTRY_TYPE
from schemas.strict_json import MAX_BODY_BYTES
from schemas.taxii.resources import ObjectStatus, read_posted_envelope, write_status
from schemas.timestamps import read_wire_time, write_wire_time

ENTRIES_A_WRITE: Final = 100
STATUS_KEPT: Final = timedelta(hours=24)
MOST_STATUSES: Final = 200
"""Kept of one peer: repeating what is held costs it no quota (THREATS 36)."""
MOST_EPOCHS: Final = 64
PUSHED_KINDS: Final = frozenset({"clear", "green", "direct", "group"})
_NO_ID: Final = "x-tocsin-entry--00000000-0000-4000-8000-000000000000"


@dataclass(slots=True)
class _Taken:
    """What became of the objects so far, in their order."""

    results: list[str] = field(default_factory=list)
    error: TocsinError | None = None

    @property
    def new(self) -> int:
        return sum(result != "dup" for result in self.results)


def accept_push(node: Node, sender: PeerRow, collection_id: str, body: bytes) -> bytes:
    """Take in entries of the sender's own feed; return the status resource (TAXII 2.1 §5.5).

    Raises:
        NotFound: ``E_NOT_FOUND``: no feed of the sender that it may post here.
        WireFormatError, SignatureRejected: the body as a whole; nothing was stored.
        TocsinError: what stopped the first entry that was not held already, when nothing was
            stored; ``RateLimited`` ``E_QUOTA`` with ``retry_after`` among them.
    """
    # 1. The address, before a word of the body counts.
    feed = _feed_of(node, sender, collection_id, body)
    # 2. The whole body.
    envelope = _read_body(body)
    values, anchor = envelope["objects"], envelope.get("x_tocsin_anchor")
    if anchor is not None and not isinstance(anchor, dict):
        raise WireFormatError("E_SCHEMA", "x_tocsin_anchor is no signed envelope")
    with node.database.read() as tx:
        origin = pinned(tx, feed.node_id)
    for value in values:
        _check_envelope(value, feed, origin)
    # 3. The entries, in their order.
    taken = _take(node, sender, feed, values, anchor)
    if taken.error is not None and not taken.new:
        raise _as_refusal(taken.error, node.now())
    # 4. The status.
    return _store_status(node, sender, values, taken)


def read_push_status(node: Node, sender: PeerRow, status_id: str) -> bytes:
    """Return the status of a push of the sender's own (TAXII 2.1 §4.3).

    Raises:
        NotFound: ``E_NOT_FOUND``, unknown or another's.
    """
    with node.database.read() as tx:
        # What is no id is asked for as one that nobody has: PostgreSQL takes no NUL.
        is_id = len(status_id) == len(str(uuid.UUID(int=0))) and status_id.isascii()
        found = find_push_status(
            tx, status_id if is_id and status_id.isprintable() else "", sender.node_id
        )
    if found is None:
        raise NotFound("E_NOT_FOUND", "no such status of this peer")
    return found


def _feed_of(node: Node, sender: PeerRow, collection_id: str, body: bytes) -> FeedName:
    """Find the sender's feed that a collection is, listed or not.

    The names of ``clear``, ``green`` and the feed to us can be derived; a group's is found where
    it is held, or in the entries themselves, which have to lead to this very collection.
    """
    printable = collection_id.isascii() and collection_id.isprintable()
    with node.database.read() as tx:
        held = find_feed_of_collection(tx, collection_id if printable else "")
        epochs = len(pinned(tx, sender.node_id).epoch_starts()) + 1
    names = [] if held is None else [held.name]
    names += [
        FeedName(sender.node_id, audience, epoch)
        for epoch in range(1, min(epochs, MOST_EPOCHS) + 1)
        for audience in ("clear", "green", direct_audience(node.node_id))
    ]
    for name in (*names, *_named_in(body)):
        is_theirs = name.node_id == sender.node_id and name.kind in PUSHED_KINDS
        is_ours_to_get = name.kind != "direct" or name.audience == direct_audience(node.node_id)
        if name.collection_id == collection_id and is_theirs and is_ours_to_get:
            return name
    raise NotFound("E_NOT_FOUND", "the sender may post no feed to this collection")


def _named_in(body: bytes) -> list[FeedName]:
    """Read which feed the first object of a body says it is of; nothing where it says none."""
    try:
        first = read_posted_envelope(body, max_bytes=MAX_BODY_BYTES)["objects"][0]
        return [FeedName.read(first.get("feed") if isinstance(first, dict) else None)]
    except WireFormatError:
        return []


def _read_body(body: bytes) -> dict[str, Any]:
    """Read what a peer posted; to it a body that is none has the wire's own code (PROTOCOL 2.9)."""
    try:
        return read_posted_envelope(body, max_bytes=MAX_BODY_BYTES)
    except WireFormatError as error:
        if error.code != "E_ENVELOPE":
            raise
        raise WireFormatError("E_SCHEMA", error.detail, error.remedy) from None


def _check_envelope(value: object, feed: FeedName, origin: PinnedNode) -> None:
    """Check the shape of one object and its signed envelope; plain STIX has none (THREATS 3)."""
    if not isinstance(value, dict):
        raise WireFormatError("E_SCHEMA", "objects are JSON objects")
    if is_stub(value):
        read_stub(value, feed)
        return
    open_signed(value.get("dsse"), ENTRY_TYPE, origin)


def _take(
    node: Node,
    sender: PeerRow,
    feed: FeedName,
    values: Sequence[dict[str, Any]],
    anchor: dict[str, Any] | None,
) -> _Taken:
    taken = _Taken()
    for start in range(0, len(values), ENTRIES_A_WRITE):
        part = list(values[start : start + ENTRIES_A_WRITE])
        # More may always follow a push: what is held back until then is told at once.
        page = FeedPage(True, None, part, {}, None, anchor)
        received = receive_page(node, feed=feed, sender=sender, page=page, way=Way.PUSHED)
        taken.results += received.results
        if received.error is not None:
            taken.error = received.error
            return taken
        # What waits behind a stub for the entry that gives it its right is here and safe.
        taken.results += ["stored"] * (start + len(part) - len(taken.results))
    return taken


def _as_refusal(error: TocsinError, now: datetime) -> TocsinError:
    if error.code != "E_QUOTA":
        return error
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    seconds = max(1, int((tomorrow - now).total_seconds()))
    return RateLimited("E_QUOTA", error.detail, "Post it again tomorrow.", retry_after=seconds)


def _store_status(
    node: Node, sender: PeerRow, values: Sequence[Mapping[str, object]], taken: _Taken
) -> bytes:
    now = node.now()
    done = len(taken.results)
    code = "" if taken.error is None else taken.error.code
    successes = [
        _status_of(value, result, now)
        for value, result in zip(values[:done], taken.results, strict=True)
    ]
    failures = [_status_of(value, code, now) for value in values[done:]]
    status_id = str(uuid.UUID(bytes=node.entropy(16), version=4))
    body = write_status(status_id, now, successes, failures)
    with node.database.write() as tx:
        forget_push_statuses(tx, sender.node_id, now, STATUS_KEPT, MOST_STATUSES - 1)
        store_push_status(tx, status_id, sender.node_id, body, now)
        if find_peer(tx, sender.node_id) is not None:
            # Who pushes is there, whether it can be reached or not.
            update_peer(tx, sender.node_id, pushed_at=now)
    return body


def _status_of(value: Mapping[str, object], message: str, now: datetime) -> ObjectStatus:
    object_id, created = value.get("id"), value.get("created")
    try:
        version = write_wire_time(read_wire_time(created))
    except WireFormatError:
        version = write_wire_time(now)
    named = object_id if isinstance(object_id, str) and is_stix_id(object_id) else _NO_ID
    return ObjectStatus(named, version, message)
