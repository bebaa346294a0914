"""Instants as exports write them: a list has few of them, and each is written for many names."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from schemas.timestamps import write_wire_time


@lru_cache(maxsize=4096)
def write_instant(at: datetime) -> str:
    """Write an aware instant with three decimals, as the wire has it."""
    return write_wire_time(at)
