"""Whose a STIX id is: how strong an origin's claim to it stands (PROTOCOL 2.4 "Ownership").

Objects are kept by ``(origin, stix_id)``, so nobody overwrites another's. Where two origins claim
one id, the stronger claim wins whatever the order of arrival: who publishes a foreign id first
gains nothing (THREATS 25).

Invariants:
* a proof is a name that only its node can have chosen: the id is hashed from both;
* a false proof rejects, it is never just ignored.

What it does not do: own SCOs. They are unversioned, shared facts, whose id is recomputed from
their value.

>>> decide_claims(PROVISIONAL, PROVEN, same_content=False)
<Claim.NEW_WINS: 'new wins'>
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from federation.errors import ContentRejected
from federation.feeds.payload_members import Members
from federation.identity.node_document import PinnedNode
from schemas.identifiers import own_stix_id, stix_type_of

PROVEN = 1
BY_IDENTITY = 2
PROVISIONAL = 3

SHORTEST_NAME = 12
"""Random characters of a name, so that nobody can find it from the id."""


class Claim(Enum):
    """What becomes of two origins' claims to one STIX id."""

    HELD_WINS = "held wins"
    NEW_WINS = "new wins"
    BOTH_STAND = "both stand"


def claim_strength(stix_id: str, value: Members, idn: Mapping[str, str], pinned: PinnedNode) -> int:
    """Tell how strong an origin's claim to an object's id is: 1 beats 2 beats 3.

    Returns:
        ``PROVEN`` (1) by its name in ``idn``, ``BY_IDENTITY`` (2) by ``created_by_ref``, else
        ``PROVISIONAL`` (3).

    Raises:
        ContentRejected: ``E_ID_CONFLICT`` when ``idn`` names the id and does not prove it.
    """
    name = idn.get(stix_id)
    if name is not None:
        if (
            len(name) < SHORTEST_NAME
            or own_stix_id(pinned.node_id, stix_type_of(stix_id), name) != stix_id
        ):
            raise ContentRejected(
                "E_ID_CONFLICT",
                f"idn does not prove {stix_id} to be the origin's",
                stix_id=stix_id,
            )
        return PROVEN
    if value.get("created_by_ref") in pinned.identities:
        return BY_IDENTITY
    return PROVISIONAL


def decide_claims(held: int, new: int, *, same_content: bool) -> Claim:
    """Decide between the claims of two origins to one id; the loser is ``E_ID_CONFLICT``.

    Args:
        held: strength of the claim that came first.
        new: strength of the claim that came now.
        same_content: both carry the same object, such as two peers that pass on one public
            feed: no conflict, and fusion counts them as one lineage.
    """
    if held != new:
        return Claim.HELD_WINS if held < new else Claim.NEW_WINS
    if held == PROVISIONAL and same_content:
        return Claim.BOTH_STAND
    return Claim.HELD_WINS
