"""What accepted objects refer to, so that a view can be kept closed (PROTOCOL 3.4)."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, String, Table, text

from hub.storage.dialects import RowId
from hub.storage.tables.metadata import METADATA

OBJECT_REFERENCES = Table(
    "object_references",
    METADATA,
    # Only of what is accepted, and only to what not everybody may know: most objects have none.
    Column("object_row", RowId, ForeignKey("objects.object_row"), primary_key=True),
    Column("stix_id", String, primary_key=True),  # what the object refers to
    Column("waits", Boolean, nullable=False),  # for that, outside a view to which it belongs
    # An object of that id, where one came along: nearly all are found by its number, whose index
    # grows at its end; one of ids, which are random, is written all over.
    Column("target_row", RowId, ForeignKey("objects.object_row", ondelete="SET NULL"), index=True),
    Index(
        "ix_object_references_stix_id",
        "stix_id",
        sqlite_where=text("target_row IS NULL"),
        postgresql_where=text("target_row IS NULL"),
    ),
    Index(
        "ix_object_references_waits",
        "stix_id",
        sqlite_where=text("waits = 1"),
        postgresql_where=text("waits"),
    ),
    sqlite_with_rowid=False,
)
