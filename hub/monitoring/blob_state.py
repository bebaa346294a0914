"""Which lists of domain sets do not come, and whether there is room for more.

What is looked at was recorded by the attempts; nothing is asked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from hub.node import Node
from hub.storage.queries.blobs import bytes_stored, list_blobs
from hub.storage.queries.named_blobs import lists_being_fetched
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId

_MIB = 1024 * 1024
_NEARLY = 0.95


def missing_blobs(
    tx: Transaction, peers: Iterable[PeerRow], since: datetime
) -> Iterator[tuple[NodeId, Mapping[str, object]]]:
    """Find the origins of accepted sets whose lists are wanted since before an instant.

    One alarm for an origin: what keeps one of its lists away mostly keeps all of them.
    """
    waiting = lists_being_fetched(tx)
    if not waiting:
        return
    late = {blob.sha256: blob for blob in list_blobs(tx, "wanted") if blob.wanted_at < since}
    names = {peer.node_id: peer.name for peer in peers}
    of_origin: dict[NodeId, list[str]] = {}
    for sha256, origin in waiting:
        if sha256 in late:
            of_origin.setdefault(origin, []).append(sha256)
    for origin, lists in sorted(of_origin.items()):
        yield (
            origin,
            {
                "name": names.get(origin, origin[:12]),
                "lists": len(lists),
                "error": late[lists[0]].code,
            },
        )


def store_is_full(tx: Transaction, node: Node) -> Iterator[Mapping[str, object]]:
    """Tell whether the room for blobs is nearly used up."""
    most = node.settings.blob_store_mib
    if bytes_stored(tx) > most * _MIB * _NEARLY:
        yield {"mib": most}
