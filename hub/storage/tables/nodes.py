"""Nodes, ourselves included, and their documents."""

from sqlalchemy import Boolean, Column, Integer, LargeBinary, String, Table

from hub.storage.dialects import Instant, Json
from hub.storage.tables.metadata import METADATA

OWN_NODE = Table(
    "own_node",
    METADATA,
    Column("node_id", String(52), primary_key=True),
    Column("identity", String, nullable=False),
    Column("roles", Json, nullable=False),
    Column("green_relay", String, nullable=False),
    Column("demo", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("cursor_key", LargeBinary, nullable=False),
)

NODE_DOCUMENTS = Table(
    "node_documents",
    METADATA,
    Column("node_id", String(52), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("dsse", LargeBinary, nullable=False),
    Column("stored_at", Instant, nullable=False),
)

ORGANISATIONS = Table(
    "organisations",
    METADATA,
    Column("organisation_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("node_id", String(52)),
    Column("created_at", Instant, nullable=False),
)
