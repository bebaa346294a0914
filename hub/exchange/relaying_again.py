"""Pass on again the feeds that release 0.1 stopped relaying (successor of ADR 9).

That release served no stubs, so it kept to itself every feed from which its origin had taken
something back. Here the stubs are put in their places, and the feed is relayed as it was signed.
"""

from __future__ import annotations

from hub.exchange.taking_back import leave_stubs
from hub.node import Node
from hub.storage.queries.feeds import FeedRow, entries_of_kinds, list_feeds, update_feed
from hub.storage.transaction import Transaction
from schemas.identifiers import read_b64
from schemas.strict_json import strict_loads


def relay_again(node: Node) -> int:
    """Put stubs where they belong in feeds of release 0.1; return how many feeds."""
    with node.database.read() as tx:
        if not any(feed.relay_stopped for feed in list_feeds(tx)):
            return 0
    with node.database.write() as tx:
        stopped = [feed for feed in list_feeds(tx) if feed.relay_stopped]
        for feed in stopped:
            _leave_stubs(tx, feed)
            update_feed(tx, feed.feed_row, relay_stopped=False)
    return len(stopped)


def _leave_stubs(tx: Transaction, feed: FeedRow) -> None:
    for entry in entries_of_kinds(tx, feed.feed_row, ("erase", "restrict")):
        if entry.state != "stored" or not entry.record:
            continue
        body = strict_loads(read_b64(strict_loads(entry.record)["dsse"]["payload"]))
        if entry.kind == "erase" or body.get("stop_relay") is True:
            leave_stubs(
                tx, feed.feed_row, feed.name, sorted(set(body["seqs"])), by=entry.seq, ts=entry.ts
            )
