"""What a name's claims mean together: the name, what stands below it, or both.

Invariants:
* a reach is never wider than what every claim means;
* where they have nothing in common the result says so: whoever means the name alone must not have
  it blocked by those who mean only what stands below it, nor the other way round.

What it does not do: weigh, or choose a side (``name_verdict`` does).

>>> common_reach(["subtree", "exact"]), common_reach(["subtree", "wildcard-only"])
('exact', 'wildcard-only')
>>> common_reach(["exact", "wildcard-only"]) is None
True
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

EXACT: Final = "exact"
SUBTREE: Final = "subtree"
BELOW: Final = "wildcard-only"


def common_reach(scopes: Iterable[str]) -> str | None:
    """Find what all claims mean; None where that is nothing.

    Args:
        scopes: of dns-threat, ``exact``, ``subtree`` or ``wildcard-only``.
    """
    said = frozenset(scopes)
    if BELOW not in said:
        return SUBTREE if said == {SUBTREE} else EXACT
    return None if EXACT in said else BELOW
