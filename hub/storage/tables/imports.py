"""What was imported, what each import stands for, and the servers that are asked on schedule."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table

from hub.storage.dialects import Instant, Json, RowId
from hub.storage.tables.metadata import METADATA

IMPORTS = Table(
    "imports",
    METADATA,
    Column("import_id", RowId, primary_key=True, autoincrement=False),
    Column("feed", String, nullable=False),  # the lineage tag without its `feed:`
    Column("format", String, nullable=False),
    Column("tlp", Integer, nullable=False),
    Column("audience", Json, nullable=False),  # the feeds of ours that its objects went into
    Column("counts", Json, nullable=False),
    Column("state", String, nullable=False),  # running, live, undoing, undone
    Column("actor", String, nullable=False),
    Column("begun_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("reason", String),  # of the undoing
    Index("ix_imports_feed", "feed"),
)

IMPORT_OBJECTS = Table(
    "import_objects",
    METADATA,
    Column("import_id", RowId, ForeignKey("imports.import_id"), primary_key=True),
    Column("stix_id", String, primary_key=True),
    Column("place", Integer, nullable=False),  # in the order of their entries
    # What it is about, to find it again when the same feed names it again; None of STIX objects.
    Column("subject", String),
    Column("published", Boolean, nullable=False),  # a publication stands for it as well
    Index("ix_import_objects_place", "import_id", "place"),
    Index("ix_import_objects_stix_id", "stix_id"),
    Index("ix_import_objects_subject", "subject"),
)

IMPORT_SERVERS = Table(
    "import_servers",
    METADATA,
    Column("name", String, primary_key=True),
    Column("url", String, nullable=False),  # of the API root
    Column("collection", String, nullable=False),
    Column("user", String),  # the password is a file in the home
    Column("private_network", Boolean, nullable=False),
    Column("every_minutes", Integer, nullable=False),
    Column("tlp", Integer),  # None: what is printed, else AMBER+STRICT
    Column("audience", Json, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("position_at", Instant),  # everything added up to then has been read
    Column("last_run_at", Instant),
    Column("last_good_at", Instant),
    Column("last_error", String),
)
