"""A transaction as the queries see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

OPERATOR: Final = "operator"
"""Whom the audit names where nobody said who it is."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One open transaction; the queries in ``hub.storage.queries`` take it as first argument.

    Args:
        after_commit: what is done once it has committed, and not done when it is rolled back; by
            name, so that what many steps of one write ask for is done once.
        rouse: tells the workers of this process that there is work; for ``after_commit``.
        operator: who sits at this machine, for the audit.
    """

    connection: sa.Connection
    writable: bool
    after_commit: dict[str, Callable[[], None]] = field(default_factory=dict)
    rouse: Callable[[], None] = lambda: None
    operator: str = OPERATOR
