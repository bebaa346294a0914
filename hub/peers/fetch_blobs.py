"""Fetch the list of a domain set by its digest, from whoever has it (PROTOCOL 2.6, DNS 1).

The order: (1) where the list before it is held, the two small lists of the delta, from which the
whole is built; (2) else, or where what was built is not it, the whole. Each is asked of the origin
first, then of the peers that handed over or know of the entries that name it; those that lately
could not be reached come last.

Invariants:
* addresses are a peer's pinned base and the digest: the ``url`` of a set is never read
  (THREATS 34);
* every byte that came is on the disk before the next is asked for, so a cut or a restart of this
  node costs what was on the wire; a stretch that takes too long is asked for in smaller ones;
* nothing is a list before its digest was compared; who gave other bytes is charged, is not asked
  for it again for a day, and the next one is asked at once;
* a list that is here for one origin's sets is fetched for another's like one that is not, compared
  and let go: nobody is told by what this node asks for that it has it, and naming a digest gives
  nobody a list. So a delta is used with bases that its own origin gave alone (THREATS 46);
* a blob waits for every other use of a thin line, and no peer can hold it up: one that gives by
  drops is left for the next.

What it does not do: choose what is wanted (``wanted_blobs``), or wait for the next attempt (the
queue does).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from federation.delivery.page_size import TARGET_SECONDS
from federation.delivery.plan import Turn
from federation.errors import PeerState, PeerUnreachable, SignatureRejected
from federation.transport.blob_answers import BlobStream
from federation.transport.guarded_http import GuardedHttp
from federation.transport.peer_client import HttpPeer
from hub.errors import RateLimited
from hub.node import Node
from hub.peers.blob_givers import givers_for, is_settled, place_for
from hub.peers.built_lists import build_list, forget_pieces
from hub.peers.incoming_blobs import (
    MIXED,
    End,
    end_blob,
    is_wrong,
    reject_blob,
    require_room,
    room_for,
    wrong_bytes,
)
from hub.peers.outbound import http_or_own, note_answers, reach
from hub.peers.paced import LONGEST_WAIT, MOST_WAITS, TOO_MANY
from hub.storage.queries.blob_gifts import note_asked
from hub.storage.queries.blobs import (
    HELD,
    PART,
    REFUSED,
    BlobRow,
    add_bytes,
    find_blob,
    restart_blob,
    update_blob,
    want_blob,
)
from hub.storage.queries.named_blobs import NamingSet, sets_of_list
from hub.storage.queries.peers import PeerRow
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import NodeId

LONGEST_SECONDS: Final = 240.0
"""Then the rest waits for its next turn."""
LEAST_PROGRESS: Final = 16 * 1024
"""Of one request that broke off; who gives less is left for the next."""
_NOT_IN_IT: Final = 416
_NAPS_A_SECOND: Final = 2


def fetch_blob(
    node: Node,
    sha256: str,
    *,
    http: GuardedHttp | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Fetch the list of accepted sets, or go on where the last attempt ended.

    Returns:
        Whether there is nothing left to do: it is here, or nobody wants it any more. False when
        the time was up.

    Raises:
        TocsinError: why nobody gave it.
    """
    until = time.monotonic() + LONGEST_SECONDS
    with node.database.read() as tx:
        blob, sets = find_blob(tx, sha256), sets_of_list(tx, sha256)
    if blob is None or blob.state == REFUSED or not sets:
        return True
    told: TocsinError | None = None
    with http_or_own(node, http) as way:
        fetching = _Fetching(node, way, lambda: is_stopping() or time.monotonic() > until, sleep)
        for origin in dict.fromkeys(one.origin for one in sets):
            # Each gives it for its own sets; that one could not keeps no other's waiting.
            try:
                if not _fetch_for(node, sha256, origin, sets, fetching):
                    return False
            except TocsinError as error:
                told = told or error
    if told is not None:
        raise told
    forget_pieces(node, sets)
    return True


def _fetch_for(
    node: Node, sha256: str, origin: NodeId, sets: tuple[NamingSet, ...], fetching: _Fetching
) -> bool:
    """Fetch a list for the sets of one origin; False when the time is up."""
    with node.database.read() as tx:
        if is_settled(tx, node, sha256, origin):
            return True
    own = tuple(one for one in sets if one.origin == origin)
    try:
        return _by_delta(node, sha256, own, fetching) or fetching.run(sha256, origin)
    except TocsinError as error:
        with node.database.write(durable=False) as tx:
            update_blob(tx, place_for(tx, sha256, origin), code=error.code)
        raise


