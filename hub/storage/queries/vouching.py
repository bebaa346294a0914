"""Vouches that were received, and the introductions that people made of them (PROTOCOL 4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.feeds import ENTRIES, FEEDS
from hub.storage.tables.vouching import INTRODUCTIONS, VOUCHES
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, NodeId


@dataclass(frozen=True, slots=True)
class VouchRow:
    """A vouch as it was received; ``feed_row`` and ``seq`` name the entry that carried it."""

    voucher: NodeId
    subject: NodeId
    document_hash: EntryHash
    max_preset: int
    scopes: tuple[str, ...]
    ts: datetime
    expires: datetime
    feed_row: int
    seq: int
    dsse: bytes


@dataclass(frozen=True, slots=True)
class IntroductionRow:
    """A voucher on whose word a person accepted a subject."""

    subject: NodeId
    voucher: NodeId
    introduced_at: datetime
    charged_at: datetime | None
    cause: str | None


def store_vouch(tx: Transaction, vouch: VouchRow, *, most: int) -> bool:
    """Keep the newest word of a voucher on a subject; False when it is not taken.

    Args:
        most: subjects kept of one voucher, so that nobody fills the table.
    """
    key = (VOUCHES.c.voucher == vouch.voucher, VOUCHES.c.subject == vouch.subject)
    held = tx.connection.execute(
        sa.select(VOUCHES.c.ts, ENTRIES.c.state)
        .outerjoin(
            ENTRIES,
            sa.and_(ENTRIES.c.feed_row == VOUCHES.c.feed_row, ENTRIES.c.seq == VOUCHES.c.seq),
        )
        .where(*key)
    ).one_or_none()
    # What an entry said that was voided since stands in nobody's way; one of the page that is
    # being taken in is not stored yet.
    if held is not None and held.ts >= vouch.ts and held.state in {None, "stored"}:
        return False
    if held is None and _count_of(tx, vouch.voucher) >= most:
        return False
    values = {name: getattr(vouch, name) for name in VouchRow.__dataclass_fields__}
    values["scopes"] = list(vouch.scopes)
    tx.connection.execute(VOUCHES.delete().where(*key))
    tx.connection.execute(VOUCHES.insert().values(**values))
    return True


def _count_of(tx: Transaction, voucher: NodeId) -> int:
    statement = sa.select(sa.func.count()).where(VOUCHES.c.voucher == voucher)
    return int(tx.connection.execute(statement).scalar_one())


def list_vouches(
    tx: Transaction, vouchers: Iterable[NodeId], subject: NodeId | None = None
) -> tuple[VouchRow, ...]:
    """List what these vouchers say, as far as the entries that carried it still count."""
    statement = (
        sa.select(VOUCHES)
        .join(FEEDS, FEEDS.c.feed_row == VOUCHES.c.feed_row)
        .join(
            ENTRIES,
            sa.and_(ENTRIES.c.feed_row == VOUCHES.c.feed_row, ENTRIES.c.seq == VOUCHES.c.seq),
        )
        # An entry that was rejected, voided or erased vouches for nothing any more, nor does a
        # feed whose origin signed two histories.
        .where(
            VOUCHES.c.voucher.in_(sorted(vouchers)),
            ENTRIES.c.state == "stored",
            FEEDS.c.state != "frozen",
        )
        .order_by(VOUCHES.c.subject, VOUCHES.c.voucher)
    )
    if subject is not None:
        statement = statement.where(VOUCHES.c.subject == subject)
    return tuple(_vouch(row) for row in tx.connection.execute(statement))


def _vouch(row: sa.Row[tuple[object, ...]]) -> VouchRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor
    values["scopes"] = tuple(values["scopes"])
    values["dsse"] = bytes(values["dsse"])
    return VouchRow(**values)


def store_introductions(
    tx: Transaction, subject: NodeId, vouchers: Sequence[NodeId], now: datetime
) -> None:
    """Remember on whose word a person accepted a subject; a new introduction replaces the old."""
    tx.connection.execute(INTRODUCTIONS.delete().where(INTRODUCTIONS.c.subject == subject))
    tx.connection.execute(
        INTRODUCTIONS.insert(),
        [{"subject": subject, "voucher": voucher, "introduced_at": now} for voucher in vouchers],
    )


def introductions_of(tx: Transaction, subject: NodeId) -> tuple[IntroductionRow, ...]:
    """List the vouchers on whose word a subject was accepted."""
    statement = (
        sa.select(INTRODUCTIONS)
        .where(INTRODUCTIONS.c.subject == subject)
        .order_by(INTRODUCTIONS.c.voucher)
    )
    return tuple(IntroductionRow(**row._mapping) for row in tx.connection.execute(statement))  # noqa: SLF001


def charge_introductions(
    tx: Transaction, subject: NodeId, cause: str, now: datetime
) -> tuple[NodeId, ...]:
    """Charge the vouchers of a subject, once an introduction; return those charged now."""
    open_ones = (INTRODUCTIONS.c.subject == subject, INTRODUCTIONS.c.charged_at.is_(None))
    rows = tx.connection.execute(
        sa.select(INTRODUCTIONS.c.voucher).where(*open_ones).order_by(INTRODUCTIONS.c.voucher)
    )
    charged = tuple(NodeId(voucher) for voucher in rows.scalars())
    tx.connection.execute(
        INTRODUCTIONS.update().where(*open_ones).values(charged_at=now, cause=cause)
    )
    return charged


def charged_since(tx: Transaction, since: datetime) -> frozenset[NodeId]:
    """List the vouchers that were charged at this instant or later."""
    rows = tx.connection.execute(
        sa.select(INTRODUCTIONS.c.voucher).distinct().where(INTRODUCTIONS.c.charged_at >= since)
    )
    return frozenset(NodeId(voucher) for voucher in rows.scalars())
