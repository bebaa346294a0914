"""Note what an admitted entry says beside its objects: vouches, and how urgent it is.

Both are read from content that was judged already; neither shows anything to a reader.
"""

from __future__ import annotations

from federation.delivery.plan import ROUTINE
from federation.feeds.content import EntryContent
from federation.feeds.entry import OpenedEntry
from federation.identity.node_document import PinnedNode
from hub.peers.heard_vouches import collect_vouches
from hub.storage.queries.urgency import note_urgencies
from hub.storage.transaction import Transaction


def note_content(
    tx: Transaction, origin: PinnedNode, feed_row: int, entry: OpenedEntry, content: EntryContent
) -> None:
    """Note the vouches of an entry and its urgency, in the page's one write."""
    header = entry.header
    if content.vouches:
        collect_vouches(tx, origin, header.feed, feed_row, header.seq, content.vouches)
    urgency = content.policy.urgency
    # An exercise pushes nothing real aside.
    if urgency not in {None, ROUTINE} and not content.policy.exercise:
        note_urgencies(tx, feed_row, {str(urgency): header.seq})
