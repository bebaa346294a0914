"""Publish what local producers added to a collection that says so: ``--publish-to``.

Decides, for each object that waits in such a collection: at which label and in which feed it is
published, or why it is not.

Invariants:
* an object stricter than the collection's target is not published, and a laxer one is lifted to
  the target's label; nothing is ever widened (PROTOCOL 3.3);
* what goes to a peer or a group goes by the same decision as ``tocsin publish --to`` and
  ``--group`` (PROTOCOL 3.2);
* producers speak in this node's name about their own objects alone: an id that this node published
  otherwise, or that another origin claims, is not taken over;
* an object waits (state ``queued``) from the transaction that stored it to the one that notes what
  became of it, so a crash loses nothing; what was published in between is left out the next time.

What it does not do: tell producers why something was refused. That would let them ask, id by id,
what this node holds and under which label (PROTOCOL 3.5); it is in the audit, for the operator.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from federation.errors import SharingRefused
from hub.exchange.collection_options import CLEAR_FEED, GREEN_FEED, group_in, strictest_of
from hub.exchange.collections import LOCAL_STATE, QUEUED_STATE, local_origin
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.rival_claims import SHARED_TYPES
from hub.imports.drafts import Draft
from hub.node import Node
from hub.storage.queries.audit import store_event
from hub.storage.queries.collections import CollectionRow, find_collection
from hub.storage.queries.objects import (
    ObjectRow,
    by_version,
    claims_of,
    contents_of,
    list_objects,
    update_objects,
)
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId
from schemas.markings import TLP_BY_MARKING_ID, Tlp
from schemas.strict_json import strict_loads

PUBLISHED: Final = "PUBLISHED"
"""The code of what was published; else the code of the refusal."""
LEAK: Final = "E_REF_LEAK"
LEAK_PATIENCE: Final = timedelta(days=1)
"""How long an object waits for one that it refers to and that a producer may still send."""
ROUND: Final = 2_000
"""Objects of one publication; it is committed in parts all the same (``publishing_store``)."""
LINEAGE: Final = "own-sensor"
_CONTESTING: Final = frozenset({"accepted", "withdrawn", "withheld", "suspended"})
"""States of what another origin published and readers saw here, so that a producer may have it from
us. What waits or was refused contests nothing, or a stranger could silence producers."""

_log = logging.getLogger("tocsin.exchange")


@dataclass(frozen=True, slots=True)
class CollectionPublished:
    """What one run did.

    Args:
        published: how many objects were published, or were already.
        refused: how many were not, with the code of each.
        unfinished: whether there is more to be done now.
    """

    published: int
    refused: Mapping[str, int]
    unfinished: bool = False


def publish_collection(node: Node, collection_id: str) -> CollectionPublished:
    """Publish a round of what waits in a collection.

    Several writes in sequence: those of ``publish_objects``, then the one that notes the results.
    Each object id is published once a round, so that of two versions the older goes first.

    Raises:
        StorageBusy: when no turn came; what was not noted waits on.
    """
    with node.database.read() as tx:
        collection = find_collection(tx, collection_id)
        if collection is None or collection.publish_to is None:
            return CollectionPublished(0, {})
        waiting = list_objects(tx, origin=_origin(collection), state=QUEUED_STATE)
        chosen = _choose(waiting)
        contents = contents_of(tx, [row.object_row for row in chosen])
        codes = _too_strict(collection.publish_to, chosen)
        codes |= _taken_ids(tx, node, collection, chosen)
        definitions = _definitions(tx, collection, chosen, contents)
        peer = _peer_of(tx, collection.publish_to)
    ready = [row for row in chosen if row.object_row not in codes]
    # Laxer ones first: a stricter object may refer to them, and never the other way round.
    for label in sorted({_label_of(collection, row) for row in ready}):
        rows = [row for row in ready if _label_of(collection, row) is label]
        drafts = [*definitions, *(Draft(strict_loads(contents[r.object_row])) for r in rows)]
        codes |= _publish(node, collection, label, peer, rows, drafts)
    _note(node, collection, chosen, codes)
    counts = Counter(codes.values())
    published = counts.pop(PUBLISHED, 0)
    fresh_left = sum(row.code is None for row in waiting) > sum(row.code is None for row in chosen)
    # What waits for what it refers to is worth another look only after something was published.
    leaks_left = LEAK in counts or any(row.code == LEAK for row in waiting)
    return CollectionPublished(published, counts, fresh_left or (published > 0 and leaks_left))


def _origin(collection: CollectionRow) -> NodeId:
    return NodeId(local_origin(collection.collection_id))


def _name(collection: CollectionRow) -> str:
    """Name a collection in the audit and the log."""
    return f"collection {collection.alias or collection.collection_id}"


def _peer_of(tx: Transaction, publish_to: str) -> PeerRow | None:
    is_feed = publish_to in {CLEAR_FEED, GREEN_FEED} or group_in(publish_to) is not None
    return None if is_feed else find_peer(tx, NodeId(publish_to))


def _label_of(collection: CollectionRow, row: ObjectRow) -> Tlp:
    """Return the label at which an object is published: named audiences begin at GREEN."""
    target = collection.publish_to or ""
    lowest = Tlp.CLEAR if target == CLEAR_FEED else Tlp.GREEN
    return max(lowest, Tlp(row.tlp))


def _choose(waiting: Iterable[ObjectRow]) -> list[ObjectRow]:
    """Choose a round: of each object its oldest version, and what was tried before at the end."""
    first: dict[str, ObjectRow] = {}
    for row in sorted(waiting, key=lambda row: (row.code is not None, by_version(row))):
        first.setdefault(row.stix_id, row)
    order = sorted(first.values(), key=lambda row: (row.code is not None, row.object_row))
    return order[:ROUND]


def _too_strict(publish_to: str, rows: Iterable[ObjectRow]) -> dict[int, str]:
    """Find what is stricter than the target; such an object is not even queued."""
    strictest = strictest_of(publish_to)
    return {row.object_row: "E_LABEL_STRICTER" for row in rows if row.tlp > strictest}


def _taken_ids(
    tx: Transaction, node: Node, collection: CollectionRow, rows: Sequence[ObjectRow]
) -> dict[int, str]:
    """Find the objects whose ids are somebody else's to speak about."""
    claims = claims_of(tx, {row.stix_id for row in rows})
    return {
        row.object_row: "E_ID_CONFLICT"
        for row in rows
        if _is_taken(row, claims[row.stix_id], node.node_id, _origin(collection))
    }


