"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

RowId = BigInteger().with_variant(Integer, "sqlite")
"""A row's number; SQLite increments only a column whose type is exactly INTEGER."""


def to_micros(at: datetime) -> int:
    """Count whole microseconds since 1970, exactly (floats would lose the last digits)."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Turn microseconds since 1970 back into an aware instant."""
    return _EPOCH + timedelta(microseconds=micros)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant, kept as microseconds since 1970, so that it sorts everywhere."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Store microseconds."""
        del dialect
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return an aware instant."""
        del dialect
        return None if value is None else from_micros(value)


def write_column(value: Any) -> bytes:
    """Write a small JSON value of our own as the columns hold it."""
    return orjson.dumps(value)


def read_column(stored: bytes) -> Any:
    """Read a small JSON value that ``write_column`` wrote: never a peer's bytes."""
    return orjson.loads(stored)


class Json(TypeDecorator[Any]):
    """A small JSON value of our own writing, kept as compact bytes."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """Store compact JSON."""
        del dialect
        return None if value is None else write_column(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the value; it is our own bytes from our own database, not a peer's."""
        del dialect
        return None if value is None else read_column(value)
