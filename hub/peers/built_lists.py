"""Lists of domain sets that are built from the one before and what changed (DNS 1).

Invariants:
* what is built is a list when its digest is the one that the set names, and nothing else;
* a few bytes that made this node read and pack a million names count against their origin;
* a list that is built has the same room as one that comes whole.

Does not: fetch what it is built from, or say which base may be used (``fetch_blobs``).
"""

from __future__ import annotations

from hub.node import Node
from hub.peers.incoming_blobs import charge_origin, credit, require_room
from hub.storage.queries.blobs import WANTED, blob_bytes, drop_blob, find_blob, store_blob
from hub.storage.queries.named_blobs import NamingSet
from schemas.dns.domain_sets import apply_delta, digest_of
from schemas.errors import WireFormatError


def build_list(node: Node, sha256: str, one: NamingSet) -> bool:
    """Build the list of a set whose base and pieces are here; False when it is another.

    Raises:
        Conflict: ``E_BLOB_STORE``: there is no room for it.
    """
    with node.database.read() as tx:
        base = blob_bytes(tx, one.base_sha256 or "")
        added, removed = (
            None if name is None else blob_bytes(tx, name)
            for name in (one.added_sha256, one.removed_sha256)
        )
    now = node.now()
    try:
        built = apply_delta(base, added=added, removed=removed, dated=one.dated)
        is_it = digest_of(built.data) == sha256
    except WireFormatError:
        is_it = False
    if not is_it:
        # A few bytes that made this node read and pack a million names count as what was read.
        with node.database.write(durable=False) as tx:
            charge_origin(tx, node, one.origin, len(base), now)
        return False
    size = len(built.data)
    with node.database.write() as tx:
        require_room(tx, node, one.origin, size, size, now)
        store_blob(tx, sha256, built.data, now)
        credit(tx, sha256, one.origin, one.origin, now)
    return True


def forget_pieces(node: Node, sets: tuple[NamingSet, ...]) -> None:
    """Forget the lists of a delta that did not come whole: they are not needed any more."""
    pieces = {name for one in sets for name in (one.added_sha256, one.removed_sha256) if name}
    with node.database.read() as tx:
        begun = [blob for name in pieces if (blob := find_blob(tx, name)) is not None]
    for blob in begun:
        if blob.state == WANTED:
            with node.database.write(durable=False) as tx:
                drop_blob(tx, blob.sha256)
