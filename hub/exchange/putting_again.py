"""Put the innocent objects of an own entry again, before a stub takes its place (PROTOCOL 2.4).

Decides: which objects of the entry live on, and are said once more in the same feed.

Invariants:
* what is said again is said in the same bytes, under the same policy: whoever holds it sees no
  change, and whoever reads the feed for the first time misses nothing that it may have;
* said before the entry that takes back, it never leaves a reader's views;
* what refers to something that is taken back would be a leak now and is left out (PROTOCOL 3.4).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from federation.feeds.carried_objects import CarriedObject, read_objects
from federation.feeds.sharing_policy import lowest_label
from federation.feeds.writing import policy_members
from federation.policy.closure import references_of
from hub.exchange.own_feeds import AppendedEntry, append_entry
from hub.node import Node
from hub.storage.queries import objects as stored
from hub.storage.queries.feeds import STUB, EntryRow, FeedRow, feeds_of_audience, find_entry
from hub.storage.queries.objects import ObjectRow
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, read_b64
from schemas.strict_json import strict_loads

_LIVE = frozenset({"accepted", "exercise"})


@dataclass(slots=True)
class PutAgain:
    """What was said again, and what was not although nobody took it back."""

    entries: list[AppendedEntry] = field(default_factory=list)
    left_out: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Entry:
    """An own entry in its parts."""

    row: EntryRow
    body: Mapping[str, object]
    objects: tuple[CarriedObject, ...]


def put_again(
    tx: Transaction,
    node: Node,
    feed: FeedRow,
    seqs: Collection[int],
    guilty: Collection[str],
    now: datetime,
) -> PutAgain:
    """Say again what lives on of the entries of an own feed that are about to be taken back.

    Args:
        seqs: these entries.
        guilty: the ids of the objects that are the reason.
    """
    done = PutAgain()
    for seq in sorted(seqs):
        entry = _read(find_entry(tx, feed.feed_row, seq))
        if entry is None:
            continue
        rows = _rows_of(tx, node, entry)
        keep = _closed(_innocent(tx, feed, seqs, entry, rows, guilty), guilty, done)
        if entry.row.kind == "retract":
            appended = _retract_again(tx, node, feed, entry, keep, now)
        elif keep:
            appended = _append(tx, node, feed, entry, keep, now)
        else:
            continue
        links = [(appended.feed_row, appended.seq, rows[c.stix_id].object_row) for c in keep]
        stored.store_carried(tx, links)
        done.entries.append(appended)
    return done


def say_again(
    tx: Transaction, node: Node, feed: FeedRow, seq: int, now: datetime, *, supersedes: EntryHash
) -> None:
    """Say a whole entry once more, naming another entry that it overrides (PROTOCOL 3.3)."""
    entry = _read(find_entry(tx, feed.feed_row, seq))
    if entry is not None:
        rows = _rows_of(tx, node, entry)
        appended = _append(tx, node, feed, entry, entry.objects, now, supersedes=supersedes)
        stored.store_carried(
            tx, [(appended.feed_row, appended.seq, row.object_row) for row in rows.values()]
        )


def _read(row: EntryRow | None) -> _Entry | None:
    if row is None or row.state == STUB or not row.record or row.kind not in {"put", "retract"}:
        return None
    payload = read_b64(strict_loads(row.record)["dsse"]["payload"])
    body = strict_loads(payload)
    return _Entry(row, body, read_objects(body, payload) if "objects" in body else ())


def _rows_of(tx: Transaction, node: Node, entry: _Entry) -> dict[str, ObjectRow]:
    """Find the rows of the very versions that the entry carries."""
    carried = stored.carried_by(tx, entry.row.feed_row, [entry.row.seq])
    return {row.stix_id: row for row in carried if row.origin == node.node_id}


def _innocent(
    tx: Transaction,
    feed: FeedRow,
    seqs: Collection[int],
    entry: _Entry,
    rows: Mapping[str, ObjectRow],
    guilty: Collection[str],
) -> list[CarriedObject]:
    """List what nobody took back, in its newest version of this feed, and stands nowhere else."""
    numbers = [row.object_row for row in rows.values()]
    # What an ended epoch has is perhaps said in a later one already.
    later = [f for f in feeds_of_audience(tx, feed.node_id, feed.audience) if f.epoch > feed.epoch]
    elsewhere = {
        c.object_row
        for c in stored.carriages_of(tx, numbers)
        if (c.feed_row == feed.feed_row and c.seq not in seqs)
        or any(c.feed_row == f.feed_row for f in later)
    }
    newest = _newest_here(tx, {feed.feed, *(f.feed for f in later)}, rows)
    return [
        carried
        for carried in entry.objects
        if (row := rows.get(carried.stix_id)) is not None
        and carried.stix_id not in guilty
        and row.state in _LIVE
        and row.object_row not in elsewhere
        and newest.get(carried.stix_id) == row.object_row
    ]


def _newest_here(
    tx: Transaction, feeds: Collection[str], rows: Mapping[str, ObjectRow]
) -> dict[str, int]:
    """Find the newest version of each object in a feed: along it, versions only increase."""
    claims = stored.claims_of(tx, rows)
    every = [row.object_row for found in claims.values() for row in found]
    here = {row for row, name in stored.feeds_that_carried(tx, every) if name in feeds}
    return {
        stix_id: versions[-1].object_row
        for stix_id, found in claims.items()
        if (versions := [row for row in found if row.object_row in here])
    }


def _closed(
    innocent: Sequence[CarriedObject], guilty: Collection[str], done: PutAgain
) -> list[CarriedObject]:
    """Leave out what refers to something taken back, and what refers to that in turn."""
    gone = set(guilty)
    keep = list(innocent)
    while leaking := [c for c in keep if not gone.isdisjoint(references_of(c.value))]:
        ids = {c.stix_id for c in leaking}
        gone |= ids
        done.left_out.update(dict.fromkeys(sorted(ids)))
        keep = [c for c in keep if c.stix_id not in ids]
    return keep


def _append(
    tx: Transaction,
    node: Node,
    feed: FeedRow,
    entry: _Entry,
    keep: Sequence[CarriedObject],
    now: datetime,
    **members: object,
) -> AppendedEntry:
    idn = entry.body.get("idn")
    kept = {c.stix_id for c in keep}
    stated = dict(members)
    if isinstance(idn, dict):
        stated["idn"] = {name: proof for name, proof in idn.items() if name in kept} or None
    for name in ("src", "supersedes", "ids", "reason"):
        stated.setdefault(name, entry.body.get(name))
    policy = entry.body["policy"]
    return append_entry(
        tx,
        node,
        feed.name,
        kind=entry.row.kind,
        policy=policy if isinstance(policy, dict) else {},
        now=now,
        objects=[c.raw for c in keep],
        members=stated,
    )


def _retract_again(
    tx: Transaction,
    node: Node,
    feed: FeedRow,
    entry: _Entry,
    keep: Sequence[CarriedObject],
    now: datetime,
) -> AppendedEntry:
    """Withdraw again what the entry withdrew: without that its objects could come back."""
    if keep:
        return _append(tx, node, feed, entry, keep, now)
    policy = policy_members(lowest_label(feed.name), relay=feed.relay or "none")
    members = {"ids": entry.body.get("ids"), "reason": entry.body.get("reason")}
    return append_entry(
        tx, node, feed.name, kind="retract", policy=policy, now=now, members=members
    )
