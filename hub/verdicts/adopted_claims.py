"""What a person's adoption of a list adds: this node's own word for its names.

A block takes two lineages (PROTOCOL 4.4). Whoever adopts a list says that this organisation's
analysts stand for it, until it is released. Nothing of that is an object: it is added to the set's
claims whenever they are read, so that it goes with them, and no feed can carry it.

Invariants:
* it counts where the set's claim on the name counts, and permits what that permits (``pap``); so
  a newer version of the set keeps it for the names that it still has, and for no others;
* it shows from the laxest label on at which the list stood here when it was adopted: a list that
  comes again at a laxer one does not tell there that somebody knew it before (PROTOCOL 3.5);
* it stands until it is taken back, so that it does not age, and it echoes nobody.

What it does not do: adopt or release (``tocsin set``), or lift a guard.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from hub.storage.dialects import to_micros
from hub.storage.queries.adopted_sets import adopted_objects, names_of_sets, names_of_sets_among
from hub.storage.queries.claims import LiveClaim
from hub.storage.transaction import Transaction
from schemas.markings import Tlp

CONFIDENCE: Final = 80
TAGS: Final = ("analyst",)
_MANY: Final = 2_000
"""Beyond, to read the lists whole is quicker than to ask for each name."""
NamedClaims = Mapping[str, Sequence[LiveClaim]]


def with_adopted(tx: Transaction, own: str, claims: NamedClaims, now: datetime) -> NamedClaims:
    """Add, to each claim of an adopted set, this node's own.

    Args:
        own: this node's id.
    """
    labels = adopted_objects(tx)
    if not labels:
        return claims
    at = to_micros(now)
    return {
        name: [
            *found,
            *(
                _own_word(claim, version, own, labels[claim.object_row], at)
                for claim in found
                if claim.object_row in labels
                for version in _from_here_on(claim, found)
            ),
        ]
        for name, found in claims.items()
    }


def _from_here_on(adopted: LiveClaim, found: Sequence[LiveClaim]) -> list[LiveClaim]:
    """List the versions of an adopted set that have the name: that one and the newer ones."""
    if not adopted.several or len(found) == 1:
        return [adopted]
    versions = {
        each.object_row: each
        for each in found
        if each.version_key == adopted.version_key
        and (each.version_at or 0) > (adopted.version_at or 0)
    }
    return [adopted, *versions.values()]


def _own_word(claim: LiveClaim, version: LiveClaim, own: str, label: int, at: int) -> LiveClaim:
    """Say what the adopted list's claim says, where and as long as a version of the set stands."""
    return replace(
        claim,
        object_row=version.object_row,
        several=version.several,
        version_at=version.version_at,
        revoked=version.revoked,
        pap=version.pap,
        origin=own,
        object_of=claim.origin,
        confidence=CONFIDENCE,
        src=TAGS,
        claimed_at=at,
        label=max(label, claim.label, version.label),
        # No entry carried it: nobody can have held it, and it is no copy of the set's.
        feed_row=None,
        seq=None,
    )


def adopted_among(
    tx: Transaction, names: Collection[str], ceiling: Tlp, *, since: datetime | None = None
) -> frozenset[str]:
    """Choose the names that an adopted list has, as one label view shows it.

    Args:
        since: lists that were released since then count too.
    """
    rows = [n for n, label in adopted_objects(tx, ended_since=since).items() if label <= ceiling]
    if not rows or not names:
        return frozenset()
    if len(names) > _MANY:
        return names_of_sets(tx, rows) & frozenset(names)
    return names_of_sets_among(tx, rows, names)


def announced_names(
    tx: Transaction, since: datetime | None = None, ceiling: Tlp = Tlp.RED
) -> frozenset[str]:
    """List the names that a person announced: of lists adopted now, or released since then.

    Args:
        ceiling: of the view that is asked about.

    Returns:
        Keys of subjects (``schemas.dns.subjects``).
    """
    rows = [n for n, label in adopted_objects(tx, ended_since=since).items() if label <= ceiling]
    return names_of_sets(tx, rows) if rows else frozenset()