def _by_delta(node: Node, sha256: str, sets: tuple[NamingSet, ...], fetching: _Fetching) -> bool:
    """Build the list from the one before it and what changed; False where that does not do."""
    for one in sets:
        with node.database.read() as tx:
            has_base = one.base_sha256 is not None and is_settled(
                tx, node, one.base_sha256, one.origin
            )
        pieces = [name for name in (one.added_sha256, one.removed_sha256) if name is not None]
        if not has_base or not pieces:
            continue
        try:
            if all(fetching.run(name, one.origin) for name in pieces) and build_list(
                node, sha256, one
            ):
                return True
        except TocsinError:
            continue  # the whole list is as good, and may come from somebody else
    return False


class _Fetching:
    """One turn of fetching: who is asked, and for how much."""

    def __init__(
        self,
        node: Node,
        http: GuardedHttp,
        is_late: Callable[[], bool],
        sleep: Callable[[float], None],
    ) -> None:
        self.node = node
        self.http = http
        self.is_late = is_late
        self.sleep = sleep

    def run(self, sha256: str, origin: NodeId) -> bool:
        """Fetch one blob from the first who gives it right; False when the time is up.

        Raises:
            TocsinError: nobody gave it.
        """
        now = self.node.now()
        with self.node.database.write(durable=False) as tx:
            if is_settled(tx, self.node, sha256, origin):
                return True
            note_asked(tx, sha256, origin, now)
            place = place_for(tx, sha256, origin)
            want_blob(tx, place, now)
            note_asked(tx, place, origin, now)
            givers = givers_for(tx, sha256, origin, place, now)
        told: TocsinError = PeerState(
            "E_NOT_FOUND", "no peer is known that has the list", "It is looked for again later."
        )
        for peer in givers:
            if self.is_late():
                return False
            try:
                if _OneGiver(self, peer, sha256, origin, place).run():
                    return True
            except (
                PeerUnreachable, PeerState, WireFormatError, SignatureRejected, RateLimited,
            ) as error:  # fmt: skip
                # That one has it not says less than what the others met.
                told = error if told.code == "E_NOT_FOUND" else told
        if self.is_late():
            return False
        raise told


