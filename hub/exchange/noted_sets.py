"""Store versions of objects, own and received, and note which are domain sets (DNS 1).

It notes only what the object says: whether its list is wanted follows from the state that the
object has by then.

Does not: fetch anything, or show anything to a reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from hub.incidents.note_incidents import note_waiting_answers
from hub.storage.queries.blobs import note_sets_held
from hub.storage.queries.domain_sets import SetRow, store_sets
from hub.storage.queries.objects import ObjectRow, replace_object, store_objects
from hub.storage.transaction import Transaction
from hub.verdicts.asked_actions import note_asked_actions
from hub.verdicts.marks import ask_for_sets
from schemas.dns.domain_sets import read_set
from schemas.dns.extensions import DNS_BATCH, MATCH_SCOPES
from schemas.errors import WireFormatError
from schemas.strict_json import strict_loads

WAITS: Final = "waits"
REFUSED: Final = "refused"
_MARK: Final = DNS_BATCH.encode()
_ESCAPE: Final = b"\\u"
"""An extension's id may be written with escapes; then only a parser finds it."""
_LONGEST_WORD: Final = 255


def store_versions(
    tx: Transaction, objects: Sequence[tuple[ObjectRow, bytes]], now: datetime
) -> None:
    """Store versions with their content, and note the sets among them."""
    store_objects(tx, objects)
    _note_sets(tx, objects, now)
    note_asked_actions(tx, objects)
    note_waiting_answers(tx, objects, now)


def replace_version(tx: Transaction, row: ObjectRow, content: bytes, now: datetime) -> None:
    """Store a version in the place of one that nobody has, and note it if it is a set."""
    replace_object(tx, row, content)
    _note_sets(tx, [(row, content)], now)
    note_asked_actions(tx, [(row, content)])
    note_waiting_answers(tx, [(row, content)], now)


def _note_sets(tx: Transaction, objects: Iterable[tuple[ObjectRow, bytes]], now: datetime) -> None:
    rows = []
    for row, content in objects:
        if row.stix_type == "grouping" and (_MARK in content or _ESCAPE in content):
            noted = _read(row, content)
            if noted is not None:
                rows.append(noted)
    store_sets(tx, rows)
    # An own list is here already, and so may be one that two origins name.
    if rows and note_sets_held(tx):
        ask_for_sets(tx, now)


def _read(row: ObjectRow, content: bytes) -> SetRow | None:
    if row.revoked:
        return None  # its last word is that it says nothing any more
    try:
        found = read_set(strict_loads(content))
    except WireFormatError:
        return None  # stored by an earlier release, which looked less closely
    if found is None:
        return None
    delta = found.delta
    return SetRow(
        object_row=row.object_row,
        sha256=found.sha256,
        base_sha256=None if delta is None else delta.base_sha256,
        added_sha256=None if delta is None else delta.added,
        removed_sha256=None if delta is None else delta.removed,
        threat_type=_word(found.threat_type),
        family=_word(found.family),
        variant=_word(found.variant),
        tld=_word(found.tld),
        domain_count=found.domain_count,
        dated=found.dated,
        valid_from=found.valid_from,
        valid_until=found.valid_until,
        # A word of a newer peer means no more than the names themselves.
        match_scope=found.match_scope if found.match_scope in MATCH_SCOPES else "exact",
        state=REFUSED if found.refused else WAITS,
        code=found.refused,
    )


def _word(said: str | None) -> str | None:
    # PostgreSQL stores no NUL, and a row per set has no room for a chapter.
    return None if said is None or "\0" in said else said[:_LONGEST_WORD]
