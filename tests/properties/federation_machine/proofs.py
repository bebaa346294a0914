"""Who may hold a plaintext as part of the proof that its origin signed two histories.

A proof is two entries with all that they say (PROTOCOL 2.5). It is no page of the feed: nothing is
passed on from it to readers, no stub stands in it, and both branches are kept, whatever their
origin says later. It could erase what stands against it otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.properties.federation_machine.model import Model
from tests.properties.federation_machine.nouns import Feed


def keep_proofs(model: Model, reader: int, feeds: Iterable[Feed]) -> None:
    """A node was told another history: of what it read there, it may keep the proof."""
    told = set(feeds)
    for needle in model.needles.values():
        if not told.isdisjoint(needle.may.get(reader, ())):
            needle.proven.add(reader)


def hear_proofs(model: Model, teller: int, hearer: int) -> None:
    """One node may have told another that a feed has two histories.

    It tells peers that may read the feed, its origin among them, and nobody else; of what came
    before a later member's part of a group, only heads.
    """
    if not model.expect_pull(hearer, teller):
        return
    for needle in model.needles.values():
        for feed in (needle.feeds | needle.echoes) & model.poisoned:
            if feed not in needle.may.get(teller, ()) and teller not in needle.proven:
                continue
            joined = model.members.get(feed, {}).get(hearer, 0)
            is_reader = model.may_pass(teller, feed, hearer) and joined <= needle.number
            if is_reader or hearer == feed[0]:
                needle.proven.add(hearer)
