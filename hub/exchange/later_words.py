"""Where a later word on an own object goes, and how much of the object it repeats (PROTOCOL 2.4).

Decides, for a withdrawal: the feeds through which it reaches everybody who may have the object, and
in which of them the object's last version may stand.

Invariants:
* a feed that carried the object says it whole, as long as all its readers could read it there;
* a feed that did not, a group's next one or a direct feed to who left, says no more than its
  readers had: the last version only where the label and every reference are theirs to read;
* an observable's id is made of its value, so it is told to nobody who may not read the value
  (PROTOCOL 3.4).

What it does not do: find out who has read what (``peers.groups.feeds_that_reach`` names who could
have).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from federation.policy.closure import find_leaks
from federation.policy.sharing import decide_feed_read
from hub.exchange.object_rows import audience_of, open_label
from hub.node import Node
from hub.peers.groups import feeds_that_reach
from hub.peers.known_nodes import pinned
from hub.peers.standing import standing_of
from hub.storage.queries import objects as stored
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.objects import Carriage, ObjectRow
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, direct_audience
from schemas.markings import EffectiveLabel, Tlp
from schemas.stix.objects import SCO_TYPES
from schemas.strict_json import strict_loads


class Form(Enum):
    """How much of an object a later word repeats."""

    WHOLE = "its last version"
    NAMED = "its id alone"
    NOTHING = "nothing: the id would give its value away"


@dataclass(frozen=True, slots=True)
class LaterWord:
    """A feed that tells, and in which form."""

    feed: FeedName
    form: Form


def words_on(
    tx: Transaction, node: Node, row: ObjectRow, content: bytes, carriages: Sequence[Carriage]
) -> tuple[LaterWord, ...]:
    """Name the feeds that tell of an object, and the form in each.

    Args:
        row: the version that would be repeated.
        content: its bytes.
        carriages: where the object's versions were carried.
    """
    newest: dict[str, int] = {}
    for carriage in carriages:
        newest[carriage.feed] = max(carriage.seq, newest.get(carriage.feed, 0))
    peers = {direct_audience(peer.node_id): peer for peer in list_peers(tx)}
    found: dict[FeedName, Form] = {}
    for feed, seq in newest.items():
        for target in feeds_that_reach(tx, node, FeedName.read(feed), seq):
            if str(target) in newest:
                found[target] = Form.WHOLE
            elif target not in found:
                found[target] = _form(tx, node, row, content, target, peers)
    told = sorted(found.items(), key=lambda item: str(item[0]))
    return tuple(LaterWord(feed, form) for feed, form in told if form is not Form.NOTHING)


def _form(
    tx: Transaction,
    node: Node,
    row: ObjectRow,
    content: bytes,
    target: FeedName,
    peers: Mapping[str, PeerRow],
) -> Form:
    # 1. A group's next feed is named only where all its readers could read the object.
    may_read = target.kind != "direct" or _may_read(tx, row, target, peers)
    # 2. What the object refers to was perhaps never carried to these readers.
    if may_read and not _leaks(tx, node, row, content, target):
        return Form.WHOLE
    return Form.NAMED if may_read or row.stix_type not in SCO_TYPES else Form.NOTHING


def _may_read(
    tx: Transaction, row: ObjectRow, target: FeedName, peers: Mapping[str, PeerRow]
) -> bool:
    peer, held = peers.get(target.audience), find_feed(tx, target)
    highest = max(Tlp(row.tlp), Tlp.CLEAR if held is None else Tlp(held.highest_tlp))
    return (
        peer is not None
        and decide_feed_read(target, highest=highest, peer=standing_of(peer), named=True).allowed
    )


def _leaks(tx: Transaction, node: Node, row: ObjectRow, content: bytes, target: FeedName) -> bool:
    """Tell whether readers would reject the last version for what it refers to."""

    def label_of(stix_id: str) -> EffectiveLabel | None:
        mine = [
            claim
            for claim in stored.claims_of(tx, [stix_id]).get(stix_id, ())
            if claim.origin == node.node_id
        ]
        if not mine:
            return None
        feeds = stored.feeds_that_carried(tx, [mine[-1].object_row])
        return open_label(mine[-1], [feed for _, feed in feeds])

    label = EffectiveLabel(Tlp(row.tlp), audience_of([str(target)]))
    public = frozenset(pinned(tx, node.node_id).identities)
    value = strict_loads(content)
    return bool(find_leaks([value], {row.stix_id: label}, label_of, public))
