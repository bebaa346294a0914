"""Judge rejected entries again: what was missing may have come, or this release understands more.

A rejected entry is kept with its bytes (PROTOCOL 2.4). Judged again it is what it would be if it
came now; where its objects were overtaken in their feed meanwhile, it stays rejected.

Invariants:
* one write an entry's feed and round, and the rules of receipt alone decide;
* after a pull only references that did not resolve are tried again, the newest of the last week:
  a peer cannot make us judge its old rubbish for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from federation.errors import ContentRejected
from federation.feeds.chain import closes_feed
from federation.feeds.entry import OpenedEntry, read_header
from federation.identity.node_document import PinnedNode
from hub.exchange.noted_content import note_content
from hub.exchange.received_content import JudgedContent, judge_content
from hub.exchange.received_objects import LEAK, ReceivedObjects
from hub.exchange.taking_back import DEEDS, counts_for, erase_objects, tighten
from hub.node import Node
from hub.peers.known_nodes import find_pinned
from hub.peers.owed_acks import owe_acks
from hub.storage.queries.feeds import (
    EntryRow,
    FeedRow,
    entries_of_kinds,
    feed_of_row,
    rejected_entries,
    update_entry,
)
from hub.storage.queries.objects import carried_by
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.transaction import Transaction
from schemas.identifiers import KeyId, NodeId, read_b64
from schemas.markings import Tlp
from schemas.signed_envelope import ENTRY_TYPE, read_envelope
from schemas.strict_json import strict_loads

AT_ONCE: Final = 100
WORTH_A_TRY: Final = timedelta(days=7)


def rejudge(node: Node, origin: NodeId) -> int:
    """Judge again what an origin's entries referred to in vain; return how many are taken now."""
    since = node.now() - WORTH_A_TRY
    with node.database.read() as tx:
        entries = rejected_entries(tx, AT_ONCE, origin=origin, code=LEAK, since=since)
    return _judge_all(node, entries)


def rejudge_everything(node: Node) -> int:
    """Judge again every entry that was rejected, after an upgrade; return how many are taken."""
    taken, after = 0, (0, 0)
    while True:
        with node.database.read() as tx:
            entries = rejected_entries(tx, AT_ONCE, after=after)
        if not entries:
            return taken
        taken += _judge_all(node, entries)
        after = max((entry.feed_row, entry.seq) for entry in entries)


def _judge_all(node: Node, entries: Sequence[EntryRow]) -> int:
    taken = 0
    ordered = sorted(entries, key=lambda entry: (entry.feed_row, entry.seq))
    for feed_row, group in groupby(ordered, key=lambda entry: entry.feed_row):
        with node.database.write() as tx:
            feed = feed_of_row(tx, feed_row)
            origin = None if feed is None else find_pinned(tx, feed.node_id)
            if feed is not None and origin is not None and feed.state != "frozen":
                taken += _Rejudging(tx, feed, origin, node.now()).take(list(group))
    return taken


class _Rejudging:
    """One write that judges entries of one feed again."""

    def __init__(self, tx: Transaction, feed: FeedRow, origin: PinnedNode, now: datetime) -> None:
        self.tx = tx
        self.feed = feed
        self.origin = origin
        self.now = now
        self.peer: PeerRow | None = find_peer(tx, feed.node_id)

    def take(self, entries: Sequence[EntryRow]) -> int:
        """Judge them in the order of the feed; return how many are taken now."""
        judged = [(row, *self._judge(row)) for row in entries if row.record]
        objects = ReceivedObjects(self.tx, self.origin, self.peer, self.feed, self.now)
        objects.load([content for *_, content in judged if isinstance(content, JudgedContent)])
        taken = 0
        for row, entry, content in judged:
            code = self._admit(objects, row, entry, content)
            taken += code is None
            if code != row.code:
                self._note(row, content, code)
        objects.store()
        self._restrict_again([row.seq for row, *_ in judged])
        return taken

    def _restrict_again(self, seqs: Sequence[int]) -> None:
        """Let a later ``restrict`` of the feed bind what it could not find when it came."""
        carried = {
            seq: rows for seq in seqs if (rows := carried_by(self.tx, self.feed.feed_row, [seq]))
        }
        if not carried:
            return
        for entry in entries_of_kinds(self.tx, self.feed.feed_row, ("restrict",)):
            if entry.state != "stored" or entry.seq < min(carried):
                continue
            body = strict_loads(read_b64(strict_loads(entry.record)["dsse"]["payload"]))
            named = [
                row
                for seq, rows in carried.items()
                for row in rows
                if seq < entry.seq
                and row.stix_id in body["ids"]
                and counts_for(row, exercise=entry.exercise)
            ]
            if body.get("erase") is True:
                erase_objects(self.tx, named, self.now)
            else:
                tighten(self.tx, named, Tlp.read(body["tlp"]), self.now)

    def _judge(self, row: EntryRow) -> tuple[OpenedEntry, JudgedContent | ContentRejected]:
        """Read an entry that was verified when it came; no signature is checked again."""
        envelope = read_envelope(strict_loads(row.record)["dsse"], ENTRY_TYPE)
        body = strict_loads(envelope.payload)
        kid = KeyId(envelope.signatures[0].keyid)
        entry = OpenedEntry(envelope, row.hash, read_header(body), body, kid)
        try:
            return entry, judge_content(entry, self.origin)
        except ContentRejected as rejected:
            return entry, rejected

    def _admit(
        self,
        objects: ReceivedObjects,
        row: EntryRow,
        entry: OpenedEntry,
        content: JudgedContent | ContentRejected,
    ) -> str | None:
        if isinstance(content, ContentRejected):
            return content.code
        try:
            objects.admit(entry, content)
        except ContentRejected as rejected:
            return rejected.code
        said = content.content
        note_content(self.tx, self.origin, self.feed.feed_row, entry, said)
        sender = None if row.sender is None else find_peer(self.tx, row.sender)
        if said.kind in DEEDS and not closes_feed(entry) and sender is not None:
            deeds = [(row.seq, DEEDS[said.kind])]
            owe_acks(self.tx, self.feed, self.peer, sender, deeds, self.now)
        return None

    def _note(
        self, row: EntryRow, content: JudgedContent | ContentRejected, code: str | None
    ) -> None:
        values: dict[str, object] = {"code": code}
        if code is None and isinstance(content, JudgedContent):
            values |= {"state": "stored", "tlp": content.tlp, "kind": content.content.kind}
            values |= {"exercise": content.exercise}
        update_entry(self.tx, row.feed_row, row.seq, **values)
