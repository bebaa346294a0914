"""What a block of a name would take along: names below it, who uses it, who else lives there.

Decides nothing: it is what a person should see before he lifts a guard or trusts a verdict. What it
says of names below is a function of one label view (PROTOCOL 3.5); the rest is public.

What it does not do: put it in sentences (``guard_words``).
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.storage.queries.blocks import claimed_below
from hub.storage.transaction import Transaction
from hub.verdicts.guard_lists import MILLION_LISTS, SHARED, WHEEL_LISTS, wheel_file
from hub.verdicts.guards import Guards
from schemas.dns.names import is_public_suffix, registrable_domain
from schemas.markings import Tlp

_SHOWN: Final = 5
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """What hangs on a name.

    Args:
        below: how many names below it are claimed about, as far as the label shows.
        below_examples: the first few of them.
        most_used: it is among so many most-used names of the world; None when on no list.
        most_used_list: the list that says so.
        registrable: the registered domain that it belongs to; None at or above a public suffix.
        shared_suffix: the suffix under which strangers rent, when it is one or stands below one.
    """

    name: str
    below: int
    below_examples: tuple[str, ...]
    most_used: int | None
    most_used_list: str | None
    registrable: str | None
    shared_suffix: str | None


def blast_radius(tx: Transaction, guards: Guards, name: str, ceiling: Tlp) -> BlastRadius:
    """Find out what a block of a name would take along, as one label view shows it."""
    below, examples = claimed_below(tx, name, ceiling, _SHOWN)
    place, list_name = _place_of(guards, name)
    return BlastRadius(
        name, below, examples, place, list_name, registrable_domain(name), _shared(guards, name)
    )


def _place_of(guards: Guards, name: str) -> tuple[int | None, str | None]:
    on = {hit.list_name for hit in guards.hits(name, "exact") if hit.how == "exact"}
    ranked = sorted(
        (wheel.place, wheel.name)
        for wheel in WHEEL_LISTS
        if wheel.place is not None and wheel.name in on
    )
    if ranked:
        return ranked[0]
    for list_name in MILLION_LISTS:
        file = wheel_file(list_name)
        if file is not None and _holds(file, name):
            return _MILLION, list_name
    return None, None


def _holds(file: Path, name: str) -> bool:
    """Look for one name in a list of a million without reading it into memory."""
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return text.find(f'"{name}"'.encode("ascii")) >= 0


def _shared(guards: Guards, name: str) -> str | None:
    parent = name
    while "." in parent:
        hits = guards.hits(parent, "exact")
        if any(hit.code == SHARED and hit.how == "exact" for hit in hits):
            return parent
        if is_public_suffix(parent):
            return None
        parent = parent.partition(".")[2]
    return None
