"""Mark which names' verdicts have to be made anew, where something changes for their claims.

Invariants:
* a mark bears the lowest label at which the change shows, so that it moves nothing below
  (PROTOCOL 3.5);
* what is new costs the receiving path nothing but a question for work: it is found by its number;
* a change without a mark is a verdict that stays wrong, so the marks are put where objects enter
  and leave the views, and nowhere else in the exchange.

What it does not do: read claims (``claims``) or make verdicts (``fuse``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from hub.exchange.collection_kinds import ORIGINALS_ID
from hub.storage.dialects import to_micros
from hub.storage.queries.claims import ask_to_read_again, names_claimed, watermark
from hub.storage.queries.disputes import disputes_of_objects
from hub.storage.queries.jobs import request_job
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.verdict_work import (
    lowest_ceilings,
    put_marks,
    put_marks_of_origin,
)
from hub.storage.transaction import Transaction
from hub.verdicts.shown_sets import (
    SET,
    mark_sets_of,
    note_adopted,
    note_sets_hidden,
    note_sets_shown,
)

VERDICTS: Final = "verdicts"
"""The kind of the one job that makes verdicts."""
_ASKED: Final = "verdicts asked for"
_INDICATOR: Final = "indicator"
_OPINION: Final = "opinion"


def note_shown(tx: Transaction, rows: Sequence[ObjectRow], now: datetime) -> None:
    """Note that accepted objects entered the views."""
    if note_sets_shown(tx, rows, now):
        ask_for_work(tx, now)
    claims = [row.object_row for row in rows if row.stix_type == _INDICATOR]
    opinions = [row for row in rows if row.stix_type == _OPINION]
    if not claims and not opinions:
        return
    read = watermark(tx)
    behind = [n for n in (*claims, *(row.object_row for row in opinions)) if n <= read]
    if behind:
        ask_to_read_again(tx, behind, now)
    ask_for_work(tx, now)


def note_hidden(tx: Transaction, rows: Sequence[ObjectRow], now: datetime) -> None:
    """Note that objects leave the views; called before they have left."""
    _mark_disputed(tx, [r for r in rows if r.stix_type == _OPINION], now)
    sets = [row.object_row for row in rows if row.stix_type == SET]
    if sets and note_sets_hidden(tx, rows, lowest_ceilings(tx, ORIGINALS_ID, sets), now):
        ask_for_work(tx, now)
    seen = {r.object_row: r for r in rows if r.stix_type == _INDICATOR and r.visible_at is not None}
    names = names_claimed(tx, seen) if seen else {}
    if not names:
        return
    lowest = lowest_ceilings(tx, ORIGINALS_ID, names)
    at = to_micros(now)
    marks = [
        (name, min(label := seen[number].shown_tlp, lowest.get(number, label)), at, False)
        for number, claimed in names.items()
        for name in claimed
    ]
    put_marks(tx, sorted(marks))
    ask_for_work(tx, now)


def _mark_disputed(tx: Transaction, opinions: Sequence[ObjectRow], now: datetime) -> None:
    """Ask for the names that opinions are on; those not read yet are marked when they are."""
    labels = {row.object_row: row.shown_tlp for row in opinions}
    names = disputes_of_objects(tx, labels) if labels else []
    if names:
        at = to_micros(now)
        put_marks(tx, [(name, labels[number], at, False) for number, name in names])
        ask_for_work(tx, now)


def ask_again(
    tx: Transaction,
    names: Iterable[str],
    label: int,
    now: datetime,
    *,
    background: bool = False,
) -> None:
    """Ask for names anew because something changed that shows from a label on.

    Args:
        names: A-labels, as claims have them.
        label: of the event; the verdicts below it are left as they are.
        background: whether it may wait behind what is new.
    """
    put_marks(tx, [(name, label, to_micros(now), background) for name in names])
    ask_for_work(tx, now)


def ask_again_of(tx: Transaction, origin: str, now: datetime, *, least: int = 0) -> int:
    """Ask in the background for every name that an origin has accepted claims on.

    For a change of its cap, trust or scopes, and of its reliability. Call it before what takes
    its claims out of the views, and after what puts them in.

    Args:
        least: the lowest label at which the change shows.

    Returns:
        How many marks were put; the names of a set are one.
    """
    number = put_marks_of_origin(tx, origin, now, least) + mark_sets_of(tx, origin, now, least)
    ask_for_work(tx, now)
    return number


def ask_for_adopted(tx: Transaction, sha256: str, now: datetime) -> None:
    """Ask for the names of a list that a person adopted, or released, in the caller's write."""
    if note_adopted(tx, sha256, now):
        ask_for_work(tx, now)


def ask_for_sets(tx: Transaction, now: datetime) -> None:
    """Ask for the names of sets whose list is here now."""
    ask_for_work(tx, now)


def ask_for_work(tx: Transaction, now: datetime) -> None:
    """Ask for the job once a write, at once."""
    if _ASKED not in tx.after_commit:
        tx.after_commit[_ASKED] = _nothing
        request_job(tx, VERDICTS, "", now, hurry=True)


def _nothing() -> None:
    """The job is asked for inside the write; the key alone says so."""
