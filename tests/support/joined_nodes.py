"""Real nodes that hand pages to each other without HTTP, and what their readers see."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

from federation.feeds.heads import relay_head_payload
from federation.signing.signer import seal
from hub.bootstrap import NodeProfile, create_node, open_node
from hub.exchange.collections import ORIGINALS_ID
from hub.exchange.receive import Received
from hub.node import Node
from hub.settings import load_settings
from hub.storage.queries.feeds import find_feed, records_after
from schemas.identifiers import FeedName, direct_audience
from schemas.markings import Tlp
from schemas.signed_envelope import RELAY_HEAD_TYPE
from schemas.strict_json import strict_loads
from tests.support.nodes import FixedClock, put_empty_tables
from tests.support.publications import hand_over, last_seq, page_of
from tests.support.stored_state import rows_of


def make_twin(home: Path) -> Node:
    """A node that equals every other that is made so, to the last byte."""
    counter = itertools.count()

    def entropy(length: int) -> bytes:
        return hashlib.shake_128(b"twin %d" % next(counter)).digest(length)

    clock = FixedClock()
    chosen = load_settings(home, allow_loopback_peers=True)
    put_empty_tables(home / "tocsin.db")
    profile = NodeProfile("twin", "twin.example", "http://127.0.0.1:9/")
    create_node(chosen, profile, clock=clock, entropy=entropy)
    return open_node(chosen, clock=clock, entropy=entropy)


def direct(node: Node) -> str:
    """The audience of the direct feed to a node."""
    return direct_audience(node.node_id)


def sync(
    origin: Node, receiver: Node, audience: str, *, via: Node | None = None, limit: int = 100
) -> list[Received]:
    """Let a node pull a feed of another to its end, from the origin or from a relay."""
    feed = FeedName(origin.node_id, audience)
    server = via or origin
    pages = []
    while True:
        with server.database.read() as tx:
            held = find_feed(tx, feed)
            after = last_seq(receiver, feed)
            records = [] if held is None else records_after(tx, held.feed_row, after, limit)
        if held is None or not records:
            return pages
        relay_head = None
        if via is not None:
            payload = relay_head_payload(
                via.node_id, feed, held.last_seq, held.last_hash, via.now()
            )
            relay_head = seal(via.keys.entry, RELAY_HEAD_TYPE, payload).to_json()
        page = page_of([strict_loads(raw) for _, _, raw in records], relay_head)
        pages.append(hand_over(receiver, feed, page, server))
        if pages[-1].error is not None:
            return pages


def view(node: Node, ceiling: Tlp, organisation: str = "") -> list[tuple[str, str]]:
    """What readers of one clearance find in ``originals``: ids with versions, in their order."""
    return [(row["stix_id"], row["version"]) for row in view_rows(node, ceiling, organisation)]


def view_ids(node: Node, ceiling: Tlp, organisation: str = "") -> set[str]:
    """The ids of the latest versions that readers of one clearance find."""
    return {row["stix_id"] for row in view_rows(node, ceiling, organisation) if row["latest"]}


def view_rows(node: Node, ceiling: Tlp, organisation: str = "") -> list[dict[str, Any]]:
    return [
        {**row, "content": bytes(row["content"]), "latest": bool(row["latest"])}
        for row in rows_of(
            node,
            "SELECT stix_id, version, origin, content, latest, date_added FROM view_rows"
            " JOIN views USING (view_id) JOIN objects USING (object_row)"
            f" WHERE collection_id = '{ORIGINALS_ID}' AND ceiling = {int(ceiling)}"
            f" AND organisation_id = '{organisation}' ORDER BY date_added",
        )
    ]


def views(node: Node) -> dict[str, list[tuple[Any, ...]]]:
    """Every label view as its readers get it: contents, order, versions and dates."""
    names = ("stix_id", "version", "origin", "content", "latest", "date_added")
    return {
        tlp.wire: [tuple(row[name] for name in names) for row in view_rows(node, tlp)]
        for tlp in Tlp
    }


def states(node: Node, stix_id: str) -> list[tuple[str, str | None]]:
    """State and code of every version that is held, in the order of arrival."""
    return [
        (row["state"], row["code"])
        for row in rows_of(
            node, f"SELECT state, code FROM objects WHERE stix_id = '{stix_id}' ORDER BY object_row"
        )
    ]


def entry_states(node: Node, feed: FeedName) -> list[tuple[int, str, str | None]]:
    """Seq, state and code of the entries that are held of a feed."""
    return [
        (row["seq"], row["state"], row["code"])
        for row in rows_of(
            node,
            "SELECT seq, entries.state, code FROM entries JOIN feeds USING (feed_row)"
            f" WHERE feed = '{feed}' ORDER BY seq",
        )
    ]
