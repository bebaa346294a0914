"""Take all that a suspended origin wrote out of every view, and put it back (issue 5, point 8).

Invariants:
* when the write is committed no view of originals shows anything of the origin, nor what refers to
  it; its verdicts are asked for anew, and a suspended claim supports none;
* it is a state of its own: what waits, was rejected, restricted or withdrawn stays what it is, and
  a ``restrict`` or ``retract`` that still arrives binds what is suspended too;
* putting back gives the same views as before but for dates: what stood side by side does so again,
  and only what came meanwhile is settled as if it came now, after what was there before;
* taking out is one write, whatever the number: half done, readers would go on seeing the rest.
  Putting back is nobody's emergency, and done in parts.

What it does not do: end the exchange with the peer (``hub.peers.suspend``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from hub.exchange import visible
from hub.exchange.rival_claims import CONFLICT, displace, settle
from hub.peers.standing import SUSPENDED
from hub.storage.queries import objects as stored
from hub.storage.queries.objects import ObjectRow
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId

_ACCEPTED: Final = "accepted"
AT_ONCE: Final = 5_000
"""How many objects are held in memory at once, and put back in one write."""


@dataclass(frozen=True, slots=True)
class SuspendedSince:
    """When an origin was suspended, and the last object that was here then."""

    at: datetime
    object_row: int


def take_out(tx: Transaction, origin: NodeId, now: datetime) -> int:
    """Take what an origin wrote out of every view; return how many versions."""
    rows = stored.list_objects(tx, origin=origin, state=_ACCEPTED)
    # All of them first: no version of it is a rival that could appear for another.
    stored.move_objects_of(tx, origin, _ACCEPTED, SUSPENDED)
    for part in _parts(rows):
        visible.hide(tx, part, now)
    return len(rows)


def put_back(
    tx: Transaction, origin: NodeId, since: SuspendedSince, own: NodeId, now: datetime
) -> int | None:
    """Put back a part of what was taken out, and let in what came meanwhile.

    Args:
        own: this node, whose word stands with itself.

    Returns:
        How many versions are shown again; None when nothing is left to put back.
    """
    part = stored.list_objects(tx, origin=origin, state=SUSPENDED, limit=AT_ONCE)
    if not part:
        return None
    claims = stored.claims_of(tx, {row.stix_id for row in part})
    contents = stored.contents_of(tx, _numbers_compared(part, claims))
    returning = {row.object_row for row in part}
    accepted: list[int] = []
    lost: list[int] = []
    displaced: list[ObjectRow] = []
    for rows in claims.values():
        for was, now_is in _settled(rows, returning, contents, since, own):
            if was.object_row not in returning:
                displaced += [was] if now_is.state != _ACCEPTED else []
            elif now_is.state == _ACCEPTED:
                accepted.append(was.object_row)
            else:
                lost.append(was.object_row)
    displace(tx, displaced, now)
    stored.update_objects(tx, lost, state="quarantined", code=CONFLICT)
    stored.update_objects(tx, accepted, state=_ACCEPTED)
    visible.show(tx, stored.objects_at(tx, accepted), contents, now, back=True)
    return len(accepted)


def _settled(
    rows: Sequence[ObjectRow],
    returning: Collection[int],
    contents: Mapping[int, bytes],
    since: SuspendedSince,
    own: NodeId,
) -> Iterator[tuple[ObjectRow, ObjectRow]]:
    """Settle the claims on one id: those that stood before first, then what came, in its order."""
    live = [
        (row, replace(row, state=_ACCEPTED) if row.object_row in returning else row)
        for row in sorted(rows, key=lambda row: row.object_row)
        if row.object_row in returning or row.state == _ACCEPTED
    ]
    placed = {was.object_row: now_is for was, now_is in live if not _is_new(was, since)}
    for was, now_is in live:
        if was.object_row in placed:
            continue
        losers: list[ObjectRow] = []
        settled = now_is
        if was.origin != own:
            settled, losers = settle(
                now_is, contents[was.object_row], list(placed.values()), contents
            )
        placed |= {r.object_row: replace(r, state="quarantined") for r in losers}
        placed[was.object_row] = settled
    for was, _ in live:
        yield was, placed[was.object_row]


def _is_new(row: ObjectRow, since: SuspendedSince) -> bool:
    """Tell whether a claim came, or was let out of quarantine, after the suspension."""
    shown_since = row.visible_at is not None and row.visible_at > since.at
    return row.object_row > since.object_row or shown_since


def _numbers_compared(
    part: Sequence[ObjectRow], claims: Mapping[str, Sequence[ObjectRow]]
) -> set[int]:
    rivals = {row.object_row for rows in claims.values() for row in rows if row.state == _ACCEPTED}
    return rivals | {row.object_row for row in part}


def _parts(rows: Sequence[ObjectRow]) -> Iterator[list[ObjectRow]]:
    """Cut them into parts; the versions of one id may lie in several."""
    for start in range(0, len(rows), AT_ONCE):
        yield list(rows[start : start + AT_ONCE])
