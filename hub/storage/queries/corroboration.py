"""Claims that wait for a second voice, and who else speaks of the same names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.storage.dialects import to_micros
from hub.storage.queries.claims import LiveClaim, ask_to_read_again
from hub.storage.queries.objects import in_chunks
from hub.storage.tables.objects import OBJECTS
from hub.storage.tables.verdicts import CLAIMS
from hub.storage.transaction import Transaction

_WAITING = "quarantined"
_OF_CLAIM = (
    "object_row", "name", "origin", "confidence", "threat_type", "match_scope", "claimed_at",
    "valid_from", "valid_until", "src", "pap", "feed_row", "seq", "several",
)  # fmt: skip
_OF_VOICE = tuple(field.name for field in fields(LiveClaim) if field.name != "object_of")
_INSTANTS = ("claimed_at", "valid_from", "valid_until", "version_at", "published_at")


@dataclass(frozen=True, slots=True)
class Voice:
    """A claim that was accepted or waits, and why it waits."""

    claim: LiveClaim
    code: str | None


def is_any_quarantined(tx: Transaction) -> bool:
    """Tell whether anything waits at all."""
    found = tx.connection.execute(
        sa.select(OBJECTS.c.object_row).where(OBJECTS.c.state == _WAITING).limit(1)
    )
    return found.first() is not None


def names_waiting(tx: Transaction, names: Iterable[str], code: str) -> list[str]:
    """Choose the names on which a claim waits for this reason."""
    found: set[str] = set()
    for chunk in in_chunks(sorted(names)):
        rows = tx.connection.execute(
            sa.select(CLAIMS.c.name)
            .join(OBJECTS, OBJECTS.c.object_row == CLAIMS.c.object_row)
            .where(CLAIMS.c.name.in_(chunk), OBJECTS.c.state == _WAITING, OBJECTS.c.code == code)
        )
        found.update(rows.scalars())
    return sorted(found)


def voices_on(
    tx: Transaction, names: Iterable[str], codes: Iterable[str]
) -> dict[str, list[Voice]]:
    """Find the claims on names that are accepted, or that wait for one of these reasons."""
    label = sa.func.coalesce(OBJECTS.c.released_tlp, OBJECTS.c.tlp).label("label")
    found: dict[str, list[Voice]] = {}
    for chunk in in_chunks(names):
        rows = tx.connection.execute(
            sa.select(
                *(CLAIMS.c[name] for name in _OF_CLAIM),
                OBJECTS.c.stix_id,
                label,
                OBJECTS.c.revoked,
                OBJECTS.c.version_at,
                OBJECTS.c.published_at,
                OBJECTS.c.code,
            )
            .join(OBJECTS, OBJECTS.c.object_row == CLAIMS.c.object_row)
            .where(
                CLAIMS.c.name.in_(chunk),
                OBJECTS.c.exercise.is_(False),
                (OBJECTS.c.state == "accepted")
                | ((OBJECTS.c.state == _WAITING) & OBJECTS.c.code.in_(list(codes))),
            )
            .order_by(OBJECTS.c.object_row)
        )
        for row in rows:
            values: dict[str, Any] = {name: getattr(row, name) for name in _OF_VOICE}
            for name in _INSTANTS:
                at = values[name]
                values[name] = None if at is None else to_micros(at)
            values["src"] = tuple(values["src"] or ())
            found.setdefault(row.name, []).append(Voice(LiveClaim(**values), row.code))
    return found


def ask_to_read_voices_of(tx: Transaction, origin: str, code: str, at: datetime) -> int:
    """Ask for an origin's claims to be read once more where others wait on the same names.

    For when its word begins to count.

    Returns:
        How many claims.
    """
    waiting = (
        sa.select(CLAIMS.c.name)
        .join(OBJECTS, OBJECTS.c.object_row == CLAIMS.c.object_row)
        .where(OBJECTS.c.state == _WAITING, OBJECTS.c.code == code, OBJECTS.c.origin != origin)
    )
    rows = tx.connection.execute(
        sa.select(CLAIMS.c.object_row)
        .join(OBJECTS, OBJECTS.c.object_row == CLAIMS.c.object_row)
        .where(
            OBJECTS.c.origin == origin,
            OBJECTS.c.stix_type == "indicator",  # the names of sets are not read from the object
            OBJECTS.c.state.in_(["accepted", _WAITING]),
            CLAIMS.c.name.in_(waiting),
        )
        .distinct()
    )
    found = list(rows.scalars())
    ask_to_read_again(tx, found, at)
    return len(found)
