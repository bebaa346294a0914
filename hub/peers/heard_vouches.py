"""Keep the vouches that stand in others' green feeds (PROTOCOL 4.2).

Apart from what weighs them, because receiving and judging again need this and nothing of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from federation.errors import ChainBroken, SignatureRejected
from federation.identity.node_document import PinnedNode
from federation.trust.vouching import open_vouch
from hub.storage.queries.vouching import VouchRow, store_vouch
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName
from schemas.strict_json import write_json

MOST_SUBJECTS: Final = 1_000
"""Vouches kept of one voucher (THREATS 36)."""


def collect_vouches(
    tx: Transaction,
    voucher: PinnedNode,
    feed: FeedName,
    feed_row: int,
    seq: int,
    values: Sequence[object],
) -> int:
    """Keep the vouches of a received ``noop``; one that does not hold is passed over.

    Trust is asked for when they are weighed, so that a voucher that is trusted later is heard.

    Args:
        voucher: the origin of the entry.
        feed: where it stood; only the green feed carries vouches.
        values: the members ``vouches`` as they came.

    Returns:
        How many were kept.
    """
    if feed.kind != "green":
        return 0
    kept = 0
    for value in values:
        try:
            vouch = open_vouch(value, voucher=voucher)
        except (WireFormatError, SignatureRejected, ChainBroken):
            continue  # the entry is sound, and this is the voucher's own loss
        row = VouchRow(
            voucher=vouch.voucher,
            subject=vouch.subject,
            document_hash=vouch.document_hash,
            max_preset=int(vouch.max_preset),
            scopes=vouch.scopes,
            ts=vouch.ts,
            expires=vouch.expires,
            feed_row=feed_row,
            seq=seq,
            dsse=write_json(value),
        )
        kept += store_vouch(tx, row, most=MOST_SUBJECTS)
    return kept
