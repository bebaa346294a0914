"""Whose word a claim is in the end: lineages and echoes (PROTOCOL 4.4, THREATS 18).

Decides which claims on one name count as one report.

Invariants:
* one origin speaks in one lineage, however many objects and ``src`` tags it writes: a peer cannot
  corroborate itself by naming two sources;
* an echo joins one lineage and never ties two originals together, so that copying what others
  found can raise nobody's count and lower nobody's either;
* the order of the claims does not matter;
* a tag can only cost its author independence. Leaving it out makes the author's own lineage,
  which is what a claim without a tag has.

What it does not do: read time or storage; know what a peer has seen (the caller tells); look at
claims that the asked label does not show. Lineages are found among the visible ones each time and
are never stored, because a hidden original would otherwise show in a lower view (PROTOCOL 3.5).

>>> day = datetime(2026, 3, 1)
>>> original = Told("a", "h1", (), "evil.example", day, has_own_sighting=False)
>>> copy = Told("b", "h2", (), "evil.example", day + timedelta(days=2), has_own_sighting=False)
>>> lineages_of([copy, original], lambda origin, index: day if origin == "b" else None)
['origin:a', 'origin:a']
>>> lineages_of([copy, original], lambda origin, index: None)
['origin:b', 'origin:a']
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

ECHO_WINDOW: Final = timedelta(days=7)
"""PROTOCOL 4.4: how long after it received the original a copy counts as an echo."""


_Held = list[tuple[datetime, int]]
"""When an author is known to have held another's claim, and which."""


@dataclass(frozen=True, slots=True)
class Told:
    """What lineage needs to know of a claim.

    Args:
        origin: who wrote it.
        entry_hash: of the entry that carried it; None where there is none.
        src: the lineage tags of that entry, as its author wrote them.
        pattern_key: equal where two patterns mean the same; the name, for simple indicators.
        claimed_at: when it was written.
        has_own_sighting: the origin reported a sighting of its own beside it.
    """

    origin: str
    entry_hash: str | None
    src: tuple[str, ...]
    pattern_key: str
    claimed_at: datetime
    has_own_sighting: bool


def lineages_of(
    claims: Sequence[Told],
    had_received: Callable[[str, int], datetime | None],
    *,
    own: str | None = None,
) -> list[str]:
    """Name the lineage of each claim on one name, in the claims' order.

    Args:
        claims: those visible at one label.
        had_received: asked for an origin and the index of another's claim: when that origin is
            known to have held it, or None. What nobody knows makes no echo.
        own: this node. What it imports from two external lists are two lineages, because its
            operator chose the lists; a peer's word for its own two lists is one peer's word.
    """
    if len(claims) == 1:
        return [_key_of(claims[0])]
    keys = [_key_of(claim) for claim in claims]
    # Millions of names have two plain claims: each step is skipped where it has nothing to do.
    follows: list[int | None] = [None] * len(claims)
    if any(key.startswith("entry:") for key in keys):
        follows = _derived(claims, keys)
    held: dict[tuple[str, str], _Held] = {}
    for index, claim in enumerate(claims):
        imported = claim.origin == own and keys[index].startswith("feed:")
        if follows[index] is None and not claim.has_own_sighting and not imported:
            whose = (claim.origin, claim.pattern_key)
            if whose not in held:
                held[whose] = _held(claims, keys, index, had_received)
            follows[index] = _echoed(claim, held[whose])
    if len({claim.origin for claim in claims}) < len(claims):
        _one_voice_each(claims, keys, follows, own)
    if not any(to is not None for to in follows):
        return keys
    return [keys[_root_of(claims, keys, follows, index)] for index in range(len(claims))]


def _key_of(claim: Told) -> str:
    """Return the lineage of a claim by itself: an external list, an unseen entry, or its origin."""
    root = claim.src[0] if claim.src else ""
    if root.startswith(("feed:", "entry:")):
        return root.strip().lower()  # one list under two spellings is still one
    return f"origin:{claim.origin}"


def _derived(claims: Sequence[Told], keys: Sequence[str]) -> list[int | None]:
    """Point each claim that says it was made from an entry to the claim which that entry holds."""
    holders: dict[str, int] = {}
    for index, claim in enumerate(claims):
        if claim.entry_hash is not None:
            key = f"entry:{claim.entry_hash}"
            first = holders.get(key)
            if first is None or _rank(claims, keys, index) < _rank(claims, keys, first):
                holders[key] = index
    found = [holders.get(key) for key in keys]
    return [None if to == index else to for index, to in enumerate(found)]


def _held(
    claims: Sequence[Told],
    keys: Sequence[str],
    index: int,
    had_received: Callable[[str, int], datetime | None],
) -> _Held:
    """List what the author of a claim held of others' with its pattern, the first held first.

    Once an author and not once a claim: a peer may write tens of thousands on one name.
    """
    echo = claims[index]
    found = []
    for at, original in enumerate(claims):
        if original.origin == echo.origin or original.pattern_key != echo.pattern_key:
            continue
        received = had_received(echo.origin, at)
        if received is not None:
            found.append((received, *_rank(claims, keys, at), at))
    found.sort()
    return [(each[0], each[-1]) for each in found]


def _echoed(echo: Told, held: _Held) -> int | None:
    """Find the original that a claim repeats: the one that its author held first."""
    if not held:
        return None
    # Before it received the original it found the name by itself; a week after, it had time.
    at = bisect_left(held, echo.claimed_at, key=lambda each: each[0] + ECHO_WINDOW)
    if at == len(held) or held[at][0] > echo.claimed_at:
        return None
    return held[at][1]


def _one_voice_each(
    claims: Sequence[Told], keys: Sequence[str], follows: list[int | None], own: str | None
) -> None:
    """Point all claims of an origin to one of them: what it saw itself, else its earliest."""
    first: dict[str, int] = {}
    for index, claim in enumerate(claims):
        held = first.get(claim.origin)
        if held is None or _voice(claims, keys, index) < _voice(claims, keys, held):
            first[claim.origin] = index
    for index, claim in enumerate(claims):
        if claim.origin != own and first[claim.origin] != index:
            follows[index] = first[claim.origin]


def _root_of(
    claims: Sequence[Told], keys: Sequence[str], follows: Sequence[int | None], index: int
) -> int:
    """Follow a claim to the one that it comes from; in a circle, to the earliest.

    A circle is honest: who found a name first writes a newer version after others copied it.
    """
    seen: list[int] = [index]
    while (to := follows[seen[-1]]) is not None:
        if to in seen:
            circle = seen[seen.index(to) :]
            return min(circle, key=lambda each: _rank(claims, keys, each))
        seen.append(to)
    return seen[-1]


def _rank(
    claims: Sequence[Told], keys: Sequence[str], index: int
) -> tuple[datetime, str, str, str, str]:
    """Order claims by what they say alone, the earliest first."""
    claim = claims[index]
    return claim.claimed_at, claim.origin, keys[index], claim.pattern_key, claim.entry_hash or ""


def _voice(
    claims: Sequence[Told], keys: Sequence[str], index: int
) -> tuple[bool, datetime, str, str, str, str]:
    return not claims[index].has_own_sighting, *_rank(claims, keys, index)
