"""Withdraw an own object: a ``retract`` in every feed that carried it (PROTOCOL 2.4, 4.8).

Only the originator revokes, and for good. What is versioned travels once more as a last version
with ``revoked: true``, so that consumers that know nothing of feeds see the withdrawal too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from federation.feeds.printed_labels import UNPRINTED_TYPES
from federation.feeds.writing import policy_members
from hub.errors import Conflict, NotFound
from hub.exchange import visible
from hub.exchange.held_versions import is_mark
from hub.exchange.later_words import Form, words_on
from hub.exchange.object_rows import draft_row
from hub.exchange.own_feeds import AppendedEntry, append_entry, wake_readers
from hub.exchange.receipts import Receipt, note_taken_back, receipts_of
from hub.node import Node
from hub.storage.queries import objects as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.claims import VERDICT_STATE
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.peers import list_peers
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, FeedName
from schemas.markings import Tlp
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import read_stix_time, write_wire_time

MAX_REASON = 1024


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The entries that withdraw an object, and who is to confirm."""

    stix_id: str
    entries: tuple[tuple[str, int, EntryHash], ...]
    receipts: tuple[Receipt, ...]


def withdraw_object(
    node: Node, stix_id: str, reason: str, *, actor: str = "operator"
) -> Withdrawal:
    """Withdraw an object that this node published.

    Args:
        reason: told to every peer that may have it; at most 1,024 characters.

    Raises:
        NotFound: ``E_NOT_FOUND`` when this node never published it.
        Conflict: ``E_WITHDRAWN`` when it is withdrawn already; ``E_REASON`` when the reason is
            empty or too long.
    """
    if not 1 <= len(reason) <= MAX_REASON:
        raise Conflict("E_REASON", "a reason has 1 to 1,024 characters", "Shorten it.")
    with node.database.write() as tx:
        now = node.now()
        rows = _own_live(tx, node, stix_id)
        last_word = _last_word(tx, node, rows, now)
        carriages = stored.carriages_of(tx, [row.object_row for row in rows])
        contents = stored.contents_of(tx, [rows[-1].object_row])
        words = words_on(tx, node, rows[-1], contents[rows[-1].object_row], carriages)
        narrow = _only_where_it_was(rows, carriages)
        appended, whole = [], []
        for word in words:
            says_it = word.form is Form.WHOLE and (narrow is None or str(word.feed) in narrow)
            last = [last_word] if says_it and last_word is not None else []
            entry = append_retract(tx, node, word.feed, [stix_id], reason, last, now)
            appended.append(entry)
            whole += [entry] if says_it else []
        _store(tx, rows, last_word, whole, now)
        wake_readers(tx, [entry.feed for entry in appended], list_peers(tx), now)
        note_taken_back(tx, appended, [stix_id], "retracted", now)
        receipts = receipts_of(tx, appended)
        store_event(
            tx, now, actor, "WITHDRAWN", stix_id=stix_id, feeds=[str(e.feed) for e in appended]
        )
    return Withdrawal(
        stix_id, tuple((str(e.feed), e.seq, e.hash) for e in appended), tuple(receipts)
    )


def _only_where_it_was(
    rows: Sequence[ObjectRow], carriages: Sequence[stored.Carriage]
) -> frozenset[str] | None:
    """Name the feeds that may have the last version of what was restricted; None where all may.

    The readers of the wider feeds are not entitled to what the narrow ones say now.
    """
    if not any(row.state == "withheld" for row in rows):
        return None
    return frozenset(c.feed for c in carriages if c.object_row == _newest(rows).object_row)


def _newest(rows: Sequence[ObjectRow]) -> ObjectRow:
    return next((row for row in reversed(rows) if not row.exercise), rows[-1])


