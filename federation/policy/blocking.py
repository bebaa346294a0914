"""May a name be blocked automatically (PROTOCOL 4.4, 3.2; THREATS 38)?

Decides for one name in one view, with every reason that stands against it.

Invariants:
* a block needs all of it: a result of 0.75, two lineages, one of them of a peer at ``trusted`` or
  above, ``pap`` green or clear, no guard of grade refuse or hold that nobody overrode, and nothing
  that holds it;
* authority never blocks alone: it lifts a cap inside the fusion, and is one lineage here;
* an exercise never blocks, whatever else is true;
* who is told "no" is told all of it, in a fixed order: the answer depends on the facts alone.

What it does not do: fuse (``federation.trust.fusion``), match names (``hub.verdicts.guards``), or
count blocks (``hub.verdicts.blocklist``).

>>> decide_block(result=0.83, lineages=2, trusted_lineages=1, pap=1, hits=(), holds=(),
...              exercise=False)
BlockDecision(block=True, codes=('BLOCKED',))
>>> decide_block(result=0.99, lineages=1, trusted_lineages=1, pap=1, hits=(), holds=(),
...              exercise=False).codes
('NOT_BLOCKED_LINEAGES',)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from federation.trust.fusion import BLOCKED_FROM

LEAST_LINEAGES: Final = 2
LEAST_TRUSTED: Final = 1

PAP_LEVELS: Final[Mapping[str, int]] = MappingProxyType(
    {"clear": 0, "green": 1, "amber": 2, "red": 3}
)
"""Permissible actions as numbers, the stricter the higher, like labels."""
WIDEST_PAP_TO_BLOCK: Final = PAP_LEVELS["green"]
"""Amber and red forbid what the other side can notice; a block is noticed."""

BLOCKED: Final = "BLOCKED"
EXERCISE: Final = "NOT_BLOCKED_EXERCISE"
RESULT: Final = "NOT_BLOCKED_RESULT"
LINEAGES: Final = "NOT_BLOCKED_LINEAGES"
TRUST: Final = "NOT_BLOCKED_TRUST"
PAP: Final = "NOT_BLOCKED_PAP"
REACH: Final = "NOT_BLOCKED_REACH"
GUARD_REFUSES: Final = "NOT_BLOCKED_GUARD_REFUSES"
GUARD_HOLDS: Final = "NOT_BLOCKED_GUARD_HOLDS"

BLOCKING_CODES: Final = frozenset(
    {BLOCKED, EXERCISE, RESULT, LINEAGES, TRUST, PAP, REACH, GUARD_REFUSES, GUARD_HOLDS}
)
"""The codes that are decided here; those of holds come from whoever holds."""


class Guarding(Protocol):
    """What the decision needs to know of a guard that was hit."""

    @property
    def grade(self) -> str:
        """One of ``refuse``, ``hold`` and ``warn``."""
        ...

    @property
    def overridden_by(self) -> str | None:
        """The override that lifts it here and now; None when nobody did."""
        ...


@dataclass(frozen=True, slots=True)
class BlockDecision:
    """Whether a name is blocked, and why.

    Args:
        codes: ``BLOCKED`` alone, or every reason against it, in a fixed order.
    """

    block: bool
    codes: tuple[str, ...]


def decide_block(
    *,
    result: float,
    lineages: int,
    trusted_lineages: int,
    pap: int | None,
    hits: Iterable[Guarding],
    holds: Sequence[str],
    exercise: bool,
    agreed: bool = True,
) -> BlockDecision:
    """Decide whether a name may be blocked automatically.

    Args:
        result: of the fusion, 0 to 1, as it was computed and not as it is shown.
        lineages: independent groups that support it.
        trusted_lineages: how many of them come from a peer at ``trusted`` or above, or from here.
        pap: a level of ``PAP_LEVELS``; None when it is not known, which forbids.
        hits: the guards that the name meets, overridden ones included.
        holds: codes of what stands against a block until a person decides, such as an
            authority's ``benign``.
        exercise: marked as an exercise.
        agreed: those who mean what would be blocked, the name or what is below it, suffice alone.
    """
    grades = {hit.grade for hit in hits if hit.overridden_by is None}
    against = {
        EXERCISE: exercise,
        RESULT: not result >= BLOCKED_FROM,  # so that NaN blocks nothing
        LINEAGES: lineages < LEAST_LINEAGES,
        TRUST: trusted_lineages < LEAST_TRUSTED,
        PAP: pap is None or pap > WIDEST_PAP_TO_BLOCK,
        REACH: not agreed,
        GUARD_REFUSES: "refuse" in grades,
        GUARD_HOLDS: "hold" in grades,
    }
    codes = (*(code for code, holds_true in against.items() if holds_true), *sorted(set(holds)))
    return BlockDecision(not codes, codes or (BLOCKED,))
