"""Which protocol version two nodes speak with each other (PROTOCOL 2.3 ``wire``).

Decides the highest version that both list in their node documents; absent means 1.

Invariants:
* both sides come to the same answer, for each reads it from two signed documents;
* without a common version nothing is asked and nothing is answered but node documents, by which
  the two find out that there is one again. The relation and all that is held stay.

What it does not do: choose by anything that a request says, so nobody on the way can lower it.

>>> highest_common((1, 2), (2, 3)), highest_common((1,), (2,))
(2, None)
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from federation.errors import PeerState

SPOKEN: Final[tuple[int, ...]] = (1,)
"""What this release speaks."""


def highest_common(spoken: Collection[int], others: Collection[int]) -> int | None:
    """Return the version that two nodes use with each other, None when they have none."""
    return max(set(spoken) & set(others), default=None)


def require_common(name: str, others: Collection[int], spoken: Collection[int] = SPOKEN) -> int:
    """Return the version to use with a node.

    Args:
        name: of the other node, for the sentence.
        others: what its newest document lists.
        spoken: what this release speaks.

    Raises:
        PeerState: ``E_WIRE_VERSION``; ``params["spoken"]`` is ours, ``params["wanted"]`` theirs.
    """
    found = highest_common(spoken, others)
    if found is None:
        newer = max(others, default=0) > max(spoken)
        raise PeerState(
            "E_WIRE_VERSION",
            f"{name} speaks no version of the protocol that this release speaks",
            "Update this node." if newer else "Ask its administrator to update that node.",
            spoken=sorted(spoken),
            wanted=sorted(others),
        )
    return found
