"""Vouches, introductions and their charges; and what is known of a feed's urgent entries."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from hub.storage.dialects import Instant, Json, RowId
from hub.storage.tables.metadata import METADATA

VOUCHES = Table(
    "vouches",
    METADATA,
    Column("voucher", String(52), primary_key=True),
    Column("subject", String(52), primary_key=True),
    Column("document_hash", String(64), nullable=False),
    Column("max_preset", Integer, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("ts", Instant, nullable=False),
    Column("expires", Instant, nullable=False),
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the noop that carried it
    Column("dsse", LargeBinary, nullable=False),
    Index("ix_vouches_subject", "subject"),
)

INTRODUCTIONS = Table(
    "introductions",
    METADATA,
    Column("subject", String(52), primary_key=True),
    Column("voucher", String(52), primary_key=True),
    Column("introduced_at", Instant, nullable=False),
    Column("charged_at", Instant),  # the subject was demoted for cause
    Column("cause", String),
)

FEED_URGENCIES = Table(
    "feed_urgencies",
    METADATA,
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), primary_key=True),
    Column("urgency", String, primary_key=True),  # priority, immediate
    Column("seq", BigInteger, nullable=False),  # the last entry that is so urgent
)
