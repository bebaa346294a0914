"""The one group without members: what its feed carries is this node's own to read.

What is imported from others' feeds counts in this node's verdicts, and nobody is told of it unless
a person names whom. Its entries are signed and chained as all others, so that lineage, withdrawal
and audit work on them, and no peer is ever named in its roster.

Invariants:
* its name is none that an operator can give a group, so it is nobody's group that existed before;
* nobody joins it (``groups.add_member`` refuses).
"""

from __future__ import annotations

from hub.exchange.rosters import HIDDEN, HISTORY_JOIN
from hub.node import Node
from hub.peers.groups import (
    GID_BYTES,
    PRIVATE_GROUP,
    OpenGroup,
    append_roster,
    require_open_group,
)
from hub.storage.queries import groups as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.feeds import FeedRow
from hub.storage.queries.groups import GroupRow
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, FeedName, b32
from schemas.markings import Tlp


def ensure_private_group(node: Node) -> str:
    """Return the private group's name; the first call makes it.

    Raises:
        Conflict: ``E_SELF_CHECK``, ``E_NODE_EXPIRED`` or ``E_SIGNING_KEY`` while nothing may be
            signed.
    """
    with node.database.read() as tx:
        if stored.find_group(tx, node.node_id, PRIVATE_GROUP) is not None:
            return PRIVATE_GROUP
    with node.database.write() as tx:
        if stored.find_group(tx, node.node_id, PRIVATE_GROUP) is not None:
            return PRIVATE_GROUP
        now = node.now()
        # Were it ever given members against this module's word: hidden, and nothing from before.
        group = stored.store_group(
            tx, node.node_id, PRIVATE_GROUP, roster=HIDDEN, history=HISTORY_JOIN, at=now
        )
        gid = f"g-{b32(node.entropy(GID_BYTES))}"
        stored.set_group_of_gid(tx, group, gid)
        append_roster(tx, node, gid, now)
        store_event(tx, now, "node", "PRIVATE_FEED_OPENED", gid=gid)
    return PRIVATE_GROUP


def require_or_imagine(tx: Transaction, node: Node, name: str) -> OpenGroup:
    """Find an own group; of the private one that is not there yet, say what it would be.

    For dry runs, which store nothing, not even this.

    Raises:
        NotFound: ``E_GROUP_UNKNOWN``.
    """
    if name != PRIVATE_GROUP or stored.find_group(tx, node.node_id, name) is not None:
        return require_open_group(tx, node, name)
    feed = FeedName(node.node_id, f"g-{b32(node.entropy(GID_BYTES))}")
    row = FeedRow(
        feed_row=0, feed=str(feed), collection_id=feed.collection_id, node_id=node.node_id,
        audience=feed.audience, epoch=feed.epoch, own=True, relay=None,
        highest_tlp=int(Tlp.CLEAR), last_seq=0, last_hash=EntryHash(""), last_ts=None,
        state="open", relay_stopped=False, head=None, head_seq=0, head_ts=None,
    )  # fmt: skip
    group = GroupRow(0, node.node_id, name, HIDDEN, HISTORY_JOIN, node.now())
    return OpenGroup(group, feed.audience, row, frozenset())
