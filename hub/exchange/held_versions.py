"""Which of the versions that are held of an object is meant by one that comes.

Decides: whether it is one of them once more, or takes the place of one that nobody has any more;
whether it may follow them, and which of them binds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from federation.errors import ContentRejected
from hub.exchange.received_content import JudgedObject
from hub.exchange.rival_claims import SHARED_TYPES
from hub.storage.queries.objects import ObjectRow
from schemas.stix.objects import version_of

ERASED_HERE = "ERASED_HERE"
"""The code of what was erased by law at this node alone: its origin does not bring it back."""

RESTRICTED_UNSEEN = "RESTRICTED_UNSEEN"
"""The code of the mark that a ``restrict`` leaves of what is not held (``tombstones``)."""

ERASED_UNSEEN = "ERASED_UNSEEN"
"""The same where it asks for the bytes to go. It stays, whatever comes: what was signed before it
(``published_at``) is erased, and ``tlp`` is what later words bind since."""
MARKS = frozenset({RESTRICTED_UNSEEN, ERASED_UNSEEN})

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
    mine = [row for row in mine if not is_mark(row)]
    if not mine:
        return None
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
    Whatever comes first of what was restricted unseen takes the place of that mark.
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
    live = [held for held in mine if held.state not in NOT_LIVE]
    if exercise or len(live) != 1 or live[0].code != RESTRICTED_UNSEEN or not is_mark(live[0]):
        return None
    # A version that was erased here by law, or that an exercise had, is known and no first one.
    return None if any(held.version == version for held in mine) else live[0]


def require_order(
    row: ObjectRow, repeated: ObjectRow | None, mine: Sequence[ObjectRow], here: Sequence[ObjectRow]
) -> None:
    """Check that a version follows those of its feed, and that no version has two contents.

    Args:
        repeated: the version that it is once more.
        mine: the origin's versions of the object, the newest last.
        here: those that this feed carried.

    Raises:
        ContentRejected: ``E_STALE_MODIFIED``.
    """
    if here and here[-1] is not repeated and not row.follows(here[-1]):
        raise ContentRejected(
            "E_STALE_MODIFIED", f"{row.stix_id} does not follow version {here[-1].version}"
        )
    if not repeated and any(row.version_at == r.version_at for r in mine if not is_mark(r)):
        raise ContentRejected(
            "E_STALE_MODIFIED", f"{row.stix_id} has other content under version {row.version}"
        )


def is_mark(row: ObjectRow) -> bool:
    """Tell whether a row is no version but says how narrow one is that has not come."""
    return row.code in MARKS and row.state == "withheld"


def find_said(mine: Sequence[ObjectRow]) -> ObjectRow | None:
    """Find the version, or else the mark, whose label binds what comes."""
    said = [row for row in mine if row.state not in NOT_LIVE and row.code not in NOT_ITS_LABEL]
    versions = [row for row in said if not is_mark(row)]
    return (versions or said)[-1] if said else None


def is_erased_copy(row: ObjectRow, mine: Sequence[ObjectRow]) -> bool:
    """Tell whether a version was signed before its origin asked for its bytes to go.

    An object that was erased may be published again.
    """
    return any(
        held.code == ERASED_UNSEEN and is_mark(held) and row.published_at < held.published_at
        for held in mine
    )
