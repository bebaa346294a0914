"""Cut objects into entries so that every reference points into the same entry or an earlier one.

Pure. A receiver resolves references against what it already holds (PROTOCOL 3.4), so a forward
reference into a later entry would be a leak at the moment of receipt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from federation.policy.closure import references_of
from federation.policy.labels import markings_of
from schemas.strict_json import write_json

MAX_OBJECTS = 64
MAX_BYTES = 240_000
"""Below the 262,144 bytes of a payload, so that its other members fit (PROTOCOL 2.1)."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One object ready to be sealed.

    Args:
        raw: the bytes that will be signed.
        idn: the name that proves the id.
        refs: the ids that it mentions.
        markings: the markings that it bears, TLP ones excepted.
    """

    stix_id: str
    value: Mapping[str, object]
    raw: bytes
    idn: str | None = None
    refs: frozenset[str] = frozenset()
    markings: frozenset[str] = frozenset()


def prepared(value: Mapping[str, object], idn: str | None = None) -> Prepared:
    """Make an object ready to be sealed."""
    return Prepared(
        str(value["id"]), value, write_json(value), idn, references_of(value), markings_of(value)
    )


def in_entries(
    objects: Sequence[Prepared], *, room: int = MAX_OBJECTS, max_bytes: int = MAX_BYTES
) -> list[tuple[Prepared, ...]]:
    """Cut objects into entries of at most ``room`` objects and ``max_bytes``; each id once.

    Objects that refer to each other in a circle stay together.

    Raises:
        ValueError: when one circle is larger than an entry; names an object of it.
    """
    entries: list[tuple[Prepared, ...]] = []
    current: list[Prepared] = []
    size = 0
    for circle in _circles(objects):
        weight = sum(len(member.raw) + 1 for member in circle)
        if len(circle) > room or weight > max_bytes:
            raise ValueError(circle[0].stix_id)
        if current and (len(current) + len(circle) > room or size + weight > max_bytes):
            entries.append(tuple(current))
            current, size = [], 0
        current += circle
        size += weight
    if current:
        entries.append(tuple(current))
    return entries


def _circles(objects: Sequence[Prepared]) -> Iterator[list[Prepared]]:
    """Yield strongly connected groups, what is referred to first (Tarjan, without recursion)."""
    by_id = {item.stix_id: item for item in objects}
    refs = {item.stix_id: [ref for ref in sorted(item.refs) if ref in by_id] for item in objects}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for start in by_id:
        if start in index:
            continue
        work = [(start, iter(refs[start]))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, pending = work[-1]
            following = next((ref for ref in pending if ref not in index), None)
            if following is not None:
                index[following] = low[following] = len(index)
                stack.append(following)
                on_stack.add(following)
                work.append((following, iter(refs[following])))
                continue
            work.pop()
            low[node] = min(
                [low[node]] + [min(low[r], index[r]) for r in refs[node] if r in on_stack]
            )
            if work:
                parent = work[-1][0]
                low[parent] = min(low[parent], low[node])
            if low[node] == index[node]:
                group = _pop_group(stack, on_stack, node)
                yield [by_id[member] for member in group]


def _pop_group(stack: list[str], on_stack: set[str], root: str) -> list[str]:
    group = []
    while True:
        member = stack.pop()
        on_stack.discard(member)
        group.append(member)
        if member == root:
            return group[::-1]
