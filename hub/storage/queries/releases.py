"""Widenings that origins signed in advance, until they are honoured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.recall import RELEASES
from hub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """What an entry released: its objects of one label get another, from an instant on."""

    feed_row: int
    seq: int
    at: datetime
    from_tlp: int
    to_tlp: int


def note_release(tx: Transaction, release: ReleaseRow) -> None:
    """Note a release; noted again it is the same."""
    drop_release(tx, release)
    tx.connection.execute(
        RELEASES.insert().values(
            feed_row=release.feed_row,
            seq=release.seq,
            at=release.at,
            from_tlp=release.from_tlp,
            to_tlp=release.to_tlp,
        )
    )


def due_releases(tx: Transaction, until: datetime, limit: int) -> list[ReleaseRow]:
    """List releases whose time has come, the earliest first."""
    rows = tx.connection.execute(
        sa.select(RELEASES)
        .where(RELEASES.c.at <= until)
        .order_by(RELEASES.c.at, RELEASES.c.feed_row, RELEASES.c.seq)
        .limit(limit)
    )
    return [ReleaseRow(*row) for row in rows]


def drop_release(tx: Transaction, release: ReleaseRow) -> None:
    """Forget a release."""
    tx.connection.execute(
        RELEASES.delete().where(
            RELEASES.c.feed_row == release.feed_row, RELEASES.c.seq == release.seq
        )
    )
