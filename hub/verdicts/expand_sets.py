"""Make claims of the names that domain sets list, and mark names of sets (DNS 1, "Volume").

Decides which of a set's names become claims now, from when until when each counts, and whose
verdicts a set changes.

Invariants:
* a set's names say what its grouping says: origin, label, state and confidence are its object's, so
  that fusion, lineages, guards, labels and quarantine hold for them as for indicators;
* each write is bounded, and where it ended is stored with it: a restart goes on there;
* no name is judged while a list is being read, so that a newer version takes the place of the one
  before it in one step: until its list is whole here, the older one counts;
* a name is marked when its window begins, never before; a window that is over makes no claim;
* of a newer version only the names that differ are marked, where nothing else does;
* the marks bear the set's label and the time at which it became visible (PROTOCOL 3.5), and stand
  behind what is new: a quarter of a million names keep no indicator waiting.

What it does not do: fetch lists, or verify their digest. Not done: disputes of a set as a whole; an
opinion refers to objects of its own origin alone (PROTOCOL 3.4), so it is on names, as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from functools import lru_cache
from itertools import islice
from typing import Final

from hub.node import Node
from hub.storage.dialects import to_micros
from hub.storage.queries import claims as stored_claims
from hub.storage.queries import set_claims as stored
from hub.storage.queries.adopted_sets import adopted_objects
from hub.storage.queries.blobs import blob_bytes
from hub.storage.queries.claims import StoredClaim, UnreadObject
from hub.storage.queries.set_claims import SetVersion, WaitingSet, Window
from hub.storage.queries.set_marks import move_marking, next_names_to_mark
from hub.storage.queries.verdict_work import Mark, put_marks
from hub.storage.transaction import Transaction
from hub.verdicts.claims import claim_of, sources_of
from hub.verdicts.corroborate import corroborate
from hub.verdicts.echoes import note_echoes
from hub.verdicts.guards import load_guards
from hub.verdicts.protected_hits import note_protected_hits
from hub.verdicts.set_budgets import count_names, has_names_left
from schemas.dns.domain_sets import SetLine, read_list
from schemas.dns.extensions import THREAT_TYPES
from schemas.errors import WireFormatError
from schemas.strict_json import strict_loads

LINES_AT_ONCE: Final = 4_000
"""In one write, which then takes some 50 ms."""
WRITES_AT_ONCE: Final = 25
"""In one call, so that a worker which is told to stop does so soon."""
MOST_WINDOWS: Final = 366
"""Of one name; all of them are read whenever the name is judged."""
_COMPARED: Final = 200
"""So many names of a set are looked at for whether it copies another's."""
Windows = list[tuple[int | None, int | None]]


def work_on_sets(
    node: Node, lines_at_once: int = LINES_AT_ONCE, writes_at_once: int = WRITES_AT_ONCE
) -> int:
    """Do some of what there is to do for sets; return how many names it was about."""
    with node.database.read() as tx:
        waiting = stored.next_set(tx)
        data = b"" if waiting is None else blob_bytes(tx, waiting.sha256)
    if waiting is not None:
        return _Expanding(node, waiting, data).run(lines_at_once, writes_at_once)
    return _mark_some(node, lines_at_once)


def drop_unused(tx: Transaction) -> bool:
    """Take out some claims that nothing goes by any more; tell whether there were any."""
    return stored.drop_some(tx, LINES_AT_ONCE)


def _mark_some(node: Node, limit: int) -> int:
    """Mark the next names of a set that was shown again, or left the views."""
    with node.database.write(durable=False) as tx:
        asked = next_names_to_mark(tx, limit)
        if asked is None:
            return 0
        put_marks(tx, [(name, asked.label, asked.at, True) for name in asked.names])
        corroborate(tx, node, asked.names, node.now())
        is_last = len(asked.names) < limit
        move_marking(tx, asked.object_row, None if is_last else asked.names[-1])
        if is_last:
            stored.let_go_of_gone(tx, asked.object_row)
            _let_go_of_old(tx, asked.object_row)
        return len(asked.names)


@dataclass(frozen=True, slots=True)
class _Before:
    """The version that a set takes the place of.

    Args:
        is_alike: they differ in names alone.
    """

    version: SetVersion | None = None
    is_alike: bool = False


