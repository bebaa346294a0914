"""Decide what becomes of a name's verdicts: issued, issued again, revoked, or left as they are.

Invariants:
* a result is published from 0.3 on, and no verdict goes unrevoked that has lost its support;
* issued again when its confidence moved by five points or more, when it crossed what may be
  blocked, when the threat types or the reach changed, and in its last 48 hours (PROTOCOL 4.8);
* it ends at most seven days ahead, and never after the last claim's own end;
* what a label does not show changes neither the rows below it nor their dates.

What it does not do: write (``publish_verdicts``), or read a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from federation.trust.fusion import BLOCKED_FROM, PUBLISHED_FROM, RULES
from hub.storage.dialects import from_micros
from hub.storage.queries.verdicts import VerdictRow
from hub.verdicts.findings import Finding, NameFindings

LONGEST: Final = timedelta(days=7)
LAST_HOURS: Final = timedelta(hours=48)
KEPT_REVOKED: Final = timedelta(days=30)
HELD_AGAIN: Final = timedelta(hours=1)
"""What a person or an authority holds is looked at again this often: holds end by time."""
MOVED: Final = 5
_BLOCKED_POINTS: Final = round(100 * BLOCKED_FROM)
_WORTH_IT: Final = timedelta(hours=1)
_TICK: Final = timedelta(milliseconds=1)


class Step(Enum):
    """What is done with a verdict."""

    KEEP = "keep"
    ISSUE = "issue"
    REISSUE = "reissue"
    REVOKE = "revoke"
    PURGE = "purge"


@dataclass(frozen=True, slots=True)
class Settled:
    """A verdict as it is from now on, and what is to be done for that.

    Args:
        was: its object before a first issue; what was revoked gives way to it.
    """

    row: VerdictRow
    step: Step
    was: int | None = None

    def on(self, name: str) -> Settled:
        """Return the same for another name with the same evidence, and no verdict before."""
        return Settled(self.row.on(name), self.step, self.was)


def settle(
    found: NameFindings, rows: Mapping[int, VerdictRow], from_label: int, now: datetime
) -> list[Settled]:
    """Settle a name's verdicts from a label on; of those below only for whom they are.

    Args:
        found: what the claims come to now.
        rows: the verdicts as they are stored, by label.
    """
    settled: list[Settled] = []
    for label in sorted({*found.findings, *rows}):
        row, shown_to = rows.get(label), found.shown_to(label)
        if label < from_label:
            if row is not None and row.shown_to != shown_to:
                settled.append(Settled(replace(row, shown_to=shown_to), Step.KEEP))
            continue
        finding = found.findings.get(label)
        if finding is not None and finding.fused.result >= PUBLISHED_FROM:
            settled.append(_supported(finding, row, shown_to, now))
        elif row is not None:
            settled.append(_unsupported(finding, row, shown_to, now))
    return settled


def _supported(finding: Finding, row: VerdictRow | None, shown_to: int, now: datetime) -> Settled:
    until = _cut(now + LONGEST)
    if finding.ends is not None:
        until = min(until, _cut(from_micros(finding.ends)))
    is_live = row is not None and row.is_live
    if row is not None and is_live and not _is_worth_issuing(finding, row, until, now):
        kept = replace(
            row,
            shown_to=shown_to,
            result=finding.fused.result,
            lineages=finding.fused.lineages,
            trusted_lineages=finding.fused.trusted_lineages,
            dispute=finding.fused.dispute,
            block=finding.block,
            block_codes=finding.codes,
            look_again_at=_look_again(finding, row.valid_until or until, now),
            rules=RULES,
        )
        return Settled(kept, Step.KEEP)
    issued_at = _cut(now)
    if row is not None:
        issued_at = max(issued_at, row.issued_at + _TICK)
    issued = VerdictRow(
        name=finding.name,
        label=finding.label,
        shown_to=shown_to,
        object_row=row.object_row if row is not None and is_live else None,
        generation=1 if row is None else row.generation + (not is_live),
        result=finding.fused.result,
        confidence=points(finding.fused.result),
        lineages=finding.fused.lineages,
        trusted_lineages=finding.fused.trusted_lineages,
        dispute=finding.fused.dispute,
        threat_type=finding.threat_type,
        threat_types=finding.threat_types,
        match_scope=finding.match_scope,
        block=finding.block,
        block_codes=finding.codes,
        created_at=row.created_at if row is not None and is_live else issued_at,
        issued_at=issued_at,
        valid_until=max(until, issued_at + _TICK),
        look_again_at=_look_again(finding, until, now),
        revoked_at=None,
        rules=RULES,
    )
    if is_live:
        return Settled(issued, Step.REISSUE)
    return Settled(issued, Step.ISSUE, None if row is None else row.object_row)


def _is_worth_issuing(finding: Finding, row: VerdictRow, until: datetime, now: datetime) -> bool:
    now_points = points(finding.fused.result)
    valid_until = row.valid_until or now
    return (
        abs(now_points - row.confidence) >= MOVED
        or (now_points >= _BLOCKED_POINTS) != (row.confidence >= _BLOCKED_POINTS)
        or set(finding.threat_types) != set(row.threat_types)
        or finding.match_scope != row.match_scope
        or until < valid_until - _WORTH_IT  # its claims end earlier than they did
        or (now >= valid_until - LAST_HOURS and until > valid_until + _WORTH_IT)
    )


def _unsupported(finding: Finding | None, row: VerdictRow, shown_to: int, now: datetime) -> Settled:
    fused = None if finding is None else finding.fused
    left = replace(
        row,
        shown_to=shown_to,
        result=0.0 if fused is None else fused.result,
        lineages=0 if fused is None else fused.lineages,
        trusted_lineages=0 if fused is None else fused.trusted_lineages,
        dispute=0.0 if fused is None else fused.dispute,
        block=False,
        block_codes=() if finding is None else finding.codes,
        rules=RULES,
    )
    if row.is_live:
        at = max(_cut(now), row.issued_at + _TICK)
        left = replace(left, issued_at=at, revoked_at=at, look_again_at=at + KEPT_REVOKED)
        return Settled(left, Step.REVOKE)
    if row.object_row is not None and row.revoked_at is not None:
        if now >= row.revoked_at + KEPT_REVOKED:
            return Settled(replace(left, look_again_at=None), Step.PURGE)
        return Settled(replace(left, look_again_at=row.revoked_at + KEPT_REVOKED), Step.KEEP)
    return Settled(replace(left, look_again_at=None), Step.KEEP)


def _look_again(finding: Finding, until: datetime, now: datetime) -> datetime:
    """Tell when time alone may change something."""
    last_hours = until - LAST_HOURS
    looks = [last_hours if last_hours > now else max(until, now + _WORTH_IT)]
    looks.append(from_micros(finding.look_at))
    if any(not code.startswith(("NOT_BLOCKED", "BLOCKED")) for code in finding.codes):
        looks.append(now + HELD_AGAIN)
    return max(min(looks), now + _TICK)


def points(result: float) -> int:
    """Write a result as STIX's confidence."""
    return round(100 * result)


def _cut(at: datetime) -> datetime:
    """Cut an instant to what is written on the wire."""
    return at - timedelta(microseconds=at.microsecond % 1000)
