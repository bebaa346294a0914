r"""Read a response policy zone out of a zone file: what it blocks becomes names (DNS 3).

Decides, for each record, what of it is a claim: the trigger from its owner, whether it blocks from
its action. ``x`` alone is the name, ``*.x`` alone what is below, both together the whole tree.
Our own small reader of lines, because dnspython takes 83 s for 500,000 names.

Invariants:
* those of ``list_reading``;
* what lets a name pass is never taken for a block: ``rpz-passthru.`` and a CNAME to itself are
  counted (``E_RPZ_PASSTHRU``), and so is every action that blocks nothing;
* no other file is read (``$INCLUDE``), and nothing is generated: one line names one owner;
* parentheses, which join lines, are taken in the SOA alone.

>>> reading = ListReading()
>>> zone = b"$ORIGIN rpz.example.\n@ SOA a. b. 1 1 1 1 1\nevil.test CNAME .\n*.evil.test CNAME .\n"
>>> [(e.name.a_label, e.said.match_scope) for e in triggers_in_rpz(zone, reading)]
[('evil.test', 'subtree')]
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from hub.imports.list_reading import DUPLICATE, ListReading, NamedLine, Said, lines_of
from schemas.dns.names import DnsName

_TTL: Final = re.compile(r"(?:[0-9]+[smhdw]?)+", re.IGNORECASE | re.ASCII)
_CLASSES: Final = frozenset({"IN", "CH", "HS"})
_FRAME: Final = frozenset({"SOA", "NS", "DNSKEY", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "ZONEMD"})
"""Records of the zone itself, which every zone has."""
_LOCAL_DATA: Final = frozenset({"A", "AAAA", "DNAME"})
"""Answers of a walled garden: the name is blocked by being led elsewhere."""
_BLOCKING: Final = frozenset({".", "*.", "rpz-drop."})
_PASSING: Final = frozenset({"rpz-passthru."})
_IP_TRIGGERS: Final = {"rpz-ip": "ip", "rpz-nsip": "nsip"}
_CLIENT: Final = "rpz-client-ip"
_NSDNAME: Final = "rpz-nsdname"
_EXACT, _BELOW = 1, 2
_SCOPES: Final = {_EXACT: "exact", _BELOW: "wildcard-only", _EXACT | _BELOW: "subtree"}
_MOST_WORDS: Final = 64
_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|;.*|[^\s";]+')
"""A quote that is never closed ends with its line: looked for from each of many quotes, the end of
one long line would cost its square."""


@dataclass(slots=True)
class _Held:
    entry: NamedLine
    reach: int


def triggers_in_rpz(data: bytes, reading: ListReading) -> Iterator[NamedLine]:
    """Read the triggers of a zone file; they come after the last line, since two may make one."""
    zone = _Zone(reading)
    for number, line in lines_of(data):
        zone.read_line(number, line)
    for held in zone.held.values():
        said = replace(held.entry.said or Said(), match_scope=_SCOPES[held.reach])
        yield replace(held.entry, said=said)
    yield from zone.addresses


class _Zone:
    """One pass over a zone file."""

    def __init__(self, reading: ListReading) -> None:
        self.held: dict[tuple[str, str], _Held] = {}
        self.addresses: list[NamedLine] = []
        self._reading = reading
        self._origin: str | None = None
        self._first_origin: str | None = None
        self._apex: str | None = None
        self._owner: str | None = None
        self._inside_soa = False

    def read_line(self, number: int, line: bytes) -> None:
        text = self._reading.text_of(number, line)
        if text is None:
            return
        words = _words(text)
        if self._inside_soa:
            self._reading.comment()
            self._inside_soa = ")" not in "".join(words)
        elif not words:
            self._reading.comment()
        elif words[0].startswith("$"):
            self._read_directive(number, text, words)
        elif len(words) > _MOST_WORDS:
            self._reading.skip(number, text, "E_RPZ_LINE", "too many words for a record")
        else:
            self._read_record(number, text, words, continues=line[:1] in b" \t")

    def _read_directive(self, number: int, text: str, words: list[str]) -> None:
        word = words[0].upper()
        if word == "$ORIGIN" and len(words) > 1:
            self._origin = self._whole(words[1])
            self._first_origin = self._first_origin or self._origin
            self._reading.comment()
        elif word == "$TTL":
            self._reading.comment()
        else:
            self._reading.skip(
                number, text, "E_RPZ_DIRECTIVE", "other files are not read and lines not generated"
            )

    def _read_record(self, number: int, text: str, words: list[str], *, continues: bool) -> None:
        # 1. The owner: as written, or that of the record before.
        if not continues:
            self._owner = self._whole(words.pop(0))
        owner = self._owner
        # 2. TTL and class in either order, then the type.
        while words and (_TTL.fullmatch(words[0]) or words[0].upper() in _CLASSES):
            words.pop(0)
        if owner is None or not words:
            self._reading.skip(number, text, "E_RPZ_LINE", "no record with an owner and a type")
            return
        rtype, rdata = words[0].upper(), words[1:]
        if rtype in _FRAME:
            self._read_frame(rtype, owner, rdata)
        elif any(mark in word for word in rdata if word[0] != '"' for mark in "()"):
            self._reading.skip(number, text, "E_RPZ_LINE", "parentheses outside the SOA")
        else:
            self._read_trigger(number, text, owner, rtype, rdata)

    def _read_frame(self, rtype: str, owner: str, rdata: list[str]) -> None:
        self._reading.comment()
        if rtype == "SOA":
            self._apex = self._apex or owner
            joined = "".join(rdata)
            self._inside_soa = "(" in joined and ")" not in joined

    def _read_trigger(
        self, number: int, text: str, owner: str, rtype: str, rdata: list[str]
    ) -> None:
        trigger = self._trigger_of(owner)
        if trigger is None:
            self._reading.skip(
                number, text, "E_RPZ_OUTSIDE", "not below the zone that $ORIGIN and SOA name"
            )
            return
        refused = _why_no_block(trigger, rtype, rdata)
        if refused is not None:
            self._reading.skip(number, text, *refused)
            return
        last = trigger.rpartition(".")[2]
        if last == _CLIENT:
            self._reading.skip(number, text, "E_RPZ_TRIGGER", "a trigger on who asks names nothing")
        elif last in _IP_TRIGGERS:
            self._take_address(number, text, trigger.rpartition(".")[0], _IP_TRIGGERS[last])
        elif last == _NSDNAME:
            self._take_name(number, text, trigger.rpartition(".")[0], "nsdname")
        else:
            self._take_name(number, text, trigger, None)

    def _take_name(self, number: int, text: str, written: str, match_on: str | None) -> None:
        name = self._reading.read(number, text, written)
        if name is None:
            return
        reach = _BELOW if name.subtree else _EXACT
        key = (match_on or "", name.a_label)
        held = self.held.get(key)
        if held is not None:
            # It adds to the name of an earlier line, or repeats it; one claim comes of both.
            joined = "makes one with" if reach & ~held.reach else "the same name as in"
            held.reach |= reach
            self._reading.skip(number, text, DUPLICATE, f"{joined} line {held.entry.line}")
            return
        bare = DnsName(name.a_label, name.u_label)
        said = Said(match_on=match_on) if match_on else None
        entry = self._reading.take(number, text, name.a_label, bare, said)
        if entry is not None:
            self.held[key] = _Held(entry, reach)

    def _take_address(self, number: int, text: str, written: str, match_on: str) -> None:
        prefix = _prefix_of(written)
        if prefix is None:
            self._reading.skip(number, text, "E_PREFIX", "no address in a trigger's form")
            return
        entry = self._reading.take_address(number, text, prefix, Said(match_on=match_on))
        if entry is not None:
            self.addresses.append(entry)

    def _whole(self, written: str) -> str:
        """Complete a name: absolute ones keep their dot; relative ones get the origin's."""
        written = written.lower()
        if written == "@":
            return self._origin or ""
        if written.endswith(".") or self._origin is None:
            return written
        return f"{written}.{self._origin}" if self._origin != "." else f"{written}."

    def _trigger_of(self, owner: str) -> str | None:
        """Cut the zone's own name off an owner; None where it is not below it."""
        apex = self._apex or self._first_origin
        if not owner.endswith("."):
            return owner or None  # relative to a zone that nothing names
        if apex is None or not owner.endswith(f".{apex}"):
            return None
        return owner[: -len(apex) - 1]


