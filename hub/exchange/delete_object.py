"""Delete an object from a producers' collection (TAXII 2.1 §5.7).

Invariants:
* never from ``originals`` or ``verdicts``: what was signed is withdrawn by its author alone;
* only by who may write there and read the object: a version that the caller does not see is
  neither deleted nor told of.
"""

from __future__ import annotations

from hub.exchange.latest_versions import settle_latest
from hub.exchange.reading import Sight, known_id, not_found, open_collection
from hub.node import Node
from hub.operators.readers import Reader
from hub.storage.queries.audit import store_event
from hub.storage.queries.collections import drop_objects
from hub.storage.queries.pages import NO_VIEW, rows_in_view
from hub.storage.transaction import Transaction
from schemas.taxii.paging import Matches


def delete_object(
    node: Node, reader: Reader, reference: str, stix_id: str, matches: Matches
) -> None:
    """Delete the matching versions of an object, all of them by default.

    Raises:
        NotFound: ``E_NOT_FOUND``.
    """
    stix_id = known_id(stix_id)
    # Refused in a reading transaction first, so that who may not write never waits for, or holds,
    # the writers' lock.
    with node.database.read() as tx:
        _find(tx, reader, reference, stix_id, matches)
    with node.database.write() as tx:
        sight, rows = _find(tx, reader, reference, stix_id, matches)
        if sight.granted is None:
            raise not_found()
        collection_id = sight.granted.collection.collection_id
        drop_objects(tx, rows)
        settle_latest(tx, collection_id, [stix_id])
        store_event(
            tx,
            node.now(),
            reader.name,
            "OBJECT_DELETED",
            collection_id=collection_id,
            stix_id=stix_id,
            versions=len(rows),
        )


def _find(
    tx: Transaction, reader: Reader, reference: str, stix_id: str, matches: Matches
) -> tuple[Sight, list[int]]:
    sight = open_collection(tx, reader, reference)
    rows = rows_in_view(tx, sight.view_id if sight.may_write else NO_VIEW, stix_id, matches)
    if not rows:
        raise not_found()
    return sight, rows
