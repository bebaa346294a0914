"""One node that reads what the vectors hand over, step by step, as it would read it of peers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from federation.errors import PeerState
from federation.identity.rotation import decide_update
from federation.transport.peer_answers import FeedPage, read_page
from federation.transport.peer_client import FeedSource
from hub.exchange.pushed_entries import accept_push
from hub.exchange.releases import honour_releases
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.peers.node_documents import take_update
from hub.peers.pull_feed import FeedPull
from hub.storage.queries.vouching import list_vouches
from hub.storage.tables.peers import PEERS
from schemas.errors import TocsinError
from schemas.identifiers import FeedName, NodeId
from schemas.markings import Tlp
from schemas.strict_json import strict_loads, write_json
from tests.support.joined_nodes import entry_states, view_rows
from tests.support.nodes import FixedClock, make_node, peer_of
from tests.support.publications import introduce
from tests.support.stored_state import rows_of

Value = Mapping[str, Any]


@dataclass
class Pages(FeedSource):
    """A sender that has the pages of one feed, by cursor, and nothing else."""

    pages: Value

    def page(self, feed: FeedName, after_seq: int, limit: int = 100) -> FeedPage:
        found = self.pages.get(str(after_seq))
        if found is None:
            raise PeerState("E_NOT_FOUND", f"the vector has no page after {after_seq}")
        return read_page(found, feed=feed, after_seq=after_seq, limit=limit)


@dataclass
class VectorReader:
    """The node, and who is who in the vectors that it reads."""

    node: Node
    clock: FixedClock
    node_ids: dict[str, NodeId] = field(default_factory=dict)

    @classmethod
    def make(cls, home: Path) -> VectorReader:
        clock = FixedClock()
        return cls(make_node(home, "reader", clock), clock)

    def meet(self, organisations: Value) -> None:
        """Pair with organisations and give them all trust; with those alone, since news of what
        was read is passed on to every peer.
        """
        with self.node.database.write() as tx:
            tx.connection.execute(sa.delete(PEERS))
        for name, organisation in organisations.items():
            documents = [write_json(document) for document in organisation["documents"]]
            self.node_ids[name] = organisation["node_id"]
            introduce(self.node, organisation["node_id"], documents, "partner")

    def read(self, given: Value) -> list[Any]:
        """Do the steps; return of each the code that stopped it, or a push's status."""
        self.clock.at = datetime.fromisoformat(given["now"])
        return [self._do(step) for step in given["steps"]]

    def _do(self, step: Value) -> Any:
        ((kind, value),) = step.items()
        try:
            return getattr(self, f"_{kind}")(value)
        except TocsinError as error:
            return error.code

    def _clock(self, now: str) -> None:
        self.clock.at = datetime.fromisoformat(now)
        honour_releases(self.node)

    def _pull(self, value: Value) -> str | None:
        feed = FeedName.read(value["feed"])
        sender = peer_of(self.node, self.node_ids[value["sender"]])
        pulling = FeedPull(self.node, sender, Pages(value["pages"]), lambda: False)
        error = pulling.run(feed, None).error
        return None if error is None else error.code

    def _documents(self, value: Value) -> str | None:
        with self.node.database.write() as tx:
            held = pinned(tx, self.node_ids[value["of"]])
            update = decide_update(held, value["documents"], allow_demo=False)
            take_update(tx, self.node, held, update)
        return None if update.conflict is None else "E_NODE_VERSION"

    def _push(self, value: Value) -> Value:
        sender = peer_of(self.node, self.node_ids[value["sender"]])
        body = write_json(value["body"])
        try:
            status = strict_loads(accept_push(self.node, sender, value["collection_id"], body))
        except TocsinError as error:
            known = {name: error.params[name] for name in ("expected",) if name in error.params}
            return {"code": error.code, "details": known} if known else {"code": error.code}
        for varying in ("id", "request_timestamp"):
            status.pop(varying)
        return {"status": 202, "resource": status}

    # What it has afterwards.

    def holds(self, feed: str) -> dict[str, str]:
        """Of each seq whether the entry is stored, rejected and why, or a stub."""
        return {
            str(seq): f"{state} {code}" if state == "rejected" else state
            for seq, state, code in entry_states(self.node, FeedName.read(feed))
        }

    def record(self, feed: str, seq: int) -> bytes:
        """The TAXII object that it serves at a seq."""
        rows = rows_of(
            self.node,
            "SELECT record FROM entries JOIN feeds USING (feed_row)"
            f" WHERE feed = '{feed}' AND seq = {seq}",
        )
        return bytes(rows[0]["record"])

    def is_closed(self, feed: str) -> bool:
        return bool(
            rows_of(self.node, f"SELECT 1 FROM feeds WHERE feed = '{feed}' AND state = 'closed'")
        )

    def shows(self, label: str, origins: frozenset[str]) -> dict[str, bool]:
        """Which of these nodes' objects a reader of a label finds, and whether they are revoked."""
        return {
            row["stix_id"]: strict_loads(row["content"]).get("revoked", False)
            for row in view_rows(self.node, Tlp.read(label))
            if row["latest"] and row["origin"] in origins
        }

    def vouches(self, origins: frozenset[str]) -> list[list[str]]:
        with self.node.database.read() as tx:
            found = list_vouches(tx, [NodeId(origin) for origin in origins])
        return sorted([vouch.voucher, vouch.subject] for vouch in found)
