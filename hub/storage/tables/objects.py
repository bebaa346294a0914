"""STIX objects as claims of their origins, and the views in which readers find them.

The key of an object is ``(origin, stix_id)`` and never ``stix_id`` alone (PROTOCOL 2.4).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    text,
)

from hub.storage.dialects import Instant, RowId
from hub.storage.tables.metadata import METADATA

OBJECTS = Table(
    "objects",
    METADATA,
    Column("object_row", RowId, primary_key=True, autoincrement=False),
    Column("origin", String(52), nullable=False),
    Column("stix_id", String, nullable=False),
    Column("stix_type", String, nullable=False),
    Column("spec_version", String, nullable=False),
    Column("version", String, nullable=False),  # modified, else created, as the object says it
    Column("version_at", Instant),
    Column("tlp", Integer, nullable=False),
    Column("machine", Boolean, nullable=False),
    Column("exercise", Boolean, nullable=False),
    Column("strength", Integer, nullable=False),
    Column("state", String, nullable=False),  # accepted quarantined rejected withdrawn …
    Column("code", String),
    Column("revoked", Boolean, nullable=False),
    Column("idn", String),  # the name that proves the id (PROTOCOL 2.4)
    Column("name_key", String),  # the A-label of a simple domain indicator
    Column("content", LargeBinary, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("visible_at", Instant),
    Column("exported_at", Instant),
    Column("acked_at", Instant),
    Column("released_tlp", Integer),  # the label that its origin's release gave it since
    # The id first: it is what is looked for, and one index of random ids is enough to write.
    UniqueConstraint("stix_id", "origin", "version"),
    Index("ix_objects_origin_name_key", "origin", "name_key"),
    Index("ix_objects_state_origin", "state", "origin"),
    # Disputes are found among millions of claims (``queries.disputes``).
    Index(
        "ix_objects_opinions",
        "object_row",
        sqlite_where=text("stix_type = 'opinion'"),
        postgresql_where=text("stix_type = 'opinion'"),
    ),
    # So are who published what of himself, and what waits of hijacks (``queries.incidents``).
    Index(
        "ix_objects_incidents",
        "object_row",
        sqlite_where=text("stix_type IN ('identity', 'incident')"),
        postgresql_where=text("stix_type IN ('identity', 'incident')"),
    ),
)

CARRIED = Table(
    "carried",
    METADATA,
    Column("feed_row", RowId, ForeignKey("feeds.feed_row"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("object_row", RowId, ForeignKey("objects.object_row"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

COLLECTIONS = Table(
    "collections",
    METADATA,
    Column("collection_id", String(36), primary_key=True),
    Column("alias", String, unique=True),
    Column("title", String, nullable=False),
    Column("description", String),
    Column("kind", String, nullable=False),  # originals, verdicts, operator, selection
    Column("default_tlp", Integer),
    Column("selection", String),
    Column("publish_to", String),
    Column("created_by", String, nullable=False),
    Column("created_at", Instant, nullable=False),
)

VIEWS = Table(
    "views",
    METADATA,
    Column("view_id", RowId, primary_key=True, autoincrement=False),
    Column("collection_id", String(36), ForeignKey("collections.collection_id"), nullable=False),
    Column("ceiling", Integer, nullable=False),
    Column("organisation_id", String, nullable=False),  # "" where no organisation counts
    # The view's own clock: last date given, and how many objects its millisecond holds.
    Column("last_added", BigInteger, nullable=False),
    Column("in_millisecond", Integer, nullable=False),
    UniqueConstraint("collection_id", "ceiling", "organisation_id"),
)

VIEW_ROWS = Table(
    "view_rows",
    METADATA,
    Column("view_id", RowId, ForeignKey("views.view_id"), primary_key=True),
    Column("date_added", BigInteger, primary_key=True),
    Column("object_row", RowId, ForeignKey("objects.object_row"), nullable=False, index=True),
    Column("latest", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

COUNTERS = Table(
    "counters",
    METADATA,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