class _OneGiver:
    """One peer that is asked for one blob."""

    def __init__(
        self, turn: _Fetching, peer: PeerRow, sha256: str, origin: NodeId, place: str
    ) -> None:
        self.node = turn.node
        self.http = turn.http
        self.is_late = turn.is_late
        self.peer = peer
        self.sha256 = sha256
        self.origin = origin
        self.place = place  # under which name the bytes lie until they were compared
        self.moved = False  # others brought bytes of it meanwhile
        self.waits = 0
        self.sleep = turn.sleep
        rate = self.node.line.inbound.rate
        self.length = None if rate is None else max(LEAST_PROGRESS, int(rate * TARGET_SECONDS))

    def run(self) -> bool:
        """Fetch until the blob is whole; False when the time is up."""
        transport = reach(self.node, self.peer.base, self.peer.node_id, self.http)
        try:
            while not self.is_late():
                self.moved = False
                blob = self._begin()
                if blob is None or blob.state == HELD:
                    return True
                if self._ask(transport, blob):
                    return True
        finally:
            note_answers(self.node, self.peer.node_id, transport)
        return False

    def _begin(self) -> BlobRow | None:
        """Find where to go on; what others gave is not mixed with where that went wrong before."""
        now = self.node.now()
        with self.node.database.read() as tx:
            blob = find_blob(tx, self.place)
        if blob is None or not blob.held or blob.sender == self.peer.node_id:
            return blob
        if not is_wrong(blob, MIXED, now):
            return blob
        self._restart()
        with self.node.database.read() as tx:
            return find_blob(tx, self.place)

    def _ask(self, transport: HttpPeer, blob: BlobRow) -> bool:
        """Ask once, keep what comes, and tell whether the blob is whole and right."""
        if blob.size is not None and blob.held >= blob.size:
            return self._end()  # this node ended before it could compare
        line = self.node.line.inbound
        line.wait(Turn.BLOB, self.is_late)
        before = transport.received
        try:
            with transport.fetch_blob(self.sha256, blob.held, self.length) as stream:
                if not self._admit(blob, stream):
                    return False
                is_ended = self._keep(stream, blob.held)
        except PeerState as refused:
            if refused.params.get("http_status") != _NOT_IN_IT or not blob.held:
                raise
            self._restart()  # what is held is longer than the blob is there
            return False
        except PeerUnreachable as failure:
            self._go_on_after(failure, blob)
            return False
        finally:
            line.spend(transport.received - before)
        return self._judge(blob, stream.total, is_ended=is_ended)

    def _go_on_after(self, failure: PeerUnreachable, blob: BlobRow) -> None:
        """Go on at once with a peer that gave enough before the line broke.

        Raises:
            PeerUnreachable: it gave too little, or refused.
            SignatureRejected: it gives more than there can be.
        """
        if failure.code == "E_HTTP_TOO_BIG":
            self._restart()
            with self.node.database.write() as tx:
                reject_blob(
                    tx, self.sha256, self.peer, blob.held, self.node.now(), place=self.place
                )
            raise wrong_bytes(self.peer.name)
        came = self._held() - blob.held
        if self._may_wait(failure):
            return
        if "http_status" in failure.params or came < LEAST_PROGRESS:
            raise failure
        if failure.code == "E_HTTP_TIMEOUT":
            self.length = came

    def _may_wait(self, failure: PeerUnreachable) -> bool:
        """Wait a moment where the peer's line is busy, a few times for each stretch that came."""
        asked = failure.params.get("retry_after")
        if failure.params.get("http_status") != TOO_MANY or not isinstance(asked, int):
            return False
        self.waits += 1
        if self.waits > MOST_WAITS or asked > LONGEST_WAIT:
            return False
        for _ in range(max(1, asked) * _NAPS_A_SECOND):
            if self.is_late():
                break
            self.sleep(1 / _NAPS_A_SECOND)
        return True

    def _judge(self, blob: BlobRow, total: int | None, *, is_ended: bool) -> bool:
        """Tell whether the blob is whole and right, after an answer that came to its end."""
        held = self._held()
        self.waits = 0
        if self.moved or not is_ended:
            return False
        if total is None or held >= total:
            return self._end()
        if held <= blob.held:
            raise PeerUnreachable("E_HTTP_PROTOCOL", f"{self.peer.name} gave no bytes")
        return False

    def _admit(self, blob: BlobRow, stream: BlobStream) -> bool:
        """Look at how large the blob is said to be; False when it has to be begun anew."""
        now = self.node.now()
        with self.node.database.write(durable=False) as tx:
            room = room_for(tx, self.node, self.origin, self.peer, now)
            size = stream.total if stream.total is not None else room
            more = max(1, size) - blob.held
            require_room(tx, self.node, self.origin, more, room - blob.held, now)
            if blob.held and stream.total != blob.size:
                restart_blob(tx, self.place)
                return False
            update_blob(tx, self.place, size=stream.total)
        return True

    def _keep(self, stream: BlobStream, at: int) -> bool:
        """Store what comes, part by part, also of an answer that breaks off; True at its end."""
        waiting = bytearray()
        try:
            for chunk in stream.chunks:
                waiting += chunk
                if at % PART + len(waiting) >= PART:
                    at = self._store(at, waiting)
                if self.is_late() or self.moved:
                    return False
        finally:
            self._store(at, waiting)
        return True

    def _store(self, at: int, waiting: bytearray) -> int:
        data = bytes(waiting)
        waiting.clear()
        if data and not self.moved:
            with self.node.database.write(durable=False) as tx:
                taken = add_bytes(tx, self.place, at, data, sender=self.peer.node_id)
            self.moved = not taken
        return at + len(data)

    def _restart(self) -> None:
        with self.node.database.write(durable=False) as tx:
            restart_blob(tx, self.place)

    def _held(self) -> int:
        with self.node.database.read() as tx:
            blob = find_blob(tx, self.place)
        return 0 if blob is None else blob.held

    def _end(self) -> bool:
        with self.node.database.write() as tx:
            blob = find_blob(tx, self.place)
            if blob is None or blob.state == HELD:
                return True
            end = end_blob(tx, self.node, self.sha256, self.origin, self.peer, place=self.place)
        if end is End.WRONG:
            raise wrong_bytes(self.peer.name)
        return end is End.HELD
