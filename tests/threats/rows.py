"""What THREATS lists, and what of it comes with a later issue."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ROWS: Final = range(1, 57)
"""Attacks, section 1."""
CLASSES: Final = range(1, 18)
"""Leak and bypass classes, section 3."""

LATER_ROWS: Final[Mapping[int, str]] = MappingProxyType(
    {
        42: "the web interface, which is not there yet",
        44: "the web interface, which is not there yet",
        49: "sealed feeds, which are not there yet",
        50: "sealed feeds, which are not there yet",
    }
)
"""Row 43 is shown for logs, CSV cells, CEF and the formats of sensors."""
LATER_CLASSES: Final[Mapping[int, str]] = MappingProxyType({})
