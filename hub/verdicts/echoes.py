"""Tell a person who writes others' claims anew under its own name (THREATS 18).

Re-authoring strips origin and markings, and cannot be prevented. What can be done is to count the
copy as the original's word (``federation.trust.lineage``), and to say so.

Invariants:
* a copy is an indicator on the same name, by another origin that is known to have held the
  original, written within a week of that; who reports a sighting of its own is believed, unless
  its label is laxer than all that it held of others on the name;
* a laxer copy is a possible breach of the TLP and has an alarm of its own, so that it is told even
  where harmless copies of that peer are known already;
* copies that wait in quarantine are told too, and so are copies of what no machine is shown;
* one alarm a peer and kind, which grows; it is for the operator alone, who sees every label, and
  nothing that a reader or peer sees follows from it (PROTOCOL 3.5).

What it does not do: turn a dial, or publish anything. Only what is new is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from federation.policy.admission import ADMISSION_CODES
from federation.trust.lineage import ECHO_WINDOW
from hub.monitoring.alarms import ECHO, ECHO_LAXER, raise_alarm
from hub.node import Node
from hub.storage.dialects import from_micros
from hub.storage.queries.alarms import find_open_alarm
from hub.storage.queries.claim_sources import held_by, is_anybody_known_to_hold, names_of_several
from hub.storage.queries.claims import LiveClaim, StoredClaim
from hub.storage.queries.corroboration import voices_on
from hub.storage.transaction import Transaction
from hub.verdicts.beliefs import Beliefs
from hub.verdicts.held_claims import had_received_by
from schemas.markings import Tlp

_SHOWN: Final = 5
_RECENT: Final = timedelta(days=30)
"""Older copies, of a backfill or a first start, are nobody's news."""
_OF_ONE: Final = 100
"""So many claims of an origin on a name are compared."""
_OWN_SIGHTING: Final = "own-sensor"


@dataclass(frozen=True, slots=True)
class Echo:
    """A claim that repeats another's.

    Args:
        laxer: its label is below every label at which its author held it from others.
    """

    copy: LiveClaim
    original: LiveClaim
    laxer: bool


def note_echoes(tx: Transaction, node: Node, new: Sequence[StoredClaim], now: datetime) -> int:
    """Tell of the copies among the new claims, and of copies of them; return how many."""
    if not new or not is_anybody_known_to_hold(tx):
        return 0
    names = names_of_several(tx, {claim.name for claim in new})
    if not names:
        return 0
    voices = voices_on(tx, names, ADMISSION_CODES)
    told = {name: _bounded(voice.claim for voice in found) for name, found in voices.items()}
    claims = [claim for found in told.values() for claim in found]
    origins = {claim.origin for claim in claims}
    feeds = {claim.feed_row for claim in claims if claim.feed_row is not None}
    held = held_by(tx, feeds, origins) if feeds else {}
    if not held:
        return 0
    beliefs = Beliefs(tx, node, origins, now)
    fresh = {claim.object_row for claim in new}
    found = [
        echo
        for on_name in told.values()
        for copier in sorted({claim.origin for claim in on_name} - {node.node_id})
        for echo in _echoes(on_name, copier, held, beliefs, now)
        if not fresh.isdisjoint((echo.copy.object_row, echo.original.object_row))
    ]
    for laxer, code in ((False, ECHO), (True, ECHO_LAXER)):
        for copier in sorted({echo.copy.origin for echo in found if echo.laxer is laxer}):
            mine = [e for e in found if e.copy.origin == copier and e.laxer is laxer]
            _tell(tx, code, copier, mine, beliefs, now)
    return len(found)


def _bounded(claims: Iterable[LiveClaim]) -> list[LiveClaim]:
    """Keep the newest of each origin: a peer may write thousands on one name."""
    kept: dict[str, list[LiveClaim]] = {}
    for claim in claims:
        if not claim.revoked:
            kept.setdefault(claim.origin, []).append(claim)
    return [claim for found in kept.values() for claim in found[-_OF_ONE:]]


def _echoes(
    claims: Sequence[LiveClaim],
    copier: str,
    held: dict[tuple[int, str], int],
    beliefs: Beliefs,
    now: datetime,
) -> Iterator[Echo]:
    had_received = had_received_by(claims, held, beliefs)
    known = sorted(
        ((received, at) for at, claim in enumerate(claims)
         if claim.origin != copier and (received := had_received(copier, at)) is not None),
    )  # fmt: skip
    for copy in claims:
        written = from_micros(copy.claimed_at)
        if copy.origin != copier or written < now - _RECENT:
            continue
        before = [(received, claims[at]) for received, at in known if received <= written]
        original = next((o for received, o in before if written <= received + ECHO_WINDOW), None)
        if original is None:
            continue
        laxer = copy.label < min(o.label for _, o in before)
        if laxer or _OWN_SIGHTING not in copy.src:
            yield Echo(copy, original, laxer)


def _tell(
    tx: Transaction,
    code: str,
    copier: str,
    echoes: Collection[Echo],
    beliefs: Beliefs,
    now: datetime,
) -> None:
    opened = find_open_alarm(tx, code, copier)
    before: Mapping[str, Any] = {} if opened is None else opened.params
    said = [[e.copy.name, Tlp(e.original.label).wire, Tlp(e.copy.label).wire] for e in echoes]
    raise_alarm(
        tx,
        code,
        copier,
        now,
        name=beliefs[copier].name,
        copies=len(said) + before.get("copies", 0),
        # What is news first; the first five say enough.
        claims=[*said, *before.get("claims", ())][:_SHOWN],
        # Beside them, because the audit can forget names and not what was claimed.
        by=[*(beliefs[e.original.origin].name for e in echoes), *before.get("by", ())][:_SHOWN],
    )
