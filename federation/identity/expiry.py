"""What of a node's document ends soon (PROTOCOL 2.3: warn 30 days ahead).

Decides on one chain and one instant. A key that another of its use outlives is on its way out and
worth no warning.

What it does not do: read a clock, or tell anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from federation.identity.node_document import PinnedNode
from schemas.identifiers import KeyId, NodeId

WARNED_AHEAD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ExpiryWarning:
    """Something that ends within thirty days, or has ended.

    Args:
        node_id: whose it is.
        what: ``document``, or the use of the key that ends.
        kid: the key; None for the document.
        ends_at: its last instant.
        ended: that instant has passed.
    """

    node_id: NodeId
    what: Literal["document", "entry", "http"]
    kid: KeyId | None
    ends_at: datetime
    ended: bool


def expiry_warnings(pinned: PinnedNode, now: datetime) -> tuple[ExpiryWarning, ...]:
    """List what of a node ends within thirty days: its document, its last entry and http keys."""
    newest = pinned.newest
    found: list[ExpiryWarning] = []
    if newest.expires - now < WARNED_AHEAD:
        found.append(
            ExpiryWarning(newest.node_id, "document", None, newest.expires, now > newest.expires)
        )
    uses: tuple[Literal["entry", "http"], ...] = ("entry", "http")
    for use in uses:
        records = [record for record in newest.keys if record.use == use]
        if not records:
            continue
        last = max(records, key=lambda record: record.naf)
        # A key cannot outlive its document, so of the two the document alone is worth a word.
        if last.naf - now < WARNED_AHEAD and last.naf < newest.expires:
            found.append(ExpiryWarning(newest.node_id, use, last.kid, last.naf, now > last.naf))
    return tuple(found)
