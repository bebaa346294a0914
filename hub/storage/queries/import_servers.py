"""TAXII servers of others that are asked on schedule, and how far each has been read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.storage.tables.imports import IMPORT_SERVERS
from hub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One collection of one server.

    Args:
        name: also the feed's name in the lineage.
        url: of the API root.
        tlp: the label of what prints none; None is AMBER+STRICT.
        audience: ``to`` (node ids), ``groups``, ``share``, ``pap``.
        position_at: all that was added there up to then has been read.
    """

    name: str
    url: str
    collection: str
    user: str | None
    private_network: bool
    every_minutes: int
    tlp: int | None
    added_at: datetime
    audience: Mapping[str, Any] = field(default_factory=dict)
    position_at: datetime | None = None
    last_run_at: datetime | None = None
    last_good_at: datetime | None = None
    last_error: str | None = None


def store_server(tx: Transaction, row: ServerRow) -> None:
    """Store a server."""
    tx.connection.execute(IMPORT_SERVERS.insert().values(**asdict(row)))


def find_server(tx: Transaction, name: str) -> ServerRow | None:
    """Find a server by its name."""
    row = tx.connection.execute(
        sa.select(IMPORT_SERVERS).where(IMPORT_SERVERS.c.name == name)
    ).one_or_none()
    return None if row is None else ServerRow(**row._mapping)  # noqa: SLF001 - documented accessor


def list_servers(tx: Transaction) -> tuple[ServerRow, ...]:
    """List all servers by name."""
    rows = tx.connection.execute(sa.select(IMPORT_SERVERS).order_by(IMPORT_SERVERS.c.name))
    return tuple(ServerRow(**row._mapping) for row in rows)  # noqa: SLF001 - documented accessor


def update_server(tx: Transaction, name: str, **values: object) -> None:
    """Change columns of a server."""
    tx.connection.execute(
        IMPORT_SERVERS.update().where(IMPORT_SERVERS.c.name == name).values(**values)
    )


def delete_server(tx: Transaction, name: str) -> None:
    """Forget a server."""
    tx.connection.execute(IMPORT_SERVERS.delete().where(IMPORT_SERVERS.c.name == name))
