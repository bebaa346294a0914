"""Explain one object and one peer or token: what is decided, by which rule, in sentences.

The answer is computed by the same rules that decide for real; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from federation.policy.decision import POLICY_VERSION, Decision
from federation.policy.explain import sentences
from federation.policy.redistribution import decide_relay
from federation.policy.sharing import decide_entry_read, decide_feed_read, decide_reader
from federation.policy.views import touches
from hub.errors import NotFound
from hub.exchange.collection_kinds import SELECTION
from hub.exchange.object_listing import find_claims
from hub.node import Node
from hub.operators.readers import NO_KEY, Reader, view_key
from hub.peers.audiences import naming_of
from hub.peers.directory import resolve_peer
from hub.peers.standing import standing_of
from hub.storage.queries import objects as stored
from hub.storage.queries.collections import granted_collections
from hub.storage.queries.feeds import FeedRow, find_feed
from hub.storage.queries.groups import groups_of_objects
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.pages import rows_in_view
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.queries.tokens import find_token
from hub.storage.queries.views import find_view
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, NodeId
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from schemas.taxii.paging import Matches


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why somebody has, or has not, one object."""

    decision: str
    code: str
    sentences: tuple[str, ...]
    rule: str
    version: str


def explain_sharing(
    node: Node, stix_id: str, who: str, *, origin: NodeId | None = None
) -> Explanation:
    """Explain whether a peer or a token reads an object of this node, and why.

    Args:
        who: a peer (node id, unique prefix or name) or the name of a token.
        origin: whose claim, where two origins claim one id; else the newest.

    Raises:
        NotFound: ``E_NOT_FOUND`` for the object, ``E_WHO_UNKNOWN`` for the reader.
    """
    with node.database.read() as tx:
        row = find_claims(tx, stix_id, origin)[-1]
        state = _state_sentence(row)
        token = find_token(tx, who)
        if token is not None:
            return _explain_reader(tx, node, row, Reader.of(token), state)
        return _explain_peer(tx, node, row, _resolve(node, who))


def _explain_reader(
    tx: Transaction, node: Node, row: ObjectRow, reader: Reader, state: tuple[str, ...]
) -> Explanation:
    # Of what was erased nothing is left that could touch anybody's zones.
    content = stored.contents_of(tx, [row.object_row])[row.object_row]
    value = strict_loads(content) if content else {}
    standing = reader.standing
    carried = groups_of_objects(tx, [row.object_row]).get(row.object_row, frozenset())
    decision = decide_reader(
        Tlp(row.shown_tlp),
        reader=standing,
        machine=row.machine,
        touches=touches(value, standing.zones, standing.prefixes),
        in_group=any((node.node_id, name) in carried for name in standing.groups),
    )
    title = None if decision.allowed else _filtered_collection(tx, row, reader)
    if title is not None:
        decision = decide_reader(
            Tlp(row.shown_tlp),
            reader=standing,
            machine=row.machine,
            touches=False,
            collection=SELECTION,
        )
        state = (*state, f"It stands in the filtered collection {title}, granted to this token.")
    return _explained(decision, row, state)


def _filtered_collection(tx: Transaction, row: ObjectRow, reader: Reader) -> str | None:
    """Name a filtered collection in which the reader finds the object without ``originals``."""
    for granted in granted_collections(tx, reader.name):
        if granted.collection.kind != SELECTION:
            continue
        view = find_view(tx, *(view_key(reader, granted) or NO_KEY))
        if view and row.object_row in rows_in_view(tx, view.view_id, row.stix_id, Matches()):
            return granted.collection.title
    return None


def _resolve(node: Node, who: str) -> PeerRow:
    try:
        return resolve_peer(node, who)
    except NotFound:
        raise NotFound(
            "E_WHO_UNKNOWN",
            f"{who} is neither a token nor a peer here",
            "`tocsin token list` and `tocsin peer list` name them.",
        ) from None


def _explain_peer(tx: Transaction, node: Node, row: ObjectRow, peer: PeerRow) -> Explanation:
    """Ask each feed that carries the object; one that may be read is enough."""
    decisions = []
    for carriage in stored.carriages_of(tx, [row.object_row]):
        feed = find_feed(tx, FeedName.read(carriage.feed))
        if feed is not None:
            decisions.append(_decide(tx, feed, peer, carriage.seq))
    if not decisions:
        return Explanation(
            "refused",
            "REFUSED_NOT_PUBLISHED",
            (f"No feed carries this object, so no peer gets it; {peer.name} neither.",),
            "PROTOCOL 2.4",
            POLICY_VERSION,
        )
    best = next((d for d in decisions if d.allowed), decisions[0])
    # What is in quarantine here is relayed all the same: the entry is the origin's word.
    state = _state_sentence(row) if row.origin == node.node_id else ()
    carried = groups_of_objects(tx, [row.object_row]).get(row.object_row, frozenset())
    names = sorted(name for node_id, name in carried if node_id == node.node_id)
    groups = (f"The group {', '.join(names)} carries it.",) if names else ()
    return _explained(best, None, (*state, *groups))


def _decide(tx: Transaction, feed: FeedRow, peer: PeerRow, seq: int) -> Decision:
    standing = standing_of(peer)
    if feed.own:
        naming = naming_of(tx, peer.node_id)
        read = decide_feed_read(
            feed.name,
            highest=Tlp(feed.highest_tlp),
            peer=standing,
            named=naming.names(feed.name),
        )
        begins = naming.begins_after(feed.name)
        return decide_entry_read(read, peer=standing, seq=seq, begins=begins)
    origin = find_peer(tx, feed.node_id)
    relay_on = (origin is None or origin.relay_on) and not feed.relay_stopped
    return decide_relay(feed.name, relay=feed.relay or "none", peer=standing, relay_on=relay_on)


def _state_sentence(row: ObjectRow) -> tuple[str, ...]:
    words = {
        "quarantined": "It waits in quarantine here, so no token reads it until a person accepts.",
        "rejected": "It was rejected here, so no token reads it.",
        "refused": "Its origin is refused here, so no token reads it.",
        "suspended": "Its origin is suspended here, so no token reads it.",
        "withdrawn": "Its origin withdrew it, so readers see at most the revoked version.",
        "withheld": "Its origin restricted it; it waits for a version that prints the new label.",
        "erased": "Its origin erased it; nothing of its content is left here.",
        "exercise": "It belongs to an exercise and reaches no reader.",
        "local": "A local producer added it; who may read its collection is the operator's grant.",
    }
    return (words[row.state],) if row.state in words else ()


def _explained(decision: Decision, row: ObjectRow | None, state: Sequence[str]) -> Explanation:
    if decision.allowed and row is not None and row.state != "accepted":
        return Explanation(
            "refused", row.state.upper(), tuple(state), decision.rule, POLICY_VERSION
        )
    return Explanation(
        "allowed" if decision.allowed else "refused",
        decision.code,
        (*sentences(decision), *state),
        decision.rule,
        POLICY_VERSION,
    )
