"""Make verdicts: read what is new, judge the names that it is about, publish what changed.

Invariants:
* one bounded write a call, so that nobody waits long for a turn; called until nothing is left;
* all that is new is read before a name is judged, so that where one reading ends changes no order;
* a name is judged for the label at which something happened and above; its lower verdicts, their
  dates and their places stay what they were (PROTOCOL 3.5);
* everything here can be made again from the claims: the writes need not reach the disk first.

What it does not do: decide anything itself (``name_verdict``, ``settling``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from federation.trust.fusion import BLOCKED_FROM
from hub.node import Node
from hub.storage.dialects import to_micros
from hub.storage.queries import claim_sources, verdict_work
from hub.storage.queries import claims as stored_claims
from hub.storage.queries.claims import LiveClaim
from hub.storage.queries.verdict_work import Mark, WorkItem, WorkState
from hub.storage.queries.verdicts import VerdictRow, verdicts_on
from hub.storage.transaction import Transaction
from hub.verdicts.adopted_claims import with_adopted
from hub.verdicts.beliefs import Beliefs
from hub.verdicts.claims import read_claims
from hub.verdicts.corroborate import corroborate
from hub.verdicts.disputes import read_disputes
from hub.verdicts.echoes import note_echoes
from hub.verdicts.evidence import Against, disputes_on, holds_on
from hub.verdicts.expand_sets import drop_unused, work_on_sets
from hub.verdicts.findings import NameFindings
from hub.verdicts.guards import Guards, load_guards, prepare_guards
from hub.verdicts.marks import ask_again, ask_again_of
from hub.verdicts.name_verdict import Weighing, decide_blocking
from hub.verdicts.protected_hits import note_protected_hits
from hub.verdicts.publish_verdicts import NameChange, publish_verdicts
from hub.verdicts.settling import Settled, settle

__all__ = ["Refreshed", "ask_again", "ask_again_of", "refresh_verdicts"]

AT_ONCE: Final = 1_000
"""Names in one write, which then takes some 100 ms."""
READ_AT_ONCE: Final = 2_000
_REFERS: Final = "entry:"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What one write did.

    Args:
        read: objects that were looked at for claims.
        done: names that were judged.
        changed: verdicts that were issued, issued again or revoked.
        is_finished: whether nothing is due any more.
        due_at: when time alone changes the next verdict; None when it never does.
    """

    read: int = 0
    done: int = 0
    changed: int = 0
    is_finished: bool = True
    due_at: datetime | None = None


def refresh_verdicts(node: Node, limit: int = AT_ONCE) -> Refreshed:
    """Bring verdicts up to date, as much as fits into one write."""
    with node.database.read() as tx:
        # A look costs no turn among the writers, nor do guards that have to be built anew.
        state = verdict_work.state_of_work(tx)
        if not _is_work(state, node.now()):
            return Refreshed(due_at=state.due_at)
        prepare_guards(tx, node)
    if state.has_sets:
        return Refreshed(read=work_on_sets(node), is_finished=False)
    with node.database.write(durable=False) as tx:
        now = node.now()
        before = verdict_work.state_of_work(tx)
        read = read_claims(tx, before, max(READ_AT_ONCE, limit))
        read_disputes(tx, node, before.read, read.to, now, read.again)
        guards = load_guards(tx, node)
        if read.new:
            told = [(claim.origin, claim.name, claim.match_scope) for claim in read.new]
            note_protected_hits(tx, node, guards, told, now)
            note_echoes(tx, node, read.new, now)
        corroborated = corroborate(tx, node, read.names, now)
        if not read.finished:
            return Refreshed(read=read.objects, is_finished=False)
        items = verdict_work.take_due(tx, now, limit)
        changes = judge_names(tx, node, items, guards, now)
        changed = publish_verdicts(tx, node, changes, now)
        after = verdict_work.state_of_work(tx)
        if after.newest > after.read:
            # What came since the reading is what was published just now: no claims.
            stored_claims.move_watermark(tx, after.newest)
        # What was let in just now is read once more before its verdict is the last word.
        left = corroborated > 0 or after.reads_again or after.is_due(now) or after.has_sets
        if not left and after.is_dropping:
            left = drop_unused(tx)
        return Refreshed(read.objects, len(items), changed, not left, after.due_at)


def refresh_all(node: Node, limit: int = AT_ONCE) -> Refreshed:
    """Bring verdicts up to date to the last one."""
    total = Refreshed()
    while True:
        part = refresh_verdicts(node, limit)
        total = Refreshed(
            total.read + part.read, total.done + part.done, total.changed + part.changed
        )
        if part.is_finished:
            return total


def is_verdict_due(tx: Transaction, now: datetime) -> bool:
    """Tell whether there is anything to read or to judge."""
    return _is_work(verdict_work.state_of_work(tx), now)


