"""Post the blobs that own entries name, to a peer that nobody can fetch them for (PROTOCOL 2.6).

Invariants:
* a peer gets the blobs of entries that it was pushed and may read, and no others; who may read is
  asked anew for each blob, and for each piece of it;
* a piece has 1 MiB at most, less where this node's line is thin, and goes where the peer says that
  its bytes end; blobs wait for all else on the line;
* what a peer has is remembered, and so is that it took nothing: it is asked again a day later,
  when it may have been updated.

A peer that can reach this node comes itself; this is for those of which the operator said that it
cannot (``peer set --push``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from federation.delivery.page_size import TARGET_SECONDS
from federation.delivery.plan import Turn
from federation.errors import PeerState, PeerUnreachable
from federation.transport.peer_client import HttpPeer
from hub.exchange.serve_feeds import own_feeds_for
from hub.node import Node
from hub.peers.audiences import naming_of
from hub.storage.queries.blobs import blob_range, find_blob, note_posted, posted_to
from hub.storage.queries.named_blobs import blobs_named_in
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.queries.pushes import pushed_to
from hub.storage.transaction import Transaction

ROOM: Final = 1024 * 1024
SMALLEST: Final = 16 * 1024
ASKED_AGAIN: Final = timedelta(days=1)
MOST_STEPS_BACK: Final = 3
"""How often a peer may send us to another place in one blob: a liar could play for ever."""
_NOT_WANTED: Final = frozenset({"E_NOT_FOUND", "E_BLOB_DIGEST", "E_BLOB_STORE", "E_TOO_BIG"})


def blobs_owed(tx: Transaction, node: Node, peer: PeerRow) -> tuple[str, ...]:
    """List the blobs of entries that a peer was pushed, and that it was not given yet."""
    given = posted_to(tx, peer.node_id, node.now() - ASKED_AGAIN)
    pushed, naming = pushed_to(tx, peer.node_id), naming_of(tx, peer.node_id)
    owed: dict[str, None] = {}
    for feed in own_feeds_for(tx, peer):
        told = pushed.get(feed.feed_row)
        if told is not None:
            begin = naming.begins_after(feed.name)
            owed |= dict.fromkeys(blobs_named_in(tx, feed.feed_row, begin, told.seq))
    return tuple(sha256 for sha256 in owed if sha256 not in given)


def push_blobs(node: Node, peer: PeerRow, transport: HttpPeer, is_late: Callable[[], bool]) -> bool:
    """Post what a peer is owed; False when the time was up before.

    Raises:
        PeerUnreachable: the wire failed, or it has enough for today.
        PeerState: it refuses us as a whole.
    """
    with node.database.read() as tx:
        owed = blobs_owed(tx, node, peer)
    for sha256 in owed:
        try:
            if not _Posting(node, peer, transport, sha256, is_late).run():
                return False
        except PeerState as refused:
            if refused.code not in _NOT_WANTED:
                raise
            _note(node, peer, sha256, refused.code)
    return True


class _Posting:
    """One blob on its way to one peer."""

    def __init__(
        self,
        node: Node,
        peer: PeerRow,
        transport: HttpPeer,
        sha256: str,
        is_late: Callable[[], bool],
    ) -> None:
        self.node = node
        self.peer = peer
        self.transport = transport
        self.sha256 = sha256
        self.is_late = is_late
        rate = node.line.outbound.rate
        self.room = ROOM if rate is None else max(SMALLEST, min(ROOM, int(rate * TARGET_SECONDS)))
        self.steps_back = 0

    def run(self) -> bool:
        """Post piece by piece; False when the time is up."""
        at = 0
        while not self.is_late():
            with self.node.database.read() as tx:
                blob, reader = find_blob(tx, self.sha256), find_peer(tx, self.peer.node_id)
                if blob is None or reader is None or not self._is_owed(tx, reader):
                    return True
                data = blob_range(tx, self.sha256, at, self.room)
            place = self._post(at, blob.held, data)
            if place >= blob.held:
                _note(self.node, self.peer, self.sha256, None)
                return True
            self.steps_back += place <= at
            if self.steps_back > MOST_STEPS_BACK:
                raise PeerState("E_BLOB_DIGEST", f"{self.peer.name} keeps nothing of the blob")
            at = place
        return False

    def _is_owed(self, tx: Transaction, reader: PeerRow) -> bool:
        return self.sha256 in blobs_owed(tx, self.node, reader)

    def _post(self, at: int, size: int, data: bytes) -> int:
        """Post one piece; return from where to go on."""
        self.node.line.outbound.wait(Turn.BLOB, self.is_late)
        try:
            # 202 says how much of it is there now; a peer that has it all says so at once.
            return self.transport.post_blob(self.sha256, at, size, data)
        except PeerState as refused:
            expected = refused.params.get("expected")
            is_place = isinstance(expected, int) and 0 <= expected < size
            if refused.code != "E_GAP" or not is_place:
                raise
            return int(str(expected))
        except PeerUnreachable as failure:
            if failure.code != "E_HTTP_TIMEOUT" or self.room == SMALLEST:
                raise
            self.room = max(SMALLEST, self.room // 4)  # the line is thinner than that
            return at
        finally:
            self.node.line.outbound.spend(len(data))


def _note(node: Node, peer: PeerRow, sha256: str, code: str | None) -> None:
    with node.database.write(durable=False) as tx:
        note_posted(tx, peer.node_id, sha256, node.now(), code)
