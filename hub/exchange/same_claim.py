"""Whether a live indicator already says what an input says now, so that nothing is said twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from hub.imports.list_reading import NamedLine
from schemas.timestamps import read_stix_time, write_wire_time

_NOT_SAID: Final = frozenset(
    {"id", "created", "modified", "valid_from", "valid_until", "object_marking_refs"}
)
"""What differs between two versions that say the same; labels are compared by who asks."""


def says_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two indicators differ in ids, dates and marks alone.

    >>> says_the_same({"id": "a", "name": "x"}, {"id": "b", "name": "x"})
    True
    """
    return _said(one) == _said(other)


def lasts(line: NamedLine, value: Mapping[str, Any], until: datetime) -> bool:
    """Tell whether an indicator is valid as long as the line says, or else at least until then."""
    if "valid_until" not in value:
        return line.said is None or line.said.valid_until is None
    ends = read_stix_time(value["valid_until"])
    stated = None if line.said is None else line.said.valid_until
    if stated is not None:
        return write_wire_time(ends) == write_wire_time(stated)
    return ends >= until


def _said(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in value.items() if name not in _NOT_SAID}