def _is_work(state: WorkState, now: datetime) -> bool:
    return state.is_unread or state.is_due(now) or state.has_sets or state.is_dropping


def judge_names(
    tx: Transaction, node: Node, items: Sequence[WorkItem], guards: Guards, now: datetime
) -> list[NameChange]:
    """Judge names, each from the lowest label at which something happened, and settle them."""
    places: dict[str, list[tuple[int, int]]] = {}
    for place, item in enumerate(items):
        places.setdefault(item.name, []).append((place, item.label))
    names = list(places)
    if not names:
        return []
    lowest = {name: min(label for _, label in places[name]) for name in names}
    claims = with_adopted(tx, node.node_id, stored_claims.live_claims(tx, names), now)
    disputes = disputes_on(tx, names)
    weighing = gather(tx, node, claims, disputes, now)
    found = [
        weighing.judge(name, claims.get(name, ()), disputes.get(name, ()), lowest[name])
        for name in names
    ]
    decide_blocks(tx, guards, found, now)
    _mark_beginnings(tx, found, lowest)
    rows = verdicts_on(tx, names)
    changes = []
    settling = _Settling(now)
    for each in found:
        held: Mapping[int, VerdictRow] = rows.get(each.name, {})
        settled = settling.settle(each, held, lowest[each.name])
        if settled:
            order = Order(places[each.name])
            changes.append(NameChange(each.name, lowest[each.name], settled, held, order))
    return changes


class _Settling:
    """Settles names; once only those that have the same evidence, and no verdict yet."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._known: dict[tuple[object, ...], Sequence[Settled]] = {}

    def settle(
        self, found: NameFindings, rows: Mapping[int, VerdictRow], from_label: int
    ) -> Sequence[Settled]:
        if rows or not found.alike:
            return settle(found, rows, from_label, self._now)
        blocks = [finding and finding.codes for finding in found.findings.values()]
        key = (found.alike, from_label, *blocks)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = settle(found, rows, from_label, self._now)
        return [settled.on(found.name) for settled in known]


class Order:
    """The place of a name in the order of what happened up to a ceiling."""

    __slots__ = ("_places",)

    def __init__(self, places: Sequence[tuple[int, int]]) -> None:
        self._places = places

    def __call__(self, ceiling: int) -> int:
        if len(self._places) == 1:
            return self._places[0][0]
        return min((place for place, label in self._places if label <= ceiling), default=0)


def gather(
    tx: Transaction,
    node: Node,
    claims: Mapping[str, Sequence[LiveClaim]],
    disputes: Mapping[str, Sequence[Against]],
    now: datetime,
) -> Weighing:
    """Gather what the names of a batch are judged by; what only some ask for, for those alone."""
    origins: set[str] = set()
    several: set[str] = set()
    feeds: set[int] = set()
    echoing: set[str] = set()
    entries: set[tuple[int, int]] = set()
    for found in claims.values():
        spoke = {claim.origin for claim in found}
        origins |= spoke
        if len(found) == 1 and not found[0].several:
            continue
        several |= {claim.stix_id for claim in found if claim.several}
        if len(spoke) > 1:
            feeds |= {claim.feed_row for claim in found if claim.feed_row is not None}
            echoing |= spoke
        if any(tag.startswith(_REFERS) for claim in found for tag in claim.src):
            entries |= {(c.feed_row or 0, c.seq or 0) for c in found}
    origins |= {each.origin for found in disputes.values() for each in found}
    return Weighing(
        now=to_micros(now),
        own=node.node_id,
        beliefs=Beliefs(tx, node, origins, now),
        held=claim_sources.held_by(tx, feeds, echoing) if feeds else {},
        hashes=claim_sources.hashes_of_entries(tx, entries) if entries else {},
        versions=stored_claims.versions_of(tx, several, accepted=True) if several else {},
    )


def decide_blocks(
    tx: Transaction, guards: Guards, found: Sequence[NameFindings], now: datetime
) -> None:
    by_label: dict[int, list[str]] = {}
    for each in found:
        for label, finding in each.findings.items():
            if finding is not None and finding.fused.result >= BLOCKED_FROM:
                by_label.setdefault(label, []).append(each.name)
    holds = {label: holds_on(tx, names, label, now) for label, names in by_label.items()}
    for each in found:
        for label, finding in each.findings.items():
            if finding is not None:
                held = holds[label].get(each.name, ()) if label in holds else ()
                decide_blocking(finding, guards, held)


def _mark_beginnings(
    tx: Transaction, found: Sequence[NameFindings], lowest: Mapping[str, int]
) -> None:
    """Ask for names again when claims begin that do not count yet."""
    marks: list[Mark] = [
        (each.name, label, at, False)
        for each in found
        for label, at in each.begins.items()
        if label >= lowest[each.name]
    ]
    verdict_work.put_marks(tx, marks)