def _words(text: str) -> list[str]:
    """Cut a line into words without its comment; a quoted text is one word."""
    if '"' not in text:
        return text.partition(";")[0].split()
    return [word for word in _WORD.findall(text) if word[0] != ";"]


def _why_no_block(trigger: str, rtype: str, rdata: list[str]) -> tuple[str, str] | None:
    if rtype in _LOCAL_DATA:
        return None
    if rtype != "CNAME" or len(rdata) != 1:
        return "E_RPZ_ACTION", "a record that blocks nothing by itself"
    target = rdata[0].lower()
    if target in _BLOCKING:
        return None
    # The old way to say it is a CNAME to the name itself.
    itself = {trigger, trigger.removeprefix("*.")}
    if target in _PASSING or target.removesuffix(".") in itself:
        return "E_RPZ_PASSTHRU", "lets the name pass; that is not imported"
    if target.rstrip(".").startswith("rpz-"):
        return "E_RPZ_ACTION", f"an action that blocks nothing: {target[:40]}"
    return None  # a walled garden


def _prefix_of(written: str) -> str | None:
    """Read ``24.0.2.0.192`` or ``48.zz.db8.2001`` (BIND ARM, RPZ-IP)."""
    length, _, labels = written.partition(".")
    parts = labels.split(".")[::-1]
    try:
        if len(parts) == 4 and "zz" not in parts and all(p.isdecimal() for p in parts):  # noqa: PLR2004
            return str(ipaddress.IPv4Network(f"{'.'.join(parts)}/{length}"))
        text = ":".join(parts).replace("zz", "")
        text = f":{text}" if text.startswith(":") else text
        text = f"{text}:" if text.endswith(":") else text
        return str(ipaddress.IPv6Network(f"{text}/{length}"))
    except ValueError:
        return None
