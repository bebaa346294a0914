r"""Write an event in ArcSight's Common Event Format, version 0 (CEF), for a SIEM (THREATS 43).

Invariants:
* an event is one line of printable text: no control character, no line separator and no character
  that turns the direction of writing is in it, whatever a domain or a peer is called;
* in the head a pipe and a backslash are escaped, in a value an equals sign and a backslash; a line
  end inside a value is the two characters ``\n``, as CEF asks for;
* keys are ours; a value is bounded, so that a line stays far below the 8 KiB of syslog servers.

>>> write_cef(CefEvent("0.1", "HEAD_STALE", "a|b", 5, {"msg": "a=b\nc"}))
'CEF:0|Tocsin|Tocsin|0.1|HEAD_STALE|a\\|b|5|msg=a\\=b\\nc'
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

VENDOR: Final = "Tocsin"
PRODUCT: Final = "Tocsin"
LONGEST_VALUE: Final = 1_000
LONGEST_NAME: Final = 200
_NOT_SHOWN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control, format (bidi overrides among them), surrogates, line and paragraph separators."""


@dataclass(frozen=True, slots=True)
class CefEvent:
    """An event.

    Args:
        version: of the product that tells it.
        code: what kind of event it is; CEF's signature id.
        name: in words.
        severity: 0 to 10.
        extension: by CEF's keys; a value is text or a number.
    """

    version: str
    code: str
    name: str
    severity: int
    extension: Mapping[str, str | int] = field(default_factory=dict)


def write_cef(event: CefEvent) -> str:
    """Write one line, without a line end."""
    head = "|".join(
        (
            "CEF:0",
            VENDOR,
            PRODUCT,
            _head(event.version),
            _head(event.code),
            _head(event.name),
            str(event.severity),
        )
    )
    pairs = (f"{key}={_value(value)}" for key, value in event.extension.items() if value != "")
    return f"{head}|{' '.join(pairs)}"


def _head(text: str) -> str:
    shown = "".join(_shown(character) for character in text[:LONGEST_NAME])
    return shown.replace("\\", "\\\\").replace("|", "\\|")


def _value(value: str | int) -> str:
    text = str(value)[:LONGEST_VALUE].replace("\r\n", "\n").replace("\r", "\n")
    lines = ("".join(_shown(character) for character in line) for line in text.split("\n"))
    return "\\n".join(line.replace("\\", "\\\\").replace("=", "\\=") for line in lines)


def _shown(character: str) -> str:
    return " " if unicodedata.category(character) in _NOT_SHOWN else character