def _is_taken(row: ObjectRow, claims: Sequence[ObjectRow], own: NodeId, local: NodeId) -> bool:
    if row.stix_type in SHARED_TYPES:
        return False  # facts and definitions without an owner
    if any(claim.origin == local and claim.code == PUBLISHED for claim in claims):
        return False  # a later version of what came from here
    mine = [claim for claim in claims if claim.origin == own]
    if mine:
        # The same version is what a run published that ended before it noted so; with other
        # content ``publish_objects`` refuses it.
        return mine[-1].version != row.version
    return any(claim.state in _CONTESTING for claim in claims)


def _definitions(
    tx: Transaction,
    collection: CollectionRow,
    rows: Sequence[ObjectRow],
    contents: Mapping[int, bytes],
) -> list[Draft]:
    """Find the marking-definitions that came earlier, for a receiver looks in the entry alone."""
    here = {row.stix_id for row in rows}
    wanted: set[str] = set()
    for content in contents.values():
        refs = strict_loads(content).get("object_marking_refs")
        wanted |= {ref for ref in refs if isinstance(ref, str)} if isinstance(refs, list) else set()
    claims = claims_of(tx, sorted(wanted - here - set(TLP_BY_MARKING_ID)))
    held = {
        claim.stix_id: claim.object_row
        for found in claims.values()
        for claim in found
        if claim.origin == _origin(collection)
    }
    return [Draft(strict_loads(content)) for content in contents_of(tx, held.values()).values()]


def _publish(
    node: Node,
    collection: CollectionRow,
    label: Tlp,
    peer: PeerRow | None,
    rows: Sequence[ObjectRow],
    drafts: Sequence[Draft],
) -> dict[int, str]:
    """Publish objects of one label; return what became of each."""
    group = group_in(collection.publish_to or "")
    if peer is None and group is None and collection.publish_to not in {CLEAR_FEED, GREEN_FEED}:
        return {row.object_row: "E_PEER_UNKNOWN" for row in rows}
    request = PublishRequest(
        drafts=drafts,
        tlp=label,
        to=() if peer is None else (peer,),
        groups=() if group is None else (group,),
        lineage=(LINEAGE,),
        actor=_name(collection),
    )
    try:
        outcome = publish_objects(node, request)
    except SharingRefused as refusal:
        code = str(refusal.params.get("decision", refusal.code))
        return {row.object_row: code for row in rows}
    refused = {line.stix_id: line.code for line in outcome.refused}
    return {row.object_row: refused.get(row.stix_id, PUBLISHED) for row in rows}


def _note(
    node: Node, collection: CollectionRow, rows: Sequence[ObjectRow], codes: Mapping[int, str]
) -> None:
    """Note what became of each object; one that may still be published waits on."""
    if not rows:
        return
    by_number = {row.object_row: row for row in rows}
    refused: dict[str, list[str]] = {}
    with node.database.write() as tx:
        now = node.now()
        for code in sorted(set(codes.values())):
            numbers = [number for number, said in codes.items() if said == code]
            late = [n for n in numbers if now - by_number[n].received_at >= LEAK_PATIENCE]
            done = late if code == LEAK else numbers
            update_objects(tx, numbers, code=code)
            update_objects(tx, done, state=LOCAL_STATE)
            if code != PUBLISHED:
                news = [n for n in numbers if by_number[n].code != code]
                refused[code] = [by_number[n].stix_id for n in news]
        for code, stix_ids in refused.items():
            if stix_ids:
                store_event(
                    tx,
                    now,
                    _name(collection),
                    "NOT_PUBLISHED",
                    collection_id=collection.collection_id,
                    reason=code,
                    stix_ids=stix_ids,
                )
    for code, stix_ids in refused.items():
        if stix_ids:
            _log.warning("%s: %d objects not published: %s", _name(collection), len(stix_ids), code)
