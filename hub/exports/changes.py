"""What an export changes against the last good one, and whether it has to be stopped.

Decides with the circuit breaker, by size and by how many names were exchanged; names that a person
has announced (an adopted set) count for neither.

Invariant: two sorted lists are walked once, side by side, so that a million names take no memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from hub.exports.circuit_breaker import is_churn, is_jump
from hub.exports.listed_name import ListedName
from schemas.dns.subjects import Subject

SHOWN = 10
"""Names of each kind that a report shows."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changes against the last good export.

    Args:
        before: names of the last good one; None when there was none.
        added: how many names come; None where the last good one is not at hand.
        removed: how many go.
        announced_added: of those that come, how many a person announced.
        announced_removed: of those that go.
        first_added: the first of them.
        first_removed: the same.
    """

    before: int | None
    after: int
    added: int | None = None
    removed: int | None = None
    announced_added: int = 0
    announced_removed: int = 0
    first_added: tuple[str, ...] = ()
    first_removed: tuple[str, ...] = ()

    def is_stopped(self, *, jump_percent: int, churn_percent: int) -> bool:
        """Tell whether a person has to see it first."""
        if self.before is None:
            return False
        after = self.after - self.announced_added + self.announced_removed
        if is_jump(before=self.before, after=after, percent=jump_percent):
            return True
        if self.added is None or self.removed is None:
            return False
        changed = self.added + self.removed - self.announced_added - self.announced_removed
        return is_churn(before=self.before, changed=changed, percent=churn_percent)


def line_of(name: ListedName) -> str:
    """Write what a list says of a name; lines sort as names do, as a tab is less than any part."""
    return f"{name.value}\t{name.match_on}\t{name.match_scope}"


def compare(
    before: int | None,
    last: Iterable[str] | None,
    names: Sequence[ListedName],
    announced: Collection[str] = (),
) -> Changes:
    """Compare a list with the last good one.

    Args:
        before: how many names that one had; None when there was none.
        last: its lines, sorted; None where they are not at hand.
        announced: keys of subjects that a person has announced (``schemas.dns.subjects``).
    """
    if before is None or last is None:
        return Changes(before, len(names))
    added, removed = 0, 0
    announced_added, announced_removed = 0, 0
    first: dict[bool, list[str]] = {True: [], False: []}
    for line, comes in _differences(last, (line_of(each) for each in names)):
        value, match_on, _ = line.split("\t")
        is_announced = Subject(value, match_on).key in announced
        if comes:
            added += 1
            announced_added += is_announced
        else:
            removed += 1
            announced_removed += is_announced
        if len(first[comes]) < SHOWN:
            first[comes].append(value)
    return Changes(
        before,
        len(names),
        added,
        removed,
        announced_added,
        announced_removed,
        tuple(first[True]),
        tuple(first[False]),
    )


def _differences(old: Iterable[str], new: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Walk two sorted lists; of what only one has, say the line and whether it is new."""
    olds, news = iter(old), iter(new)
    left, right = next(olds, None), next(news, None)
    while left is not None or right is not None:
        if left == right:
            left, right = next(olds, None), next(news, None)
        elif right is None or (left is not None and left < right):
            yield left or "", False
            left = next(olds, None)
        else:
            yield right, True
            right = next(news, None)
