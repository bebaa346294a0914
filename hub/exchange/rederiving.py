"""Derive one origin's objects anew from those of its entries that count (THREATS 2.16).

After entries were voided, every view has to equal the view had they never existed: what they
brought goes, and what they replaced, withdrew or restricted comes back. That is not undone step by
step. What the good entries amount to is found by saying them again (``replaying``) in a savepoint
that is rolled back; then the store is changed where it differs, and nowhere else, so that what was
never touched keeps its place and date in every view.

Invariants:
* a version is let in as it was: trust that was lowered since takes nothing back, and what a person
  rejected stays rejected;
* what only void entries brought is deleted; an origin may publish the same id and version anew;
* on the ids concerned rival claims are settled again, in the order of their arrival;
* what an erased entry had said cannot be said again: what it left stands. Where it may have taken
  something back, nothing is brought back that an entry took back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from federation.identity.node_document import PinnedNode
from hub.exchange import visible
from hub.exchange.noted_content import note_content
from hub.exchange.noted_sets import replace_version, store_versions
from hub.exchange.replaying import Admitted, Replay, VersionKey, replay
from hub.exchange.rival_claims import CONFLICT, displace, settle
from hub.exchange.rosters import note_roster
from hub.exchange.tombstones import LAID
from hub.node import Node
from hub.peers.standing import itself
from hub.storage.queries import objects as stored
from hub.storage.queries import rebuilding
from hub.storage.queries.feeds import FeedRow, list_feeds, update_feed
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.peers import find_peer, suspended_origins
from hub.storage.queries.rebuilding import CarriedVersion
from hub.storage.transaction import Transaction

_LET_IN = frozenset({"accepted", "quarantined", "rejected", "refused", "suspended"})
"""States that the trust gate or a person gave; the others an entry of the origin gave."""
_NOT_COMPARED = frozenset({"object_row", "received_at", "visible_at", "published_at"})
"""Where, since when and how often a version was seen is no part of what it says."""
_COMPARED = tuple(f.name for f in fields(ObjectRow) if f.name not in _NOT_COMPARED)
_TAKEN_BACK = frozenset({"withdrawn", "withheld"})
_NOTHING = hashlib.sha256(b"").digest()
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class _Versions:
    """The versions of one origin, with digests of their contents and who carries them."""

    rows: Mapping[VersionKey, ObjectRow]
    digests: Mapping[int, bytes]
    links: frozenset[CarriedVersion]


@dataclass(frozen=True, slots=True)
class _Target:
    """What the good entries amount to; ``contents`` are those that the store does not have."""

    versions: _Versions
    contents: Mapping[VersionKey, bytes]
    replay: Replay
    may_bring_back: bool


def rederive(
    tx: Transaction, node: Node, origin: PinnedNode, orphans: Collection[int], now: datetime
) -> int:
    """Make the store hold what the entries of an origin amount to; return how many versions differ.

    Args:
        orphans: numbers of the versions that voided entries carried.
    """
    feeds = [feed for feed in list_feeds(tx) if feed.node_id == origin.node_id]
    held = _versions_of(tx, origin)
    derived = _derived(tx, origin, held, orphans)
    target = _find_target(tx, node, origin, feeds, held, derived, now)
    changed = _apply(tx, derived, held, target, now)
    _judge_entries(tx, origin, target.replay)
    _update_feeds(tx, feeds, target.replay)
    _settle_again(tx, node, {row.stix_id for row in changed}, now)
    for said in target.replay.told:
        assert said.content is not None  # noqa: S101 - narrowed for mypy; it was read
        content = said.content.content
        note_content(tx, origin, said.feed.feed_row, said.entry, content)
        if content.group is not None:
            note_roster(tx, said.feed.name, content.group, now)
    return len(changed)


def _derived(
    tx: Transaction, origin: PinnedNode, held: _Versions, orphans: Collection[int]
) -> dict[VersionKey, ObjectRow]:
    """Choose the versions that entries with bytes gave us, and the tombstones.

    Not what producers here added and nobody published, nor what has lost its bytes for good.
    """
    carried = {link.object_row for link in held.links} | set(orphans)
    carried -= rebuilding.carried_without_bytes(tx, origin.node_id)
    return {
        key: row
        for key, row in held.rows.items()
        if (row.object_row in carried and held.digests[row.object_row] != _NOTHING)
        or row.code in LAID
    }


def _find_target(
    tx: Transaction,
    node: Node,
    origin: PinnedNode,
    feeds: Sequence[FeedRow],
    held: _Versions,
    derived: Mapping[VersionKey, ObjectRow],
    now: datetime,
) -> _Target:
    """Find what the good entries amount to, and leave the store as it was."""
    own = origin.node_id == node.node_id
    peer = itself(node) if own else find_peer(tx, origin.node_id)
    rejected = rebuilding.ids_rejected_by_a_person(tx)
    admitted = {key: _let_in(row, rejected) for key, row in derived.items()}
    savepoint = tx.connection.begin_nested()
    try:
        left = {row.object_row for row in held.rows.values()}
        left -= {row.object_row for row in derived.values()}
        rebuilding.set_aside(tx, origin.node_id, left)
        known = {key: found for key, found in admitted.items() if found is not None}
        said = replay(tx, origin, peer, feeds, known, now)
        versions = _versions_of(tx, origin)
        new = {
            key: row.object_row
            for key, row in versions.rows.items()
            if row.object_row not in left
            and versions.digests[row.object_row] != _digest_of(held, key)
        }
        found = stored.contents_of(tx, new.values())
        contents = {key: found[number] for key, number in new.items()}
    finally:
        savepoint.rollback()
    return _Target(versions, contents, said, not rebuilding.has_unsaid_recalls(tx, origin.node_id))


def _let_in(row: ObjectRow, rejected: Collection[str]) -> Admitted | None:
    """Tell how a version was let in; None where it has to be asked again."""
    if row.state in _LET_IN and row.code != CONFLICT:
        return row.state, row.code
    if row.visible_at is not None or row.code == CONFLICT:
        return "accepted", None  # only what the gate let in could be seen, or could lose
    return ("rejected", "REJECTED_BY_OPERATOR") if row.stix_id in rejected else None


def _versions_of(tx: Transaction, origin: PinnedNode) -> _Versions:
    rows = stored.list_objects(tx, origin=origin.node_id)
    digests: dict[int, bytes] = {}
    for start in range(0, len(rows), _AT_ONCE):
        numbers = [row.object_row for row in rows[start : start + _AT_ONCE]]
        contents = stored.contents_of(tx, numbers)
        digests |= {number: hashlib.sha256(raw).digest() for number, raw in contents.items()}
    return _Versions(
        {(row.stix_id, row.version): row for row in rows},
        digests,
        rebuilding.carried_versions(tx, origin.node_id),
    )


def _digest_of(held: _Versions, key: VersionKey) -> bytes | None:
    row = held.rows.get(key)
    return None if row is None else held.digests[row.object_row]


def _apply(
    tx: Transaction,
    derived: Mapping[VersionKey, ObjectRow],
    held: _Versions,
    target: _Target,
    now: datetime,
) -> list[ObjectRow]:
    """Change the store where it differs; return the versions that were concerned."""
    gone = [row for key, row in derived.items() if key not in target.versions.rows]
    before = {key: row for key, row in derived.items() if key in target.versions.rows}
    after = {key: _settled(row, target, key) for key, row in before.items()}
    changed = {
        key: row
        for key, row in after.items()
        if key in target.contents or any(_differs(row, before[key], n) for n in _COMPARED)
    }
    new = {k: r for k, r in target.versions.rows.items() if k not in held.rows}
    # 1. Out of the views, before what they show is changed.
    left = [*gone, *(before[key] for key in changed)]
    visible.hide(tx, left, now, closing=False)
    # 2. The versions themselves.
    rebuilding.delete_versions(tx, [row.object_row for row in gone])
    for key, row in changed.items():
        content = target.contents.get(key)
        if content is None:
            content = stored.contents_of(tx, [row.object_row])[row.object_row]
        replace_version(tx, row, content, now)
    first = stored.claim_object_rows(tx, len(new))
    numbered = {
        key: replace(row, object_row=first + place) for place, (key, row) in enumerate(new.items())
    }
    brought = [(row, target.contents[key]) for key, row in numbered.items()]
    store_versions(tx, brought, now)
    # 3. Who carries them.
    _link_again(tx, held, target, numbered)
    # 4. Back into the views.
    shown = [row for row in (*changed.values(), *numbered.values()) if row.state == "accepted"]
    visible.show(tx, shown, stored.contents_of(tx, [row.object_row for row in shown]), now)
    visible.close(tx, {row.stix_id for row in left}, now)
    return [*gone, *changed.values(), *numbered.values()]


def _settled(row: ObjectRow, target: _Target, key: VersionKey) -> ObjectRow:
    """Return a held version as the good entries have it, in its own place."""
    found = target.versions.rows[key]
    kept = {name: getattr(row, name) for name in _NOT_COMPARED}
    lost = found.state == "accepted" and row.code == CONFLICT
    taken_back = row.state in _TAKEN_BACK and found.state not in _TAKEN_BACK
    if lost or (taken_back and not target.may_bring_back):
        # Whether it still loses to another origin is settled again where its id is concerned.
        kept |= {"state": row.state, "code": row.code, "tlp": row.tlp}
    released = target.replay.releases.get(key)
    if released is not None and row.released_tlp is not None and row.state == found.state:
        kept["released_tlp"] = max(row.released_tlp, released)  # honoured before, and still signed
    return replace(found, **kept)


def _differs(row: ObjectRow, before: ObjectRow, name: str) -> bool:
    return bool(getattr(row, name) != getattr(before, name))


def _link_again(
    tx: Transaction, held: _Versions, target: _Target, numbered: Mapping[VersionKey, ObjectRow]
) -> None:
    key_of = {row.object_row: key for key, row in target.versions.rows.items()}
    own = {key: row.object_row for key, row in held.rows.items()}
    own |= {key: row.object_row for key, row in numbered.items()}
    wanted = {
        CarriedVersion(link.feed_row, link.seq, own[key_of[link.object_row]])
        for link in target.versions.links
    }
    said = target.replay.codes.keys()
    dropped = [k for k in held.links - wanted if (k.feed_row, k.seq) in said]
    rebuilding.delete_carried(tx, dropped)
    missing = sorted(wanted - held.links)
    stored.store_carried(tx, [(k.feed_row, k.seq, k.object_row) for k in missing])


def _judge_entries(tx: Transaction, origin: PinnedNode, said: Replay) -> None:
    """Store the new verdict on entries whose content comes to another one now."""
    before = rebuilding.entry_verdicts(tx, origin.node_id)
    for (feed_row, seq), code in said.codes.items():
        if before.get((feed_row, seq), code) != code:
            state = "stored" if code is None else "rejected"
            rebuilding.update_entry(tx, feed_row, seq, state=state, code=code)


def _update_feeds(tx: Transaction, feeds: Iterable[FeedRow], said: Replay) -> None:
    for feed in feeds:
        reopened = feed.state == "closed" and feed.feed_row not in said.closed
        update_feed(
            tx,
            feed.feed_row,
            highest_tlp=rebuilding.highest_label(tx, feed.feed_row),
            relay_stopped=feed.relay_stopped and feed.feed_row in said.took_back,
            state="open" if reopened else feed.state,
        )


def _settle_again(tx: Transaction, node: Node, stix_ids: Collection[str], now: datetime) -> None:
    """Settle the rival claims to these ids as they would have been without what is gone."""
    claims = stored.claims_of(tx, stix_ids)
    contents = stored.contents_of(tx, [r.object_row for rows in claims.values() for r in rows])
    lost: list[ObjectRow] = []
    freed: list[ObjectRow] = []
    unseen = suspended_origins(tx)
    for rows in claims.values():
        rivals = [
            row
            for row in rows
            if (row.state == "accepted" or row.code == CONFLICT) and row.origin not in unseen
        ]
        rivals.sort(key=lambda row: row.object_row)
        placed: dict[int, ObjectRow] = {}
        for row in rivals:
            now_is = replace(row, state="accepted", code=None)
            losers: list[ObjectRow] = []
            if row.origin != node.node_id:  # our own word stands with us
                raw = contents[row.object_row]
                now_is, losers = settle(now_is, raw, list(placed.values()), contents)
            placed |= {r.object_row: replace(r, state="quarantined", code=CONFLICT) for r in losers}
            placed[row.object_row] = now_is
        for row in rivals:
            now_is = placed[row.object_row]
            if row.state == "accepted" and now_is.state != "accepted":
                lost.append(row)
            elif row.state != "accepted" and now_is.state == "accepted":
                freed.append(now_is)
    displace(tx, lost, now)
    stored.update_objects(tx, [r.object_row for r in freed], state="accepted", code=None)
    visible.show(tx, freed, contents, now)