def _own_live(tx: Transaction, node: Node, stix_id: str) -> list[ObjectRow]:
    claims = stored.claims_of(tx, [stix_id]).get(stix_id, [])
    rows = [row for row in claims if row.origin == node.node_id and not is_mark(row)]
    # A verdict was never published: it is made and revoked by what it rests on (PROTOCOL 4.4).
    rows = [row for row in rows if row.state != VERDICT_STATE]
    if not rows:
        raise NotFound(
            "E_NOT_FOUND",
            f"this node did not publish {stix_id}",
            "Only the origin withdraws; `tocsin objects show` names it.",
        )
    if rows[-1].revoked or rows[-1].state == "withdrawn":
        raise Conflict("E_WITHDRAWN", f"{stix_id} is withdrawn already")
    if rows[-1].state == "erased":
        raise Conflict("E_ERASED", f"{stix_id} is erased already")
    return rows


def _last_word(
    tx: Transaction, node: Node, rows: Sequence[ObjectRow], now: datetime
) -> tuple[ObjectRow, bytes] | None:
    """Make the revoked version; None for what has no versions, such as an observable.

    It is an exercise only where all versions are: an exercise's withdrawal ends nothing real.
    """
    newest = _newest(rows)
    if newest.state == "withheld":
        return None  # its bytes print a label that is no longer its own
    content = stored.contents_of(tx, [newest.object_row])[newest.object_row]
    return ended_version(
        node, rows, newest, content, now, object_row=stored.claim_object_rows(tx, 1)
    )


def ended_version(
    node: Node,
    rows: Sequence[ObjectRow],
    newest: ObjectRow,
    content: bytes,
    now: datetime,
    *,
    object_row: int,
) -> tuple[ObjectRow, bytes] | None:
    """Make the version that ends an object; None for what has no versions.

    Args:
        rows: all versions of it.
        newest: the one that readers have, whose bytes are ``content``.
    """
    value = strict_loads(content)
    if "modified" not in value:
        return None
    # Later than the version it ends, also when our clock stands behind that version.
    ended = rows[-1].version_at or read_stix_time(value["modified"])
    modified = max(now, ended + timedelta(milliseconds=1))
    value |= {"modified": write_wire_time(modified), "revoked": True}
    row = draft_row(
        value,
        origin=node.node_id,
        now=now,
        object_row=object_row,
        tlp=Tlp(newest.tlp),
        machine=newest.machine,
        exercise=newest.exercise,
        state=newest.state,
    )
    return replace(row, strength=newest.strength, idn=newest.idn), write_json(value)


def append_retract(
    tx: Transaction,
    node: Node,
    feed: FeedName,
    stix_ids: Sequence[str],
    reason: str,
    last_words: Sequence[tuple[ObjectRow, bytes]],
    now: datetime,
) -> AppendedEntry:
    """Seal a ``retract`` of objects of one label, with those last versions that may stand there."""
    held = find_feed(tx, feed)
    relay = held.relay if held and held.relay else "none"
    lowest = Tlp.CLEAR if feed.kind == "clear" else Tlp.GREEN
    members: dict[str, object] = {"ids": list(stix_ids), "reason": reason}
    # A definition has no label of its own and stands in feeds of several labels.
    labels = [Tlp(row.tlp) for row, _ in last_words if row.stix_type not in UNPRINTED_TYPES]
    policy = policy_members(max(labels, default=lowest), relay=relay)
    if not last_words:
        return append_entry(tx, node, feed, kind="retract", policy=policy, now=now, members=members)
    proofs = {row.stix_id: row.idn for row, _ in last_words if row.idn is not None}
    if proofs:
        members["idn"] = proofs
    if any(row.exercise for row, _ in last_words):
        policy["exercise"] = True
    objects = [content for _, content in last_words]
    return append_entry(
        tx, node, feed, kind="retract", policy=policy, now=now, objects=objects, members=members
    )


def _store(
    tx: Transaction,
    rows: Sequence[ObjectRow],
    last_word: tuple[ObjectRow, bytes] | None,
    appended: Sequence[AppendedEntry],
    now: datetime,
) -> None:
    visible.hide(tx, rows, now, closing=False)
    stored.update_objects(tx, [row.object_row for row in rows], state="withdrawn")
    if last_word is not None:
        row, content = last_word
        stored.store_objects(tx, [(row, content)])
        stored.store_carried(tx, [(e.feed_row, e.seq, row.object_row) for e in appended])
        visible.show(tx, [row], {row.object_row: content}, now)
    visible.close(tx, {row.stix_id for row in rows}, now)
