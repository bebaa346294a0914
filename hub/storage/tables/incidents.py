"""Hijack claims, what was answered to them, the watch on their delegations, and facts on names.

State and label of a claim are not kept here: they change, and ``objects`` has them.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table

from hub.storage.dialects import Instant, Json, RowId
from hub.storage.tables.metadata import METADATA

HIJACK_CLAIMS = Table(
    "hijack_claims",
    METADATA,
    # One version of one origin's incident with a dns-delegation-change. No foreign key: what is
    # gone from ``objects`` is gone from every join with it.
    Column("object_row", RowId, primary_key=True, autoincrement=False),
    Column("origin", String(52), nullable=False),
    Column("stix_id", String, nullable=False),
    Column("zone", String, nullable=False),
    Column("change_kinds", Json, nullable=False),
    Column("old_ns", Json, nullable=False),
    Column("new_ns", Json, nullable=False),
    Column("old_ds", Json, nullable=False),
    Column("new_ds", Json, nullable=False),
    Column("registrar_id", BigInteger),
    Column("registrar", String),
    Column("vector", String),
    Column("authorised", Boolean, nullable=False),  # its origin says so itself
    Column("changed_at", Instant),
    Column("detected_at", Instant),
    Column("reverted_at", Instant),
    Column("noted_at", Instant, nullable=False),  # when it became visible here
    Index("ix_hijack_claims_zone", "zone"),
    Index("ix_hijack_claims_stix_id", "stix_id"),
)

HIJACK_SERVERS = Table(
    "hijack_servers",
    METADATA,
    # The name servers that a claim calls rogue: its new ones that are not among the old.
    Column("name", String, primary_key=True),
    Column("object_row", RowId, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

HIJACK_ANSWERS = Table(
    "hijack_answers",
    METADATA,
    # One version of one origin's note that answers an incident.
    Column("object_row", RowId, primary_key=True, autoincrement=False),
    Column("incident_id", String, nullable=False, index=True),
    Column("incident_origin", String(52)),  # None: whoever claims that id
    Column("incident_version", String),  # of which its author read before he answered
    Column("origin", String(52), nullable=False),
    Column("word", String, nullable=False),  # authorised-change, not-ours, reverted
    Column("said_at", Instant, nullable=False),  # its version, never after its arrival
    Column("noted_at", Instant, nullable=False),
)

DELEGATION_WATCHES = Table(
    "delegation_watches",
    METADATA,
    # What this node itself saw at the parent's servers, of one origin's incident.
    Column("origin", String(52), primary_key=True),
    Column("stix_id", String, primary_key=True),
    Column("looked_at", Instant, nullable=False),
    Column("matches", Integer, nullable=False),  # how often in a row the old set was there
    Column("back_at", Instant),  # since when it is believed to be back
    Column("seen_ns", Json, nullable=False),
    Column("code", String),  # why the last look told nothing
    sqlite_with_rowid=False,
)

NAME_FACTS = Table(
    "name_facts",
    METADATA,
    # What one version of one origin's indicator says of its name's registration (DNS 1).
    Column("object_row", RowId, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),
    Column("threat_type", String),
    Column("registrar_id", BigInteger),
    Column("registrar", String),
    Column("registered_in", Instant),  # the Monday of the week in which the name was created
    Column("noted_at", Instant, nullable=False),  # its arrival here
    Index("ix_name_facts_registrar_id", "registrar_id"),
    Index("ix_name_facts_noted_at", "noted_at"),
)

NAME_SERVERS = Table(
    "name_servers",
    METADATA,
    # Which name servers an accepted observable says that a name has (DNS 1, dns-records).
    Column("name", String, primary_key=True),
    Column("server", String, primary_key=True),
    Column("object_row", RowId, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

READ_OF_OBJECTS = (HIJACK_CLAIMS, HIJACK_SERVERS, HIJACK_ANSWERS, NAME_FACTS, NAME_SERVERS)
"""What goes with the bytes of an object when these are erased."""