class _Expanding:
    """One set, as far as one call reads it."""

    def __init__(self, node: Node, waiting: WaitingSet, data: bytes) -> None:
        self._node, self._waiting, self._data = node, waiting, data
        self._now = to_micros(node.now())
        self._before = _Before()
        self._facts: StoredClaim

    def run(self, lines_at_once: int, writes_at_once: int) -> int:
        """Read on, and tell how many lines."""
        if not self._data:
            return self._end(stored.WAITS, None)  # its bytes are gone: they are fetched anew
        if not self._may_begin():
            return 1
        began, lines, last = self._waiting.done, self._lines(), ""
        try:
            if began == 0:
                _require_few_windows(self._lines())  # all is checked before any of it counts
            for line in islice(lines, began):
                last = line.name
        except WireFormatError as error:
            return self._end(stored.REFUSED, error.code)
        batches = _batches(lines, lines_at_once)
        for _ in range(writes_at_once):
            batch = next(batches, None)
            if not self._write(last, batch):
                break
            if batch is None:
                break
            last = batch[-1].name
        return max(1, self._waiting.done - began)

    def _may_begin(self) -> bool:
        """Tell whether the list may be read today; where it may not, it waits (THREATS 36)."""
        waiting, now = self._waiting, self._node.now()
        if waiting.done:
            return True
        with self._node.database.read() as tx:
            if has_names_left(tx, self._node, waiting.item.origin, now):
                return True
        self._end(stored.HELD, stored.OUT_OF_NAMES)
        return False

    def _lines(self) -> Iterator[SetLine]:
        waiting = self._waiting
        return read_list(self._data, dated=waiting.dated, count=waiting.domain_count)

    def _end(self, state: str, code: str | None) -> int:
        with self._node.database.write() as tx:
            if stored.is_still_at(tx, self._waiting):
                stored.move_set(tx, self._waiting.item.object_row, state, code=code)
        return 1

    def _write(self, after: str, batch: Sequence[SetLine] | None) -> bool:
        """Store the claims of a batch, in one write; None for what follows the last line.

        Returns:
            False when somebody else has worked on it, or it is not to be expanded any more.
        """
        with self._node.database.write(durable=False) as tx:
            if not stored.is_still_at(tx, self._waiting):
                return False
            self._facts = _facts_of(tx, self._waiting)
            self._before = _version_before(tx, self._waiting.item, self._facts)
            if not self._waiting.done:
                count_names(
                    tx, self._waiting.item.origin, self._waiting.domain_count, self._node.now()
                )
            number = self._waiting.item.object_row
            up_to = None if batch is None else batch[-1].name
            windows = {} if batch is None else self._windows(batch)
            known = stored.replace_windows(tx, number, after, up_to)
            stored.store_windows(tx, self._facts, _flat(windows))
            self._mark(tx, after, up_to, windows)
            self._look(tx, [name for name in windows if name not in known], after)
            if batch is None:
                self._finish(tx)
                return True
            done = self._waiting.done + len(batch)
            stored.move_set(tx, number, stored.EXPANDING, done)
        self._waiting = replace(self._waiting, done=done)
        return True

    def _windows(self, batch: Sequence[SetLine]) -> dict[str, Windows]:
        """List when each name counts, of what is not over."""
        waiting, now = self._waiting, self._now
        if not waiting.dated:
            window = (waiting.valid_from, waiting.valid_until)
            if waiting.valid_until is not None and waiting.valid_until <= now:
                return {}
            return {line.name: [window] for line in batch}
        found: dict[str, Windows] = {}
        for line in batch:
            begins, ends = _days(line)
            if ends > now:
                found.setdefault(line.name, []).append((begins, ends))
        return found

    def _mark(
        self, tx: Transaction, after: str, up_to: str | None, windows: Mapping[str, Windows]
    ) -> None:
        before = self._before.version
        old: Mapping[str, Windows] = {}
        if before is not None:
            old = stored.windows_between(tx, before.object_row, after, up_to)
            old = {name: left for name, all_ in old.items() if (left := _left(all_, self._now))}
        item, alike = self._waiting.item, self._before.is_alike
        at = item.received_at if item.visible_at is None else item.visible_at
        marks: list[Mark] = []
        for name, own in windows.items():
            if not alike or old.get(name) != own:
                begins = min(begin or 0 for begin, _ in own)
                # What another version said of it is over at once, whenever this one begins.
                marks.append((name, item.label, at if name in old else max(at, begins), True))
        marks += [(name, item.label, at, True) for name in old if name not in windows]
        put_marks(tx, marks)

    def _look(self, tx: Transaction, names: Sequence[str], after: str) -> None:
        """Look at names that are claimed for the first time: are they protected, or known?"""
        if not names:
            return
        node, facts, now = self._node, self._facts, self._node.now()
        told = ((facts.origin, name, facts.match_scope) for name in names)
        of_set = self._waiting.item.stix_id
        note_protected_hits(tx, node, load_guards(tx, node), told, now, of_set=of_set)
        corroborate(tx, node, names, now)
        if not after:
            # A list that is copied is copied whole: its first names tell.
            said = [replace(facts, name=name) for name in names[:_COMPARED]]
            note_echoes(tx, node, said, now)

    def _finish(self, tx: Transaction) -> None:
        item = self._waiting.item
        stored.move_set(tx, item.object_row, stored.EXPANDED, self._waiting.done)
        _let_go_of_old(tx, item.object_row)


