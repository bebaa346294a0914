"""What origins ask resolvers to do with a name (DNS 1, ``requested_actions``).

Decides what counts of it in a view.

Invariants:
* only where every live claim on a name asks for something it counts at all: one voice that asks to
  watch a name cannot take the others' block away (THREATS 40);
* of one object, and of several, the hardest counts;
* what is asked above a view's label changes nothing in it (PROTOCOL 3.5).

What it does not do: decide what a resolver does; that is the operator's (``hub.exports``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from hub.storage.dialects import to_micros
from hub.storage.queries import asked_actions as stored
from hub.storage.queries.claims import LiveClaim, live_claims
from hub.storage.queries.objects import ObjectRow
from hub.storage.transaction import Transaction
from schemas.dns.extensions import DNS_BATCH, DNS_THREAT
from schemas.errors import WireFormatError
from schemas.strict_json import strict_loads

HARDEST_FIRST: Final = ("block-drop", "block-nxdomain", "block-nodata", "monitor")
"""What a resolver can do of ``REQUESTED_ACTIONS``."""
_MARK: Final = b"requested_actions"
_TYPES: Final = frozenset({"indicator", "grouping"})


def note_asked_actions(tx: Transaction, objects: Iterable[tuple[ObjectRow, bytes]]) -> None:
    """Note what objects ask for, where they are stored."""
    # An id may be written with escapes, this word not: a name of ours has no reason to be.
    found = {
        row.object_row: action
        for row, content in objects
        if row.stix_type in _TYPES and _MARK in content and (action := _read(content)) is not None
    }
    stored.note_actions(tx, found)


def _read(content: bytes) -> str | None:
    try:
        value = strict_loads(content)
    except WireFormatError:
        return None
    extensions = value.get("extensions") if isinstance(value, dict) else None
    if not isinstance(extensions, dict):
        return None
    asked: list[object] = []
    for facts in (extensions.get(DNS_THREAT), extensions.get(DNS_BATCH)):
        said = facts.get("requested_actions") if isinstance(facts, dict) else None
        asked += said if isinstance(said, list) else []
    return next((action for action in HARDEST_FIRST if action in asked), None)


def asked_on(
    tx: Transaction,
    ceilings: Mapping[str, int],
    actions: Collection[str],
    now: datetime,
) -> dict[str, str]:
    """Tell what is asked for on names, where that is one of these actions.

    Args:
        ceilings: keys of subjects, each with the label of the view that shows it.
        actions: that make a difference; names without them are not looked at.
    """
    if not actions:
        return {}
    names = sorted(stored.names_asked_for(tx, actions) & ceilings.keys())
    found: dict[str, str] = {}
    for name, claims in live_claims(tx, names).items():
        action = _hardest(tx, _counting(claims, ceilings[name], to_micros(now)))
        if action is not None and action in actions:
            found[name] = action
    return found


def _counting(claims: Sequence[LiveClaim], ceiling: int, now: int) -> list[LiveClaim]:
    """Choose, of each object, the newest version that a view shows, where it counts now."""
    newest: dict[tuple[str, str], LiveClaim] = {}
    for claim in claims:
        held = newest.get(claim.version_key)
        is_newer = held is None or (claim.version_at or 0) > (held.version_at or 0)
        if claim.label <= ceiling and is_newer:
            newest[claim.version_key] = claim
    return [
        claim
        for claim in newest.values()
        if not claim.revoked
        and (claim.valid_until is None or claim.valid_until > now)
        and (claim.valid_from is None or claim.valid_from <= now)
    ]


def _hardest(tx: Transaction, claims: Sequence[LiveClaim]) -> str | None:
    asked = stored.actions_of(tx, [claim.object_row for claim in claims])
    if not claims or len(asked) < len({claim.object_row for claim in claims}):
        return None
    return min(asked.values(), key=HARDEST_FIRST.index)
