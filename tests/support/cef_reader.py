"""Read CEF by its own rules, for tests: what a SIEM would take a line for."""

from __future__ import annotations

import re
from dataclasses import dataclass

_KEY = re.compile(r"(?:^| )([A-Za-z0-9_]+)=")


@dataclass(frozen=True)
class ReadCef:
    """A line as it was understood."""

    head: tuple[str, ...]
    extension: dict[str, str]


def read_cef(line: str) -> ReadCef:
    """Read a line from ``CEF:`` on; anything before it is syslog's."""
    rest = line[line.index("CEF:") :].rstrip("\n")
    head: list[str] = []
    field, escaped, ends = "", False, 0
    for at, character in enumerate(rest):
        if escaped:
            assert character in "\\|", f"an unknown escape in the head: {line!r}"
            field, escaped = field + character, False
        elif character == "\\":
            escaped = True
        elif character == "|":
            head.append(field)
            field = ""
            if len(head) == 7:
                ends = at
                break
        else:
            field += character
    assert len(head) == 7, f"a head of {len(head)} fields: {line!r}"
    return ReadCef(tuple(head), _extension(rest[ends + 1 :]))


def _extension(text: str) -> dict[str, str]:
    """Split at keys: a word and an equals sign that no backslash stands before."""
    places = [found for found in _KEY.finditer(text) if text[found.end() - 2] != "\\"]
    found: dict[str, str] = {}
    for number, place in enumerate(places):
        end = places[number + 1].start() if number + 1 < len(places) else len(text)
        assert place[1] not in found, f"a key twice: {place[1]}"
        found[place[1]] = _unescaped(text[place.end() : end])
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), text)