def _facts_of(tx: Transaction, waiting: WaitingSet) -> StoredClaim:
    item = waiting.item
    carriers = stored_claims.carriers_of(tx, [item.object_row])
    threat = waiting.threat_type if waiting.threat_type in THREAT_TYPES else None
    claim = claim_of(
        item,
        strict_loads(item.content),
        carriers.get(item.object_row),
        sources_of(tx, carriers),
        ("", threat, waiting.match_scope),
    )
    # Looked up once a batch and not once a name, so it need not be known beforehand.
    return replace(claim, several=True)


def _let_go_of_old(tx: Transaction, object_row: int) -> None:
    """Have the names taken out of versions that no view goes by any more.

    A newer version stands wherever the old one does. Of a list that a person adopted the names are
    kept as long as no newer one is adopted: they say for which names that person stands.
    """
    versions = stored.versions_beside(tx, object_row)
    adopted = adopted_objects(tx) if len(versions) > 1 else {}
    for place, old in enumerate(versions):
        if any(
            new.label <= old.label and (old.object_row not in adopted or new.object_row in adopted)
            for new in versions[place + 1 :]
        ):
            stored.move_set(tx, old.object_row, stored.DROPPING)


def _version_before(tx: Transaction, item: UnreadObject, facts: StoredClaim) -> _Before:
    mine = (item.version_at or 0, item.object_row)
    older = [
        each
        for each in stored.accepted_versions(tx, [item.stix_id])
        if each.origin == item.origin
        and each.state == stored.EXPANDED
        and (0 if each.version_at is None else to_micros(each.version_at), each.object_row) < mine
    ]
    if not older:
        return _Before()
    before = older[-1]
    said = stored.first_claim(tx, before.object_row)
    says = (facts.confidence, facts.threat_type, facts.match_scope, list(facts.src), facts.pap)
    alike = said is not None and (*said[:3], list(said[3] or ()), said[4]) == says
    return _Before(before, alike and before.label == item.label)


def _batches(lines: Iterator[SetLine], most: int) -> Iterator[Sequence[SetLine]]:
    """Cut a list into what fits into a write; the windows of one name stay together."""
    batch: list[SetLine] = []
    for line in lines:
        if len(batch) >= most and line.name != batch[-1].name:
            yield batch
            batch = []
        batch.append(line)
    if batch:
        yield batch


def _require_few_windows(lines: Iterator[SetLine]) -> None:
    """Check that no name has so many windows that judging it once would cost as much as a list.

    Raises:
        WireFormatError: ``E_SET_DATES``, or what reading the list finds.
    """
    name, number = "", 0
    for line in lines:
        number = number + 1 if line.name == name else 1
        name = line.name
        if number > MOST_WINDOWS:
            raise WireFormatError("E_SET_DATES", f"{name} has more than {MOST_WINDOWS} windows")


@lru_cache(maxsize=4096)
def _day(number: int) -> int:
    return to_micros(datetime.combine(datetime.fromordinal(number), time(), UTC))


def _days(line: SetLine) -> tuple[int, int]:
    """Turn days, both of which count, into the microsecond of the first and after the last."""
    if line.first is None or line.last is None:
        return 0, 0
    return _day(line.first.toordinal()), _day(line.last.toordinal() + 1)


def _left(windows: Windows, now: int) -> Windows:
    return [(begin, end) for begin, end in windows if end is None or end > now]


def _flat(windows: Mapping[str, Windows]) -> Iterator[Window]:
    for name, own in windows.items():
        for part, (begins, ends) in enumerate(own):
            yield name, part, begins, ends
