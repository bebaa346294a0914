"""Which blobs this node wants, and which it lets go (PROTOCOL 2.6, DNS 1).

Invariants:
* wanted are the lists of sets that are accepted, no others: what waits in quarantine waits for its
  list too, and an exercise has none;
* a list that is here for the sets of one origin is asked for again for those of another: it does
  not count for them, nor is it told that it is here, before it was given for them (THREATS 46);
* of one origin 64 are asked for at a time, so that what one cannot or will not serve keeps nobody
  else's waiting, and the queue stays short whatever it publishes;
* a blob goes when no set names it that is live, was live within 30 days, or that a person adopted:
  one whose entry was erased or taken back goes at the next look, which is hourly, and its bytes are
  overwritten;
* what came within the hour stays: a list is stored before the entry that names it.

What it does not do: fetch (``fetch_blobs``).
"""

from __future__ import annotations

import weakref
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from hub.node import Node
from hub.peers.blob_givers import apart
from hub.storage.engine import Database
from hub.storage.queries.blob_gifts import note_asked
from hub.storage.queries.blobs import drop_blob, list_blobs, note_sets_held, want_blob
from hub.storage.queries.jobs import request_job, subjects_with_job
from hub.storage.queries.named_blobs import (
    blobs_kept,
    has_sets_held,
    lists_being_fetched,
    lists_waited_for,
)
from hub.storage.transaction import Transaction
from hub.verdicts.marks import ask_for_sets
from hub.verdicts.set_budgets import origins_with_room, resume_waiting
from schemas.identifiers import NodeId

BLOB: Final = "blob"
"""The kind of the job that fetches one blob."""
MOST_OF_ONE: Final = 64
KEPT_FOR: Final = timedelta(days=30)
"""After a set has ended or was followed by another version: peers that come late may want it."""
FRESH: Final = timedelta(hours=1)
LOOKED_EVERY: Final = timedelta(hours=1)
_LOOKED: Final[weakref.WeakKeyDictionary[Database, datetime]] = weakref.WeakKeyDictionary()
"""When each database was last looked through for blobs to let go."""


def plan_blobs(node: Node) -> None:
    """Ask for what is wanted and not asked for, and let go what nothing names any more."""
    now = node.now()
    with node.database.read() as tx:
        wanted, unasked = _wanted(tx), _unasked(tx)
        settled = not has_sets_held(tx) and not origins_with_room(tx, node, now)
        gone = _gone(tx, now) if _is_time_to_look(node, now) else ()
    if wanted or unasked or not settled:
        with node.database.write(durable=False) as tx:
            for sha256, origin in _wanted(tx):
                want_blob(tx, sha256, now)
                note_asked(tx, sha256, origin, now)
            for sha256 in _unasked(tx):
                request_job(tx, BLOB, sha256, now)
            goes_on = resume_waiting(tx, node, now)
            if note_sets_held(tx) or goes_on:
                ask_for_sets(tx, now)
    for sha256 in gone:
        # One in a write: it may have 16 MiB to be overwritten, while others wait for their turn.
        with node.database.write() as tx:
            if sha256 in _gone(tx, now):
                drop_blob(tx, sha256)
    if gone:
        node.database.forget_deleted()


def _is_time_to_look(node: Node, now: datetime) -> bool:
    """Tell whether to look for what goes, for which every set is read: once in an hour."""
    looked = _LOOKED.get(node.database)
    if looked is not None and timedelta(0) <= now - looked < LOOKED_EVERY:
        return False
    _LOOKED[node.database] = now
    return True


def _wanted(tx: Transaction) -> tuple[tuple[str, NodeId], ...]:
    """Choose what to ask for next: the oldest of each origin, as far as it has places left."""
    waiting = lists_waited_for(tx, MOST_OF_ONE)
    if not waiting:
        return ()
    asked = Counter(origin for _, origin in lists_being_fetched(tx))
    chosen = []
    for sha256, origin in waiting:
        if asked[origin] < MOST_OF_ONE:
            asked[origin] += 1
            chosen.append((sha256, origin))
    return tuple(chosen)


def _unasked(tx: Transaction) -> tuple[str, ...]:
    """List the wanted lists for which there is no job, such as after a restart from a backup."""
    wanted = {sha256 for sha256, _ in lists_being_fetched(tx)}
    return tuple(sorted(wanted - subjects_with_job(tx, BLOB))) if wanted else ()


def _gone(tx: Transaction, now: datetime) -> tuple[str, ...]:
    held = [
        blob.sha256 for blob in list_blobs(tx)
        if max(blob.wanted_at, blob.held_at or blob.wanted_at) < now - FRESH
    ]  # fmt: skip
    if not held:
        return ()
    # What is asked for another origin lies apart: who was wrong about it is to stay known.
    kept = blobs_kept(tx, now - KEPT_FOR) | {apart(*each) for each in lists_being_fetched(tx)}
    return tuple(sha256 for sha256 in held if sha256 not in kept)
