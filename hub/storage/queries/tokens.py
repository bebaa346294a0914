"""Tokens: who reads and writes without a node. A token itself is never stored, its digest is."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from hub.storage.tables.readers import TOKENS
from hub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as it is held."""

    name: str
    kind: str
    digest: str
    max_tlp: int
    originals: bool
    zones: tuple[str, ...]
    prefixes: tuple[str, ...]
    groups: tuple[str, ...]
    organisation_id: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


_LISTS = ("zones", "prefixes", "groups")


def _token(row: sa.Row[tuple[object, ...]]) -> TokenRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor
    return TokenRow(**values | {name: tuple(values[name]) for name in _LISTS})


def store_token(tx: Transaction, token: TokenRow) -> None:
    """Store a new token."""
    values = {field.name: getattr(token, field.name) for field in fields(token)}
    tx.connection.execute(
        TOKENS.insert().values(**values | {name: list(values[name]) for name in _LISTS})
    )


def find_token(tx: Transaction, name: str) -> TokenRow | None:
    """Find a token by its name."""
    row = tx.connection.execute(sa.select(TOKENS).where(TOKENS.c.name == name)).one_or_none()
    return None if row is None else _token(row)


def find_token_by_digest(tx: Transaction, digest: str) -> TokenRow | None:
    """Find a token by the digest of what was presented."""
    row = tx.connection.execute(sa.select(TOKENS).where(TOKENS.c.digest == digest)).one_or_none()
    return None if row is None else _token(row)


def list_token_rows(tx: Transaction) -> tuple[TokenRow, ...]:
    """List every token, revoked ones included, by name."""
    rows = tx.connection.execute(sa.select(TOKENS).order_by(TOKENS.c.name))
    return tuple(_token(row) for row in rows)


def set_revoked(tx: Transaction, name: str, at: datetime) -> bool:
    """Revoke a token; False when there is none of this name that is not revoked yet."""
    result = tx.connection.execute(
        TOKENS.update()
        .where(TOKENS.c.name == name, TOKENS.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    return result.rowcount == 1


def set_last_used(tx: Transaction, name: str, at: datetime) -> None:
    """Record when a token was last used."""
    tx.connection.execute(TOKENS.update().where(TOKENS.c.name == name).values(last_used_at=at))
