"""A transaction as the queries see it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Transaction:
    """One open transaction; the queries in ``hub.storage.queries`` take it as first argument."""

    connection: sa.Connection
    writable: bool
