"""Serve the blobs that domain sets name to the peers that may read an entry naming them.

Invariants (PROTOCOL 2.6, THREATS 46):
* who may read a feed of which an accepted entry names the blob gets it, at its origin and at every
  relay that holds it; everybody else gets the one 404, found by the same statements whether the
  blob is unknown, held for others only, or not here yet;
* an entry that was erased, taken back, is an exercise or waits in quarantine names nothing;
* what goes out was compared with its digest when it came, and is read part by part: no more than
  256 KiB of a blob are in memory for one reader, and no snapshot is held while a slow one reads.

What it does not do: serve parts of a blob that is not whole here, since nobody could check them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from federation.delivery.page_size import TARGET_SECONDS
from federation.delivery.plan import Turn
from hub.errors import NotFound
from hub.exchange.serve_feeds import may_read_as
from hub.exchange.served_turns import require_line
from hub.node import Node
from hub.peers.audiences import Naming, naming_of
from hub.storage.queries.blobs import HELD, PART, blob_range, find_blob
from hub.storage.queries.named_blobs import NamedFeed, feeds_naming
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.transaction import Transaction
from schemas.dns.domain_sets import MAX_BYTES
from schemas.errors import WireFormatError

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NO_BLOB: Final = "0" * 64
SMALLEST: Final = 16 * 1024
"""Of a range on a line however thin."""
_BYTES = re.compile(r"bytes=([0-9]{1,15})-([0-9]{0,15})", re.ASCII)


@dataclass(frozen=True, slots=True)
class BlobServed:
    """What of a blob goes out: bytes ``start`` to before ``end`` of ``size``.

    Args:
        whole: nothing was asked for but the blob.
    """

    sha256: str
    size: int
    start: int
    end: int
    whole: bool

    @property
    def etag(self) -> str:
        """The entity tag (RFC 9110 §8.8.3): the digest, which no other bytes have."""
        return f'"{self.sha256}"'


def serve_blob(
    node: Node, peer: PeerRow, sha256: str, *, asked: str | None = None, if_range: str | None = None
) -> BlobServed:
    """Find what a peer asks for of a blob.

    Args:
        asked: the ``Range`` field.
        if_range: the ``If-Range`` field; when it names other bytes, the whole is served.

    Raises:
        NotFound: ``E_NOT_FOUND``, unknown, not for this peer, or not here.
        RateLimited: ``E_QUOTA`` with ``retry_after``, while this node's line is busy.
        WireFormatError: ``E_RANGE`` for a range that cannot be served.
    """
    # What is no digest is asked for as one that nobody has: a refusal costs the same statements.
    name = sha256 if _DIGEST.fullmatch(sha256) else _NO_BLOB
    with node.database.read() as tx:
        blob = find_blob(tx, name)
        readable = _is_readable(tx, peer, name)
    if blob is None or blob.state != HELD or blob.size is None or not readable:
        raise NotFound("E_NOT_FOUND", "no blob of this digest is shared with this peer")
    require_line(node, Turn.BLOB)
    served = BlobServed(name, blob.size, 0, blob.size, whole=True)
    if asked is None or not asked.startswith("bytes=") or if_range not in (None, served.etag):
        return served
    return _stretch(served, asked, _room(node))


def read_parts(node: Node, served: BlobServed) -> Iterator[bytes]:
    """Read the bytes that go out, each part when there is room for it on the wire."""
    at = served.start
    while at < served.end:
        # To the end of a part, so that each is read once.
        length = min(PART - at % PART, served.end - at)
        with node.database.read() as tx:
            content = blob_range(tx, served.sha256, at, length)
        if len(content) != length:
            # It was deleted meanwhile: the answer breaks off, and its reader asks again.
            return
        yield content
        at += length


def _is_readable(tx: Transaction, peer: PeerRow, sha256: str) -> bool:
    feeds = feeds_naming(tx, sha256)
    origins = {row.node_id: row for row in list_peers(tx)}
    naming = naming_of(tx, peer.node_id)
    return any(
        may_read_as(named.feed, peer, origins.get(named.feed.node_id), naming)
        and _is_in_its_part(named, naming)
        for named in feeds
    )


def _is_in_its_part(named: NamedFeed, naming: Naming) -> bool:
    """Tell whether the entry stands behind the place where this reader's part of a feed begins."""
    begin = naming.begins_after(named.feed.name) if named.feed.own else 0
    return named.last_seq > begin


def _room(node: Node) -> int:
    """Return how much of a range goes out at once, so that it ends in time on this node's line."""
    rate = node.line.outbound.rate
    return MAX_BYTES if rate is None else max(SMALLEST, int(rate * TARGET_SECONDS))


def _stretch(served: BlobServed, asked: str, room: int) -> BlobServed:
    # Less than was asked for may be served; the answer says how much (RFC 9110 §15.3.7).
    found = _BYTES.fullmatch(asked.replace(" ", ""))
    first = int(found[1]) if found else served.size
    last = int(found[2]) if found and found[2] else served.size - 1
    if first >= served.size or last < first:
        raise WireFormatError(
            "E_RANGE",
            "one range of bytes is served, which begins inside the blob",
            "Ask for bytes=a- with a below the size.",
            size=served.size,
        )
    end = min(last + 1, served.size, first + room)
    return BlobServed(served.sha256, served.size, first, end, whole=False)
