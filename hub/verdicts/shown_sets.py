"""Have the names of a domain set judged anew where the set enters or leaves the views.

For ``marks``: what an indicator's one name is to it, a quarter of a million names are to a set, so
that they are asked for by the set and marked in bounded steps (``expand_sets``).

Invariants:
* a mark bears the lowest label at which the change shows (PROTOCOL 3.5);
* what takes a set's place without being one (a later version that is revoked, or lists nothing)
  ends its names as a newer list would; when it goes, they are back.

What it does not do: read lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from hub.storage.queries import set_claims as stored
from hub.storage.queries.claims import carriers_of
from hub.storage.queries.domain_sets import sets_named
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.set_claims import SetVersion
from hub.storage.queries.set_marks import ask_to_mark
from hub.storage.transaction import Transaction

SET: Final = "grouping"
"""The type of the objects that sets are."""
_HAS_CLAIMS: Final = frozenset({stored.EXPANDING, stored.EXPANDED})
_LET_GO: Final = frozenset({stored.DROPPING, stored.DROPPED})
_NOT_READ: Final = _LET_GO | {stored.WAITS}
"""Perhaps their list is here: it came before they were accepted, or was never let go of."""


def note_sets_shown(tx: Transaction, rows: Sequence[ObjectRow], now: datetime) -> bool:
    """Note that accepted groupings entered the views; tell whether there is work for that."""
    rows = [row for row in rows if row.stix_type == SET]
    if not rows or not stored.is_any_set(tx):
        return False
    states = stored.sets_at(tx, [row.object_row for row in rows])
    anew, marks, wanted = [], [], False
    for row in rows:
        state = states.get(row.object_row)
        if state in _NOT_READ or (state in _HAS_CLAIMS and _says_other(tx, row)):
            anew.append(row.object_row)
        elif state in _HAS_CLAIMS:
            marks.append((row.object_row, row.shown_tlp))
        wanted = wanted or state is not None
    ended = [row for row in rows if row.object_row not in states or row.revoked]
    for row, other in _others(tx, ended):
        if other.state in _HAS_CLAIMS:
            marks.append((other.object_row, max(row.shown_tlp, other.label)))
    stored.expand_anew(tx, anew)
    ask_to_mark(tx, marks, now)
    return wanted or bool(marks)


def note_sets_hidden(
    tx: Transaction, rows: Sequence[ObjectRow], lowest: Mapping[int, int], now: datetime
) -> bool:
    """Note that groupings leave the views; called before they have left.

    Args:
        lowest: the lowest label at which each is shown now.
    """
    rows = [row for row in rows if row.stix_type == SET and row.visible_at is not None]
    if not rows or not stored.is_any_set(tx):
        return False
    states = stored.sets_at(tx, [row.object_row for row in rows])
    labels = {
        row.object_row: min(row.shown_tlp, lowest.get(row.object_row, row.shown_tlp))
        for row in rows
    }
    marks = [(n, labels[n]) for n, state in states.items() if state in _HAS_CLAIMS]
    anew = []
    for row, other in _others(tx, rows):
        if other.state in _LET_GO:
            anew.append(other.object_row)
        elif other.state in _HAS_CLAIMS:
            marks.append((other.object_row, max(labels[row.object_row], other.label)))
    stored.expand_anew(tx, anew)
    ask_to_mark(tx, marks, now)
    return bool(marks or anew)


def note_adopted(tx: Transaction, sha256: str, now: datetime) -> bool:
    """Note that a person stands for a list, or does no longer; tell whether it is one of claims."""
    found = sets_named(tx, sha256)
    ask_to_mark(tx, found, now)
    return bool(found)


def mark_sets_of(tx: Transaction, origin: str, now: datetime, least: int) -> int:
    """Ask for the names of all sets of an origin; return how many sets there are."""
    found = stored.sets_of_origin(tx, origin)
    ask_to_mark(tx, [(each.object_row, max(each.label, least)) for each in found], now)
    return len(found)


def _others(tx: Transaction, rows: Sequence[ObjectRow]) -> list[tuple[ObjectRow, SetVersion]]:
    """List, with each of these groupings, the earlier versions of it that are sets."""
    here = {row.object_row for row in rows}
    by_key: dict[tuple[str, str], ObjectRow] = {(row.origin, row.stix_id): row for row in rows}
    return [
        (row, other)
        for other in stored.accepted_versions(tx, [stix_id for _, stix_id in by_key])
        if other.object_row not in here
        and (row := by_key.get((other.origin, other.stix_id))) is not None
    ]


def _says_other(tx: Transaction, row: ObjectRow) -> bool:
    """Tell whether another entry than that of its claims carries a set now."""
    said = stored.first_claim(tx, row.object_row)
    carrier = carriers_of(tx, [row.object_row]).get(row.object_row)
    return (
        said is not None
        and carrier is not None
        and (carrier.feed_row, carrier.seq) != tuple(said[5:7])
    )
