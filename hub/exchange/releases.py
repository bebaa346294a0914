"""Releases: a widening that an origin signed in advance, honoured when its time has come.

``policy.release`` of an entry says from when on its objects bear another, wider label
(PROTOCOL 2.4). Honoured ten minutes after, on this node's clock, for its own readers: the objects
enter further views.

Invariants:
* nothing is honoured early, and a ``restrict`` that came in between is the later word, as is a
  later version that bears a stricter label;
* no feed is opened to a peer: what may be read there is decided by the label that was signed;
* an object that bears a stricter mark of its own than its entry is not released with it;
* the bytes stay as they were signed, printed label included.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from federation.feeds.sharing_policy import SharingPolicy
from hub.exchange import visible
from hub.exchange.held_versions import NOT_ITS_LABEL, NOT_LIVE
from hub.node import Node
from hub.storage.queries import objects as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.releases import ReleaseRow, drop_release, due_releases, note_release
from hub.storage.transaction import Transaction

RELEASE_DELAY: Final = timedelta(minutes=10)
"""Clocks differ; nobody shall be early (PROTOCOL 2.4)."""
AT_ONCE: Final = 50
_NOT_RELEASED: Final = frozenset({"withdrawn", "withheld", "erased", "exercise"})


def note_release_of(tx: Transaction, feed_row: int, seq: int, policy: SharingPolicy) -> None:
    """Note the release that an entry's policy states, if it does; an exercise releases nothing."""
    release, tlp = policy.release, policy.tlp
    if release is not None and tlp is not None and not policy.exercise:
        note_release(tx, ReleaseRow(feed_row, seq, release.at, int(tlp), int(release.tlp)))


def honour_releases(node: Node) -> int:
    """Show what was released by now; return how many objects."""
    with node.database.read() as tx:
        if not due_releases(tx, node.now() - RELEASE_DELAY, 1):
            return 0
    number = 0
    while True:
        with node.database.write() as tx:
            now = node.now()
            due = due_releases(tx, now - RELEASE_DELAY, AT_ONCE)
            for release in due:
                number += _honour(tx, release, node)
                drop_release(tx, release)
        if len(due) < AT_ONCE:
            return number


def _honour(tx: Transaction, release: ReleaseRow, node: Node) -> int:
    now = node.now()
    rows = [
        row
        for row in stored.carried_by(tx, release.feed_row, [release.seq])
        if row.tlp == release.from_tlp != row.released_tlp
        and row.shown_tlp > release.to_tlp
        and row.state not in _NOT_RELEASED
    ]
    claims = stored.claims_of(tx, [row.stix_id for row in rows])
    rows = [row for row in rows if not _is_overtaken(row, claims[row.stix_id], release.to_tlp)]
    if not rows:
        return 0
    numbers = [row.object_row for row in rows]
    stored.update_objects(tx, numbers, released_tlp=release.to_tlp)
    released = [r for r in stored.carried_by(tx, release.feed_row, [release.seq])
                if r.object_row in set(numbers)]  # fmt: skip
    visible.show(tx, released, stored.contents_of(tx, numbers), now)
    store_event(
        tx,
        now,
        "worker",
        "RELEASED",
        feed_row=release.feed_row,
        seq=release.seq,
        to=release.to_tlp,
        objects=len(rows),
    )
    return len(rows)


def _is_overtaken(row: ObjectRow, claims: Iterable[ObjectRow], to_tlp: int) -> bool:
    """Tell whether its origin has said since, by a later version, that the label is stricter."""
    return any(
        later.origin == row.origin
        and later.follows(row)
        and later.shown_tlp > to_tlp
        and later.state not in NOT_LIVE
        and later.code not in NOT_ITS_LABEL
        for later in claims
    )
