"""Which of the versions that are held of an object is meant by one that comes.

Decides: whether it is one of them once more, or takes the place of one that nobody has any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.exchange.received_content import JudgedObject
from hub.exchange.rival_claims import SHARED_TYPES
from hub.storage.queries.objects import ObjectRow
from schemas.stix.objects import version_of

ERASED_HERE = "ERASED_HERE"
"""The code of what was erased by law at this node alone: its origin does not bring it back."""

NOT_LIVE = frozenset({"exercise", "erased"})
"""States of what counts for nobody, so that a later version is bound to nothing by it."""
LABEL_LIVE = "E_LABEL_LIVE"
NOT_ITS_LABEL = frozenset({LABEL_LIVE, "E_UNKNOWN_MARKING"})
"""Codes of versions whose stored label is our caution and not what the origin said."""


def find_repeated(
    item: JudgedObject, mine: Sequence[ObjectRow], contents: Mapping[int, bytes]
) -> ObjectRow | None:
    """Find the version that is held already, byte for byte.

    Args:
        mine: the origin's versions of the object, the newest last; at least one.
        contents: their bytes by object row.
    """
    newest = mine[-1]
    if newest.stix_type in SHARED_TYPES and item.value.get("modified") is None:
        return newest
    version = version_of(item.value)
    for row in mine:
        content = contents[row.object_row]
        # Of what was erased for good only the version is left to know it by.
        for_good = row.code == ERASED_HERE or (row.state == "withdrawn" and not content)
        if content == item.raw or (for_good and row.version == version):
            return row
    return None


def find_renewed(
    item: JudgedObject,
    mine: Sequence[ObjectRow],
    contents: Mapping[int, bytes],
    *,
    exercise: bool,
) -> ObjectRow | None:
    """Find the version that nobody has and that comes again for good, in its row's place.

    The innocent objects of an erased entry are put again, and an exercise may become real. What was
    withdrawn before it was erased is no such case (PROTOCOL 4.8), nor what was erased here by law.
    """
    version = version_of(item.value)
    for held in mine:
        if held.version == version and (
            (held.state == "erased" and held.code != ERASED_HERE)
            or (
                held.state == "exercise"
                and not exercise
                and find_repeated(item, [held], contents) is not None
            )
        ):
            return held
    return None
