"""What was withdrawn stays withdrawn, whether its bytes are here or not (PROTOCOL 4.8, THREATS 54).

A tombstone is a row of ``objects`` like any other, in the state ``withdrawn`` and without content:
what came before its withdrawal and was erased keeps its row; for what never came, since a stub
stands in its place, one is laid here. So an old copy, of whichever feed, finds it and is withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hub.exchange.object_rows import PROVISIONAL
from hub.storage.queries import objects as stored
from hub.storage.queries.objects import ObjectRow
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId, StixId, stix_type_of
from schemas.markings import Tlp

TOMBSTONE = "TOMBSTONE"
"""The code of a row for an object that never was here."""


def lay_tombstones(
    tx: Transaction, origin: NodeId, stix_ids: Iterable[str], said_at: datetime, now: datetime
) -> list[ObjectRow]:
    """Keep objects that are not held from ever being shown.

    Args:
        said_at: the ``ts`` of the entry that withdrew them.
    """
    rows = [
        ObjectRow(
            object_row=0,
            origin=origin,
            stix_id=StixId(stix_id),
            stix_type=stix_type_of(stix_id),
            spec_version="2.1",
            version="",
            version_at=None,
            tlp=int(Tlp.CLEAR),
            machine=False,
            exercise=False,
            strength=PROVISIONAL,
            state="withdrawn",
            code=TOMBSTONE,
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
    return rows
