"""What was exported last, whether it may have changed since, and where files are kept current."""

from sqlalchemy import BigInteger, Column, Integer, String, Table

from hub.storage.dialects import Instant, RowId
from hub.storage.tables.metadata import METADATA

RENDERINGS = Table(
    "renderings",
    METADATA,
    Column("format", String, primary_key=True),
    Column("audience", String, primary_key=True),
    Column("reader", String, primary_key=True),  # one constituent's token; "" for all
    Column("variant", String, primary_key=True),  # a feed, another least confidence; "" for all
    Column("names", BigInteger, nullable=False),
    Column("left_out", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),  # of the content, dates and serial apart
    Column("serial", BigInteger, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("exported_at", Instant, nullable=False),
    Column("state", String(64), nullable=False),  # of all that it was made of
    Column("due_at", Instant),  # when time alone changes it
    Column("asked_at", Instant),  # when somebody last fetched it
)

EXPORT_MARKS = Table(
    "export_marks",
    METADATA,
    Column("mark_id", Integer, primary_key=True, autoincrement=False),  # 1
    Column("number", BigInteger, nullable=False),  # grows whenever verdicts or blocks change
    Column("rest_until", Instant),  # changes that come sooner are rendered together
)

ASKED_ACTIONS = Table(
    "asked_actions",
    METADATA,
    # What one version of an origin's object asks resolvers to do: the hardest of it. No foreign
    # key: what is gone from ``objects`` is gone from every join with it.
    Column("object_row", RowId, primary_key=True, autoincrement=False),
    Column("action", String, nullable=False, index=True),
)

EXPORT_TARGETS = Table(
    "export_targets",
    METADATA,
    Column("name", String, primary_key=True),
    Column("format", String, nullable=False),
    Column("audience", String, nullable=False),
    Column("reader", String, nullable=False),
    Column("feed", String, nullable=False),
    Column("min_confidence", Integer, nullable=False),
    Column("path", String, nullable=False),
    Column("knot_socket", String),
    Column("knot_zone", String),
    Column("probe", String),
    Column("added_at", Instant, nullable=False),
    Column("written_digest", String(64)),  # of the content that the file has
    Column("written_at", Instant),
    Column("serial", BigInteger),
    Column("probe_until", Instant),  # the canary is asked for until then
    Column("error", String),
)
