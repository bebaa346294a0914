"""What was taken back stays so, whether its bytes are here or not (PROTOCOL 4.8, THREATS 54).

A tombstone is a row of ``objects`` like any other, in the state ``withdrawn`` and without content:
what came before its withdrawal and was erased keeps its row; for what never came, since a stub
stands in its place, one is laid here. So an old copy, of whichever feed, finds it and is withdrawn.

A mark does the same for a ``restrict`` of what never came: the first version that comes takes its
place and has at least its label. One that asked for the bytes to go stays, and takes them from
every copy that was signed before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from federation.feeds.entry import EntryHeader
from hub.exchange.held_versions import ERASED_UNSEEN, MARKS, NOT_LIVE, RESTRICTED_UNSEEN
from hub.exchange.object_rows import PROVISIONAL
from hub.exchange.received_content import JudgedContent
from hub.storage.queries import objects as stored
from hub.storage.queries.objects import ObjectRow
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId, StixId, stix_type_of
from schemas.markings import Tlp

TOMBSTONE = "TOMBSTONE"
"""The code of a row for an object that never was here."""
NO_VERSION = "-"
"""What stands in the place of a mark's version; observables have an empty one."""
LAID = MARKS | {TOMBSTONE}
"""Codes of rows that no entry carried."""


def lay_tombstones(
    tx: Transaction, origin: NodeId, stix_ids: Iterable[str], said_at: datetime, now: datetime
) -> None:
    """Keep objects that are not held from ever being shown.

    Args:
        said_at: the ``ts`` of the entry that withdrew them.
    """
    _lay(tx, origin, stix_ids, Tlp.CLEAR, "withdrawn", TOMBSTONE, said_at, now)


def lay_marks(
    tx: Transaction,
    by: EntryHeader,
    said: JudgedContent,
    mine_of: Callable[[str], Sequence[ObjectRow]],
    now: datetime,
    *,
    own: bool,
) -> None:
    """Bind what a ``restrict`` names and is not here, whichever feed brings it later.

    Args:
        by: where the ``restrict`` stands.
        mine_of: finds what is held of an object of its origin.
        own: it is our own word. What we have erased we know, and nobody brings us old copies.
    """
    tlp = said.content.tlp
    if tlp is None or said.exercise:
        return
    ids = dict.fromkeys(said.content.ids)
    unseen = [i for i in ids if all(row.state in NOT_LIVE for row in mine_of(i))]
    code = RESTRICTED_UNSEEN
    if said.content.erases:
        code, tlp = ERASED_UNSEEN, Tlp.CLEAR  # what is published after that is bound by nothing
        if not own:
            unseen = [i for i in ids if not any(_is_final(row) for row in mine_of(i))]
    _lay(tx, by.feed.node_id, unseen, tlp, "withheld", code, by.ts, now, NO_VERSION)


def _is_final(row: ObjectRow) -> bool:
    """Tell whether an old copy finds something already that keeps it from being shown."""
    return row.version == NO_VERSION or row.state == "withdrawn" or row.revoked


def _lay(
    tx: Transaction,
    origin: NodeId,
    stix_ids: Iterable[str],
    tlp: Tlp,
    state: str,
    code: str,
    said_at: datetime,
    now: datetime,
    version: str = "",
) -> None:
    rows = [
        ObjectRow(
            object_row=0,
            origin=origin,
            stix_id=StixId(stix_id),
            stix_type=stix_type_of(stix_id),
            spec_version="2.1",
            version=version,
            version_at=None,
            tlp=int(tlp),
            machine=False,
            exercise=False,
            strength=PROVISIONAL,
            state=state,
            code=code,
            revoked=False,
            idn=None,
            name_key=None,
            published_at=said_at,
            received_at=now,
        )
        for stix_id in stix_ids
    ]
    if rows:
        stored.store_new_objects(tx, [(row, b"") for row in rows])
