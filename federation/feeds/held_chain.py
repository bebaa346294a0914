"""How much of a chain that we hold still counts, when its origin's documents have changed.

A new document may revoke a key, or take the place of a thief's (PROTOCOL 2.3). What was accepted
under the former documents is judged by the new ones, as a newcomer would judge it.

Invariants:
* what counts is the beginning of the chain, up to the first entry that does not;
* an entry under a revoked kid counts only if this chain holds, at its seq or later, a position
  that the owner named for the kid. One that may still be reached does not count yet, since the
  chain that leads to it may be another one;
* an entry whose key the documents do not name, or not for its time, does not count.

What it does not do: verify signatures, which held entries passed before, or read a clock.

>>> count_good([], None)  # type: ignore[arg-type]
0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from federation.feeds.chain import Standing, decide_standing
from federation.identity.node_document import PinnedNode
from federation.signing.keys import USE_ENTRY, KeyRecord
from schemas.identifiers import EntryHash, KeyId


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of a held chain.

    Args:
        kids: the keys that signed it; empty where its bytes are gone, and with them the names.
    """

    seq: int
    hash: EntryHash
    ts: datetime
    kids: tuple[KeyId, ...]


def count_good(links: Sequence[Link], pinned: PinnedNode) -> int:
    """Count the entries at the beginning of a held chain that count under these documents.

    Args:
        links: the whole chain in its order; one that began at an anchor begins there.
        pinned: the origin, with its newest documents.
    """
    if not links:
        return 0
    hashes = {link.seq: link.hash for link in links}
    ring = pinned.entry_ring().keys
    signers = _signers(links, ring)
    for place, link in enumerate(links):
        if not any(_counts(link, kids, pinned, ring, hashes) for kids in signers[place]):
            return place
    return len(links)


def _signers(links: Sequence[Link], ring: Iterable[KeyId]) -> list[tuple[tuple[KeyId, ...], ...]]:
    """Tell by which keys each entry may have been signed.

    One without its bytes is taken for signed like the entry before it or the one behind it: the key
    may have been changed at that very place. If neither counts there, it does not. Of a chain that
    has lost all its bytes, which only who holds it can have erased, nobody can tell: any key of the
    origin may have signed it.
    """
    if not any(link.kids for link in links):
        return [tuple((kid,) for kid in ring)] * len(links)
    before: list[tuple[KeyId, ...]] = []
    last: tuple[KeyId, ...] = ()
    for link in links:
        last = link.kids or last
        before.append(last)
    found: list[tuple[tuple[KeyId, ...], ...]] = []
    last = ()
    for link, earlier in zip(reversed(links), reversed(before), strict=True):
        last = link.kids or last
        found.append((link.kids,) if link.kids else (earlier, last))
    return found[::-1]


def _counts(
    link: Link,
    kids: tuple[KeyId, ...],
    pinned: PinnedNode,
    ring: Mapping[KeyId, KeyRecord],
    hashes: Mapping[int, EntryHash],
) -> bool:
    records = [ring[kid] for kid in kids if kid in ring]
    if not records or not all(r.use == USE_ENTRY and r.is_valid_at(link.ts) for r in records):
        return False
    judged = next((r.kid for r in records if pinned.revocation(r.kid)), records[0].kid)
    standing = decide_standing(
        judged, link.seq, pinned=pinned, chain_hash_at=hashes.get, feed_ended=True
    )
    return standing is Standing.GOOD
